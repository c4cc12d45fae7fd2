package storage

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// A checkpoint below its prefix is
//
//	index.json         checkpointIndex, written last
//	objects/<sha256>   the files, by their content
//
// so that an unchanged file is not sent twice and an index never names what is
// not there.
const (
	indexName         = "index.json"
	objectsName       = "objects/"
	manifestName      = "manifest.json"
	checkpointVersion = 1
	checkpointWorkers = 8
	// maxIndex in bytes is far more than a million files take.
	maxIndex = 512 << 20
)

// checkpointIndex is what a checkpoint consists of.
type checkpointIndex struct {
	Version int              `json:"version"`
	Files   []checkpointFile `json:"files"`
}

// checkpointFile is a file of the workspace.
type checkpointFile struct {
	Path    string `json:"path"` // below the workspace, with forward slashes
	Size    int64  `json:"size"` // bytes
	SHA256  string `json:"sha256"`
	ModTime int64  `json:"modTime"` // Unix nanoseconds
}

// SaveCheckpoint brings what the finished stages of a workspace have made to the
// store, for another machine to go on from. Locks, scratch and what unfinished
// stages left stay out. It replaces an earlier checkpoint of the prefix; where it
// fails, that one still holds. A workspace without a finished stage leaves
// nothing. Two are not saved: one of more than limit bytes (ErrLargeCheckpoint; 0 is no
// limit), since the machine goes before it is there, and one whose files take longer to
// move than its stages took (ErrCheapCheckpoint). Nobody may work in the workspace
// meanwhile.
func SaveCheckpoint(ctx context.Context, store Store, prefix, workspaceDir string, limit int64) error {
	prefix, err := folderPrefix(prefix)
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	paths, took, err := workspaceFiles(workspaceDir)
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	if len(paths) == 0 {
		return nil
	}
	size := sizeOf(workspaceDir, paths)
	if limit > 0 && size > limit {
		return fmt.Errorf("save checkpoint: %w: %d bytes, the limit is %d", ErrLargeCheckpoint, size, limit)
	}
	if !worth(size, len(paths), took) {
		return fmt.Errorf("save checkpoint: %w: %d bytes in %d files, of %v of work", ErrCheapCheckpoint, size, len(paths), took)
	}
	stored := map[string]int64{}
	err = store.List(ctx, prefix+objectsName, func(i Info) error {
		stored[strings.TrimPrefix(i.Key, prefix+objectsName)] = i.Size
		return nil
	})
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	index := checkpointIndex{Version: checkpointVersion, Files: make([]checkpointFile, len(paths))}
	err = inParallel(ctx, len(paths), func(ctx context.Context, i int) error {
		var err error
		index.Files[i], err = saveFile(ctx, store, prefix, workspaceDir, paths[i], stored)
		return err
	})
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	data, err := json.Marshal(index)
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	if err := store.Put(ctx, prefix+indexName, bytes.NewReader(data), int64(len(data)), Attributes{ContentType: "application/json", CacheControl: cacheEntry}); err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	for _, f := range index.Files {
		delete(stored, f.SHA256)
	}
	var unused []string
	for name := range stored {
		unused = append(unused, prefix+objectsName+name)
	}
	if err := deleteAll(ctx, store, unused); err != nil {
		return fmt.Errorf("save checkpoint: delete what an earlier one had: %w", err)
	}
	return nil
}

// ErrLargeCheckpoint says that a checkpoint would be larger than allowed.
var ErrLargeCheckpoint = errors.New("the finished stages are too large for a checkpoint")

// ErrCheapCheckpoint says that a checkpoint is not worth its transfer.
var ErrCheapCheckpoint = errors.New("doing the finished stages again is cheaper than moving what they made")

// What moving a checkpoint takes, there and back: 50 MB/s is what a small machine has
// from its disk through a hash to S3 and back, and a request takes 20 ms, of which
// checkpointWorkers are under way. A job is given up for it only where the work is less
// than a quarter of that: another machine may be faster, or the bucket near.
const (
	checkpointRate    = 50e6 // bytes a second
	checkpointRequest = 20 * time.Millisecond
	checkpointFavour  = 4
)

