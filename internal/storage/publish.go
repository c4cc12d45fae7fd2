package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"slate360.ai/worker/internal/job"
)

const (
	defaultWorkers = 32
	// largeFile in bytes goes on a lane of its own: a backend sends it in parallel
	// parts, and many at once would only take bandwidth from one another.
	largeFile  = 16 << 20
	largeLanes = 2
	// resultName is the entry point of all entry points.
	resultName  = "result.json"
	deleteBatch = 1000
	// cacheTiles holds for an hour: outputs are rewritten under the same keys when
	// a job is run again, so they are not immutable. cacheEntry makes readers ask
	// whether an entry point is still the same.
	cacheTiles = "public, max-age=3600"
	cacheEntry = "no-cache"
)

// PublishOptions of Publish; the zero value is fine.
type PublishOptions struct {
	// Workers is how many small files are sent at once; 0 is 32.
	Workers int
	// Progress gets the bytes that are in the store and those of all files, one
	// call at a time; it must be quick. nil is none.
	Progress func(done, total int64)
	// Logger gets what a developer wants to know; nil is none.
	Logger *slog.Logger
}

// Report is what Publish did.
type Report struct {
	// Uploaded and Skipped objects, and those Deleted that an earlier try left.
	Uploaded, Skipped, Deleted int
	// Bytes that were sent.
	Bytes int64
}

