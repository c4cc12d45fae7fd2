package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// checkpoint is the index of a checkpoint: the files of a workspace. It is
// written last, and names only what is there.
type checkpoint struct {
	Files []checkpointFile `json:"files"`
}

// checkpointFile is one file; its content lies under its digest.
type checkpointFile struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

const (
	checkpointIndex   = "index.json"
	checkpointWorkers = 8
)

// left out of a checkpoint: what only means something to a process of this machine.
func leftOut(rel string) bool {
	return rel == "lock" || rel == "tmp" || strings.HasPrefix(rel, "tmp/") || strings.HasPrefix(path.Base(rel), ".manifest.json-")
}

// SaveCheckpoint brings a pipeline's workspace to storage below prefix. Files that
// are there already are not sent again.
func SaveCheckpoint(ctx context.Context, s Store, prefix, dir string) error {
	var files []checkpointFile
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil || d.IsDir() || leftOut(filepath.ToSlash(rel)) || !d.Type().IsRegular() {
			return err
		}
		files = append(files, checkpointFile{Path: filepath.ToSlash(rel)})
		return nil
	})
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	had := map[string]int64{}
	if err := s.List(ctx, prefix+"/", func(i Info) error { had[i.Key] = i.Size; return nil }); err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	err = parallel(ctx, checkpointWorkers, len(files), func(i int) error {
		name := filepath.Join(dir, filepath.FromSlash(files[i].Path))
		sha, err := digestFile(ctx, name)
		if err != nil {
			return err
		}
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		files[i].SHA256, files[i].Size = sha, info.Size()
		if size, ok := had[prefix+"/"+sha]; ok && size == info.Size() {
			return nil
		}
		return s.PutFile(ctx, prefix+"/"+sha, name, Attributes{ContentType: "application/octet-stream", SHA256: sha})
	})
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	data, err := json.Marshal(checkpoint{Files: files})
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	return s.Put(ctx, prefix+"/"+checkpointIndex, strings.NewReader(string(data)), int64(len(data)), Attributes{ContentType: "application/json"})
}

// LoadCheckpoint brings a workspace back into the folder dir, each file verified,
// and tells whether there was one. On an error the folder is not to be used.
func LoadCheckpoint(ctx context.Context, s Store, prefix, dir string) (found bool, err error) {
	r, _, err := s.Open(ctx, prefix+"/"+checkpointIndex)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("load checkpoint: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(r, noteLimit))
	if err = errors.Join(err, r.Close()); err != nil {
		return false, fmt.Errorf("load checkpoint: %w", err)
	}
	var c checkpoint
	if err := json.Unmarshal(data, &c); err != nil {
		return false, fmt.Errorf("load checkpoint: %w", err)
	}
	err = parallel(ctx, checkpointWorkers, len(c.Files), func(i int) error {
		f := c.Files[i]
		if !filepath.IsLocal(filepath.FromSlash(f.Path)) {
			return fmt.Errorf("it has a file %q", f.Path)
		}
		name := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			return err
		}
		if _, err := s.GetFile(ctx, prefix+"/"+f.SHA256, name); err != nil {
			return err
		}
		sha, err := digestFile(ctx, name)
		if err == nil && sha != f.SHA256 {
			err = fmt.Errorf("%s came out differently", f.Path)
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("load checkpoint: %w", err)
	}
	return true, nil
}

// DropCheckpoint removes a checkpoint; that there is none is no error.
func DropCheckpoint(ctx context.Context, s Store, prefix string) error {
	if err := s.Delete(ctx, prefix+"/"+checkpointIndex); err != nil {
		return err
	}
	return Discard(ctx, s, prefix)
}
