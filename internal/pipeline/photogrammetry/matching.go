package photogrammetry

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"slate360.ai/worker/geom/retrieval"
	"slate360.ai/worker/internal/pipeline"
)

// Matches is what the matching stage did, for the report.
type Matches struct {
	// Method says how pairs were chosen.
	Method string `json:"method"`
	// Possible, Compared, Matched and Verified count pairs: all there are, those whose
	// largest features were compared, those that were matched, and those that agree
	// with one geometry.
	Possible int `json:"possible"`
	Compared int `json:"compared"`
	Matched  int `json:"matched"`
	Verified int `json:"verified"`
	// Pairs are those verified, with the number of matches.
	Pairs []MatchedPair `json:"pairs"`
}

// MatchedPair are two photos, by name, and how many matches agree.
type MatchedPair struct {
	A       string `json:"a"`
	B       string `json:"b"`
	Matches int    `json:"matches"`
}

// matcher is one run of the stage.
type matcher struct {
	s        *pipeline.Context
	c        *colmapProgram
	photos   []Photo // used ones
	path     string  // of the database
	threads  int
	compared []scored
	tried    map[pair]bool
	result   Matches
}

// matchBytes is what comparing two photos takes on a processor, in bytes for each
// pair of their features: COLMAP keeps a matrix of distances, and sorts it.
const matchBytes = 6

// matchingMemory estimates the peak of the stage: that of one thread.
func matchingMemory(s *pipeline.Context) int64 {
	n := int64(featureCount(s.Options()))
	return n*n*matchBytes + 256<<20
}

// runMatching matches the features of pairs that may show the same.
func runMatching(ctx context.Context, s *pipeline.Context) error {
	photos, err := readPhotos(s)
	if err != nil {
		return err
	}
	m := &matcher{s: s, photos: photos.used(), path: s.Product(productMatches), tried: map[pair]bool{}}
	if m.c, err = openCOLMAP(ctx, s); err != nil {
		return err
	}
	m.threads = int(max(1, min(int64(s.Workers()), s.MemoryBudget()/max(1, matchingMemory(s)))))
	if err := copyFile(ctx, s.Product(productFeatures), m.path); err != nil {
		return fmt.Errorf("copy features: %w", err)
	}
	n := len(m.photos)
	m.result.Possible = n * (n - 1) / 2
	pairs, err := m.choose(ctx)
	if err != nil {
		return err
	}
	if err := m.match(ctx, pairs, chooseShare, 1); err != nil {
		return err
	}
	if err := m.rescue(ctx); err != nil {
		return err
	}
	return m.finish(ctx)
}

// chooseShare of the stage's progress is that of choosing pairs.
const chooseShare = 0.15

// choose returns the pairs to match.
func (m *matcher) choose(ctx context.Context) ([]pair, error) {
	n := len(m.photos)
	if n <= allPairs {
		m.result.Method = "all pairs"
		list := []pair{}
		for a := range n {
			for b := a + 1; b < n; b++ {
				list = append(list, pair{a, b})
			}
		}
		return list, nil
	}
	descriptors, err := m.descriptors(ctx)
	if err != nil {
		return nil, err
	}
	m.result.Method = "common features of all pairs"
	var words [][]int
	if n > allScored {
		m.result.Method = "neighbours by GPS and time, and common features"
		if positioned(m.photos) < n {
			m.result.Method = "neighbours by GPS, time and visual words, and common features"
			if words, err = retrieval.Similar(ctx, descriptors, similar, m.s.Workers()); err != nil {
				return nil, err
			}
		}
	}
	candidates := candidatePairs(m.photos, words)
	m.compared, err = scorePairs(ctx, candidates, descriptors, m.s.Workers(), func(done, total float64) {
		m.s.Progress(chooseShare*done/total, 1)
	})
	if err != nil {
		return nil, err
	}
	m.result.Compared = len(candidates)
	return choosePairs(m.photos, m.compared), nil
}