// worth tells whether files are moved rather than made again.
func worth(size int64, files int, took time.Duration) bool {
	each := float64(size)/checkpointRate + float64(files)*checkpointRequest.Seconds()/checkpointWorkers
	return 2*each <= checkpointFavour*took.Seconds()
}

// sizeOf is the size of files in bytes; those that are not there have none.
func sizeOf(dir string, paths []string) (size int64) {
	for _, p := range paths {
		if info, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(p))); err == nil {
			size += info.Size()
		}
	}
	return size
}

// saveFile sends a file that the store does not have. Put, not PutFile: a local
// store must not keep the file itself, which the next run may write to.
func saveFile(ctx context.Context, store Store, prefix, dir, rel string, stored map[string]int64) (checkpointFile, error) {
	name := filepath.Join(dir, filepath.FromSlash(rel))
	info, err := os.Lstat(name)
	if err != nil {
		return checkpointFile{}, err
	}
	if !info.Mode().IsRegular() {
		return checkpointFile{}, fmt.Errorf("%s is not a file", name)
	}
	_, sum, err := digests(ctx, name, false)
	if err != nil {
		return checkpointFile{}, err
	}
	c := checkpointFile{Path: rel, Size: info.Size(), SHA256: hex.EncodeToString(sum), ModTime: info.ModTime().UnixNano()}
	if size, ok := stored[c.SHA256]; ok && size == c.Size {
		return c, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return c, err
	}
	defer f.Close()
	return c, store.Put(ctx, prefix+objectsName+c.SHA256, f, c.Size, Attributes{ContentType: "application/octet-stream", SHA256: c.SHA256})
}

// workspaceFiles lists the manifest of a workspace and the files of the finished
// stages that it names (internal/pipeline's manifest.go), in order, and what these
// stages took; none where no stage is finished.
func workspaceFiles(dir string) (paths []string, took time.Duration, err error) {
	data, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	type file struct {
		Path string `json:"path"`
	}
	var manifest struct {
		Stages map[string]struct {
			Products map[string]struct {
				Files []file `json:"files"`
			} `json:"products"`
			Staged  []file  `json:"staged"`
			Seconds float64 `json:"seconds"`
		} `json:"stages"`
	}
	if err := json.Unmarshal(data, &manifest); err != nil {
		return nil, 0, fmt.Errorf("read the workspace's manifest: %w", err)
	}
	if len(manifest.Stages) == 0 {
		return nil, 0, nil
	}
	paths = []string{manifestName}
	for stage, made := range manifest.Stages {
		took += time.Duration(made.Seconds * float64(time.Second))
		for product, p := range made.Products {
			for _, f := range p.Files {
				paths = append(paths, path.Join("products", product, f.Path))
			}
		}
		for _, f := range made.Staged {
			paths = append(paths, path.Join("outputs", stage, f.Path))
		}
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	// What is no more in its place (an output that has moved to the result folder)
	// is made again by whoever goes on.
	paths = slices.DeleteFunc(paths, func(rel string) bool {
		if !filepath.IsLocal(filepath.FromSlash(rel)) {
			return true
		}
		_, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(rel)))
		return errors.Is(err, fs.ErrNotExist)
	})
	return paths, took, nil
}

// LoadCheckpoint brings a checkpoint into a workspace folder, with the times of
// its files, and checks each against its digest; the manifest comes last. found
// is false where there is none, and where it is damaged, which is like none: its
// work is done again. What an error leaves in the folder has no manifest.
func LoadCheckpoint(ctx context.Context, store Store, prefix, workspaceDir string) (found bool, err error) {
	prefix, err = folderPrefix(prefix)
	if err != nil {
		return false, fmt.Errorf("load checkpoint: %w", err)
	}
	index, err := loadIndex(ctx, store, prefix)
	if err == nil {
		err = loadFiles(ctx, store, prefix, workspaceDir, index)
	}
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrDamaged):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("load checkpoint: %w", err)
	}
	return true, nil
}

func loadIndex(ctx context.Context, store Store, prefix string) (checkpointIndex, error) {
	r, _, err := store.Open(ctx, prefix+indexName)
	if err != nil {
		return checkpointIndex{}, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxIndex))
	if err != nil {
		return checkpointIndex{}, err
	}
	return parseIndex(data)
}

