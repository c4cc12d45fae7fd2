package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"slate360.ai/worker/internal/job"
)

// manifestVersion is raised when the manifest itself changes.
const manifestVersion = 1

// manifest is what a workspace knows of itself: which job it is for and what
// its finished stages made. The products themselves are not synced to disk: the
// checksums find those that a crash of the machine lost.
type manifest struct {
	Version  int                     `json:"version"`
	Pipeline string                  `json:"pipeline"`
	Build    string                  `json:"build"`
	JobID    string                  `json:"jobId"`
	Name     string                  `json:"name"`
	Format   string                  `json:"format"`
	Source   fingerprint             `json:"source"`
	Stages   map[string]*stageRecord `json:"stages"`
	// Begun are stages that go on with their products where they were stopped:
	// engine, key and inputs of the run that began.
	Begun map[string]*stageRecord `json:"begun,omitempty"`
}

// stageRecord is what a finished stage left.
type stageRecord struct {
	Engine string `json:"engine"`
	// Key is a hash of all but the inputs that the stage's products depend on.
	Key string `json:"key"`
	// Inputs are the digests of the products the stage read.
	Inputs   map[string]string          `json:"inputs,omitempty"`
	Products map[string]productRecord   `json:"products,omitempty"`
	Staged   []fileRecord               `json:"staged,omitempty"`
	Outputs  []job.Output               `json:"outputs,omitempty"`
	Analysis map[string]json.RawMessage `json:"analysis,omitempty"`
	Warnings []string                   `json:"warnings,omitempty"`
	Seconds  float64                    `json:"seconds"`
	Peak     int64                      `json:"peakBytes"`
}

// productRecord is a product: a file, or the files of a folder.
type productRecord struct {
	Files []fileRecord `json:"files"`
	// Digest stands for names, sizes and checksums of all files.
	Digest string `json:"digest"`
}

func digestOf(files []fileRecord) string {
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%s\x00%d\x00%08x\n", f.Path, f.Size, f.CRC32C)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// key hashes what the products of a stage depend on beside its inputs.
func (s *Stage) key(o job.Options) (string, error) {
	o.Engines, o.Priority = nil, ""
	var depends any = o
	if s.Depends != nil {
		depends = s.Depends(o)
	}
	data, err := json.Marshal(depends)
	if err != nil {
		return "", fmt.Errorf("stage %s: encode the options it depends on: %w", s.Name, err)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d\x00%s", s.Name, s.Version, data))
	return hex.EncodeToString(sum[:16]), nil
}

// loadManifest returns nil where there is none; one that cannot be read is like
// none, as everything in it can be made again.
func loadManifest(path string) (*manifest, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // absence is no error
	}
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	m := &manifest{}
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("manifest is damaged: %w", err)
	}
	return m, nil
}

// misfit says why a former manifest is not of this job; empty where it is.
func (m *manifest) misfit(former *manifest) string {
	switch {
	case former.Version != m.Version || former.Pipeline != m.Pipeline:
		return "the workspace is of another kind of job"
	case former.Build != m.Build:
		return "the workspace is of another version of slate360-worker"
	case former.Format != m.Format || former.Name != m.Name || !former.Source.same(m.Source):
		return "the workspace is of another source, or the source has changed"
	}
	return ""
}

func (m *manifest) save(path string) error {
	data, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return fmt.Errorf("encode manifest: %w", err)
	}
	if err := writeFileAtomic(path, append(data, '\n')); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return nil
}

// intact tells whether all that a finished stage made is still there, bit for
// bit. Outputs may already have moved into the result folder: a run may have
// been killed while it moved them.
func (w *workspace) intact(ctx context.Context, s *Stage, rec *stageRecord, outDir string, workers int) (bool, error) {
	type check struct {
		paths []string
		want  fileRecord
	}
	var checks []check
	for _, name := range s.Outputs {
		product, ok := rec.Products[name]
		if !ok || digestOf(product.Files) != product.Digest {
			return false, nil
		}
		for _, f := range product.Files {
			if !filepath.IsLocal(filepath.FromSlash(f.Path)) {
				return false, nil
			}
			path := filepath.Join(w.products, name, filepath.FromSlash(f.Path))
			checks = append(checks, check{[]string{path}, f})
		}
	}
	for _, o := range rec.Outputs {
		if !slices.ContainsFunc(rec.Staged, func(f fileRecord) bool { return f.Path == o.Path }) {
			return false, nil
		}
	}
	for _, f := range rec.Staged {
		local := filepath.FromSlash(f.Path)
		if !filepath.IsLocal(local) {
			return false, nil
		}
		checks = append(checks, check{[]string{filepath.Join(w.staging(s.Name), local), filepath.Join(outDir, local)}, f})
	}
	err := parallel(ctx, workers, len(checks), func(ctx context.Context, i int) error {
		for _, path := range checks[i].paths {
			info, err := os.Lstat(path)
			if err != nil || !info.Mode().IsRegular() || info.Size() != checks[i].want.Size {
				continue
			}
			_, crc, _, err := checksum(ctx, path, false)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err == nil && crc == checks[i].want.CRC32C {
				return nil
			}
		}
		return errNotIntact
	})
	if errors.Is(err, errNotIntact) {
		return false, nil
	}
	return err == nil, err
}

var errNotIntact = errors.New("file is missing or changed")