// descriptors reads the largest features of all photos.
func (m *matcher) descriptors(ctx context.Context) ([][]uint8, error) {
	d, err := openDatabase(m.path)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	ids, err := d.images(ctx)
	if err != nil {
		return nil, err
	}
	out := make([][]uint8, len(m.photos))
	for i := range m.photos {
		if out[i], err = d.descriptors(ctx, ids[m.photos[i].Name], scoredFeatures); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// matchChunk is how many pairs COLMAP gets at a time: progress is told between.
const matchChunk = 24

// match matches pairs; from and to are the stage's progress before and after.
func (m *matcher) match(ctx context.Context, pairs []pair, from, to float64) error {
	scratch, err := m.s.TempDir()
	if err != nil {
		return err
	}
	list := filepath.Join(scratch, "pairs.txt")
	chunk := max(matchChunk, len(pairs)/50)
	for at := 0; at < len(pairs); at += chunk {
		var b strings.Builder
		for _, p := range pairs[at:min(at+chunk, len(pairs))] {
			fmt.Fprintf(&b, "%s %s\n", m.photos[p[0]].Name, m.photos[p[1]].Name)
			m.tried[p] = true
		}
		if err := os.WriteFile(list, []byte(b.String()), 0o666); err != nil {
			return err
		}
		err := m.c.run(ctx, "matches_importer", []option{
			opt(m.path, "database_path"),
			opt(list, "match_list_path"),
			opt("pairs", "match_type"),
			opt(m.c.gpu(), "FeatureMatching.use_gpu", "SiftMatching.use_gpu"),
			opt(m.threads, "FeatureMatching.num_threads", "SiftMatching.num_threads"),
		}, nil)
		if err != nil {
			return fmt.Errorf("match features: %w", explainMemory(err))
		}
		m.s.Progress(from+(to-from)*float64(min(at+chunk, len(pairs)))/float64(len(pairs)), 1)
	}
	return nil
}

// rescue tries more pairs: of photos whose neighbours are neighbours, and of those that
// are not tied to the others.
func (m *matcher) rescue(ctx context.Context) error {
	if len(m.compared) == 0 {
		return nil
	}
	verified, err := m.verified(ctx)
	if err != nil {
		return err
	}
	n := len(m.photos)
	more := append(closePairs(n, verified, m.tried), rescuePairs(n, m.compared, m.tried, verifiedPairs(verified))...)
	if len(more) == 0 {
		return nil
	}
	return m.match(ctx, more, 1, 1)
}

func verifiedPairs(counts map[pair]int) []pair {
	set := make(map[pair]bool, len(counts))
	for p := range counts {
		set[p] = true
	}
	return sortedPairs(set)
}

// verified returns the pairs that agree with one geometry.
func (m *matcher) verified(ctx context.Context) (map[pair]int, error) {
	return readVerified(ctx, m.path, m.photos)
}

func readVerified(ctx context.Context, path string, photos []Photo) (map[pair]int, error) {
	d, err := openDatabase(path)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	ids, err := d.images(ctx)
	if err != nil {
		return nil, err
	}
	index := map[int64]int{}
	for i := range photos {
		if id, ok := ids[photos[i].Name]; ok {
			index[id] = i
		}
	}
	counts, err := d.verified(ctx)
	if err != nil {
		return nil, err
	}
	out := map[pair]int{}
	for p, n := range counts {
		a, okA := index[p[0]]
		b, okB := index[p[1]]
		if okA && okB {
			out[pairOf(a, b)] = n
		}
	}
	return out, nil
}

// finish sums up, and makes the database one file.
func (m *matcher) finish(ctx context.Context) error {
	if err := checkpointDatabase(ctx, m.path); err != nil {
		return err
	}
	counts, err := m.verified(ctx)
	if err != nil {
		return err
	}
	m.result.Matched, m.result.Verified = len(m.tried), len(counts)
	m.result.Pairs = []MatchedPair{}
	for _, p := range verifiedPairs(counts) {
		m.result.Pairs = append(m.result.Pairs, MatchedPair{m.photos[p[0]].Name, m.photos[p[1]].Name, counts[p]})
	}
	if len(counts) == 0 {
		return pipeline.BadInput(fmt.Errorf("no two of the %d photos show the same", len(m.photos)), howToPhotograph)
	}
	return writeJSON(m.s.Product(productMatchList), m.result)
}