// parseIndex refuses, as ErrDamaged, what is no index, is of another version, or
// names files outside the workspace.
func parseIndex(data []byte) (checkpointIndex, error) {
	var index checkpointIndex
	if err := json.Unmarshal(data, &index); err != nil {
		return index, fmt.Errorf("%w: index: %w", ErrDamaged, err)
	}
	if index.Version != checkpointVersion {
		return index, fmt.Errorf("%w: index of version %d", ErrDamaged, index.Version)
	}
	seen := make(map[string]bool, len(index.Files))
	for _, f := range index.Files {
		sum, err := hex.DecodeString(f.SHA256)
		if err != nil || len(sum) != 32 || f.SHA256 != strings.ToLower(f.SHA256) || f.Size < 0 ||
			CheckKey(f.Path) != nil || !filepath.IsLocal(filepath.FromSlash(f.Path)) || seen[f.Path] {
			return index, fmt.Errorf("%w: index: file %q", ErrDamaged, f.Path)
		}
		seen[f.Path] = true
	}
	if !seen[manifestName] {
		return index, fmt.Errorf("%w: index without a manifest", ErrDamaged)
	}
	return index, nil
}

func loadFiles(ctx context.Context, store Store, prefix, dir string, index checkpointIndex) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	// The manifest is the last: without it a workspace counts as empty.
	slices.SortFunc(index.Files, func(a, b checkpointFile) int { return cmp.Compare(a.Path, b.Path) })
	manifest := slices.IndexFunc(index.Files, func(f checkpointFile) bool { return f.Path == manifestName })
	last := index.Files[manifest]
	rest := slices.Delete(index.Files, manifest, manifest+1)
	err = inParallel(ctx, len(rest), func(ctx context.Context, i int) error {
		return loadFile(ctx, store, prefix, root, rest[i])
	})
	if err != nil {
		return err
	}
	return loadFile(ctx, store, prefix, root, last)
}

// loadFile fetches to a name beside, checks, and renames. The folders are made
// through the root: a link in the workspace leads nowhere.
func loadFile(ctx context.Context, store Store, prefix string, root *os.Root, f checkpointFile) error {
	folder := path.Dir(f.Path)
	if err := root.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	resolved, err := filepath.EvalSymlinks(filepath.Join(root.Name(), filepath.FromSlash(folder)))
	if err != nil {
		return err
	}
	name := filepath.Join(resolved, path.Base(f.Path))
	fetched := name + ".fetched"
	if _, err := store.GetFile(ctx, prefix+objectsName+f.SHA256, fetched); err != nil {
		return err
	}
	info, err := os.Lstat(fetched)
	if err == nil {
		var sum []byte
		if _, sum, err = digests(ctx, fetched, false); err == nil && (hex.EncodeToString(sum) != f.SHA256 || info.Size() != f.Size) {
			err = fmt.Errorf("%w: %s", ErrDamaged, f.Path)
		}
	}
	if err == nil {
		when := time.Unix(0, f.ModTime)
		err = os.Chtimes(fetched, when, when)
	}
	if err == nil {
		err = os.Rename(fetched, name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(fetched))
	}
	return nil
}

// DropCheckpoint removes a checkpoint, its index first; one that is not there is
// no error.
func DropCheckpoint(ctx context.Context, store Store, prefix string) error {
	folder, err := folderPrefix(prefix)
	if err != nil {
		return fmt.Errorf("drop checkpoint: %w", err)
	}
	if err := store.Delete(ctx, folder+indexName); err != nil {
		return fmt.Errorf("drop checkpoint: %w", err)
	}
	if err := Discard(ctx, store, prefix); err != nil {
		return fmt.Errorf("drop checkpoint: %w", err)
	}
	return nil
}

// inParallel calls work for 0…n-1 with a few goroutines.
func inParallel(ctx context.Context, n int, work func(ctx context.Context, i int) error) error {
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(checkpointWorkers)
	for i := range n {
		if groupCtx.Err() != nil {
			break
		}
		group.Go(func() error { return work(groupCtx, i) })
	}
	return cmp.Or(group.Wait(), ctx.Err())
}