// Publish brings the files of a folder into the store below prefix, so that a
// reader never sees half a result:
//
//   - entry points (tileset.json, ept.json, layer.json) come after all that they
//     name, the deepest first, and result.json at the very end;
//   - where objects of an earlier try differ, its entry points are removed before
//     the first of them is overwritten or deleted;
//   - objects that have the content already (size, and SHA-256 or MD5) are not sent
//     again; those that the folder does not have are deleted.
//
// What it leaves when it fails has no entry points, and is taken up by the next
// Publish or removed by Discard. Nobody else may write below prefix meanwhile.
// Links and other things that are not files are an error. Memory is some hundred
// bytes a file.
func Publish(ctx context.Context, store Store, dir, prefix string, o PublishOptions) (Report, error) {
	if o.Workers <= 0 {
		o.Workers = defaultWorkers
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	prefix, err := folderPrefix(prefix)
	if err != nil {
		return Report{}, fmt.Errorf("publish: %w", err)
	}
	p := &publication{store: store, dir: dir, prefix: prefix, o: o}
	if err := p.walk(ctx); err != nil {
		return Report{}, fmt.Errorf("publish %s: %w", dir, err)
	}
	if err := p.run(ctx); err != nil {
		return p.report, fmt.Errorf("publish %s: %w", dir, err)
	}
	return p.report, nil
}

// folderPrefix gives a prefix the slash that ends it. Everything is no folder: it
// would be swept.
func folderPrefix(prefix string) (string, error) {
	prefix = strings.TrimSuffix(prefix, "/")
	if err := CheckKey(prefix); err != nil {
		return "", fmt.Errorf("prefix: %w", err)
	}
	return prefix + "/", nil
}

// publication is one call of Publish.
type publication struct {
	store       Store
	dir, prefix string
	o           PublishOptions
	files       []localFile // in order of rel
	stale       []string    // keys that the folder does not have
	entries     []string    // keys of entry points that are in the store
	total       int64

	mu     sync.Mutex
	done   int64
	report Report
}

// localFile is a file to be published, and what the store has in its place.
type localFile struct {
	rel    string // with forward slashes
	size   int64
	rank   int  // 0, or the order in which entry points come
	same   bool // the store has this content
	there  bool // the store has an object of this key and size
	digest [16]byte
	md5    bool // digest is that object's MD5
}

// rankOf is 0 for what anybody may see at any time, and otherwise grows: an entry
// point that lies deeper may be named by one above it.
func rankOf(rel string) int {
	const deepest = 1 << 20
	if rel == resultName {
		return deepest + 1
	}
	switch rel[strings.LastIndexByte(rel, '/')+1:] {
	case "tileset.json", "ept.json", "layer.json":
		return deepest - min(strings.Count(rel, "/"), deepest-1)
	}
	return 0
}

func (p *publication) walk(ctx context.Context) error {
	err := filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil || d.IsDir() {
			return err
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is neither a file nor a folder", path)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(p.dir, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if err := CheckKey(p.prefix + rel); err != nil {
			return err
		}
		p.files = append(p.files, localFile{rel: rel, size: info.Size(), rank: rankOf(rel)})
		p.total += info.Size()
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(p.files, func(a, b localFile) int { return strings.Compare(a.rel, b.rel) })
	return nil
}

func (p *publication) run(ctx context.Context) error {
	if err := p.compare(ctx); err != nil {
		return err
	}
	if err := p.unveil(ctx); err != nil {
		return err
	}
	if err := p.upload(ctx, 0); err != nil {
		return err
	}
	if err := deleteAll(ctx, p.store, p.stale); err != nil {
		return err
	}
	p.report.Deleted = len(p.stale)
	for _, rank := range p.ranks() {
		if err := p.upload(ctx, rank); err != nil {
			return err
		}
	}
	return nil
}

// unveil removes the entry points of an earlier try, the topmost first, unless
// all is as it was.
func (p *publication) unveil(ctx context.Context) error {
	if len(p.entries) == 0 || len(p.stale) == 0 && !slices.ContainsFunc(p.files, func(f localFile) bool { return !f.same }) {
		return nil
	}
	slices.SortFunc(p.entries, func(a, b string) int {
		return rankOf(strings.TrimPrefix(b, p.prefix)) - rankOf(strings.TrimPrefix(a, p.prefix))
	})
	for _, key := range p.entries { // one by one: in this order
		if err := p.store.Delete(ctx, key); err != nil {
			return err
		}
	}
	p.o.Logger.Debug("entry points of an earlier try are removed", "prefix", p.prefix, "count", len(p.entries))
	for i := range p.files {
		if p.files[i].rank > 0 {
			p.files[i].same = false
		}
	}
	return nil
}

// ranks of the entry points, in order.
func (p *publication) ranks() []int {
	var ranks []int
	for _, f := range p.files {
		if f.rank > 0 {
			ranks = append(ranks, f.rank)
		}
	}
	slices.Sort(ranks)
	return slices.Compact(ranks)
}

// upload sends the files of one rank, small ones and large ones side by side.
func (p *publication) upload(ctx context.Context, rank int) error {
	lanes, ctx := errgroup.WithContext(ctx)
	lanes.Go(func() error {
		return p.each(ctx, p.o.Workers, func(f *localFile) bool { return f.rank == rank && f.size < largeFile }, p.send)
	})
	lanes.Go(func() error {
		return p.each(ctx, largeLanes, func(f *localFile) bool { return f.rank == rank && f.size >= largeFile }, p.send)
	})
	return lanes.Wait()
}

// each calls work for the files that match, with several goroutines.
func (p *publication) each(ctx context.Context, workers int, match func(*localFile) bool, work func(context.Context, *localFile) error) error {
	group, ctx := errgroup.WithContext(ctx)
	next := make(chan *localFile)
	group.Go(func() error {
		defer close(next)
		for i := range p.files {
			if !match(&p.files[i]) {
				continue
			}
			select {
			case next <- &p.files[i]:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range workers {
		group.Go(func() error {
			for f := range next {
				if err := work(ctx, f); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func (p *publication) send(ctx context.Context, f *localFile) error {
	if f.same {
		p.count(func(r *Report) { r.Skipped++ }, f.size)
		return nil
	}
	path := p.path(f)
	a := Attributes{ContentType: job.ContentType(f.rel), CacheControl: cacheTiles}
	if f.rank > 0 {
		a.CacheControl = cacheEntry
	}
	var err error
	if a.ContentEncoding, err = contentEncoding(path); err != nil {
		return err
	}
	var sent int64 // of a large file: guarded by p.mu
	if f.size >= largeFile {
		a.Sent = func(n int64) {
			p.count(func(*Report) {
				n = min(n, f.size-sent) // a backend may have begun anew
				sent += n
			}, 0)
			p.advance(n)
		}
	}
	if err := p.store.PutFile(ctx, p.prefix+f.rel, path, a); err != nil {
		return err
	}
	p.count(func(r *Report) { r.Uploaded++; r.Bytes += f.size }, f.size-sent)
	return nil
}

func (p *publication) path(f *localFile) string {
	return filepath.Join(p.dir, filepath.FromSlash(f.rel))
}

// count changes the report, and tells of n bytes more.
func (p *publication) count(change func(*Report), n int64) {
	p.mu.Lock()
	change(&p.report)
	p.mu.Unlock()
	p.advance(n)
}

func (p *publication) advance(n int64) {
	if n == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	if p.o.Progress != nil {
		p.o.Progress(p.done, p.total)
	}
}

// Discard removes all objects below prefix, entry points first.
func Discard(ctx context.Context, store Store, prefix string) error {
	prefix, err := folderPrefix(prefix)
	if err != nil {
		return fmt.Errorf("discard: %w", err)
	}
	var keys []string
	err = store.List(ctx, prefix, func(i Info) error {
		keys = append(keys, i.Key)
		return nil
	})
	if err != nil {
		return fmt.Errorf("discard: %w", err)
	}
	slices.SortStableFunc(keys, func(a, b string) int {
		return rankOf(strings.TrimPrefix(b, prefix)) - rankOf(strings.TrimPrefix(a, prefix))
	})
	for len(keys) > 0 && rankOf(strings.TrimPrefix(keys[0], prefix)) > 0 {
		if err := store.Delete(ctx, keys[0]); err != nil {
			return fmt.Errorf("discard: %w", err)
		}
		keys = keys[1:]
	}
	if err := deleteAll(ctx, store, keys); err != nil {
		return fmt.Errorf("discard: %w", err)
	}
	return nil
}

func deleteAll(ctx context.Context, store Store, keys []string) error {
	for len(keys) > 0 {
		n := min(len(keys), deleteBatch)
		if err := store.Delete(ctx, keys[:n]...); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}
