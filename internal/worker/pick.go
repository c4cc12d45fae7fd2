package worker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/source"
)

// pick finds what there is a pipeline for in a folder of fetched or unpacked
// files: the folder itself (EPT, photos), or the one file. Where there are several,
// the format that the job names decides.
func (r *run) pick(path string) (src fetched, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return src, err
	}
	if info.IsDir() {
		f, err := source.Sniff(path)
		if _, ok := r.w.o.Pipeline(f); err == nil && ok && (r.anyFormat() || f == r.req.format) {
			return fetched{path: path, format: f}, nil
		}
	}
	found, all, err := r.candidates(path)
	if err != nil {
		return src, err
	}
	if len(found) > 1 && !r.anyFormat() {
		var named []candidate
		for _, c := range found {
			if c.format == r.req.format {
				named = append(named, c)
			}
		}
		if len(named) > 0 {
			found = named
		}
	}
	switch {
	case len(found) == 0:
		return src, pipeline.BadInput(fmt.Errorf("nothing in the source can be processed: %d file(s), such as %s", len(all), some(all)), "")
	case len(found) > 1:
		names := make([]string, 0, len(found))
		for _, c := range found {
			names = append(names, c.rel)
		}
		return src, pipeline.BadInput(fmt.Errorf("%d files of the source can be processed, such as %s", len(found), some(names)),
			"upload each as a job of its own")
	}
	src = fetched{path: found[0].path, format: found[0].format}
	if len(all) > 1 {
		src.warnings = append(src.warnings, fmt.Sprintf("of the %d files of the source %s was processed", len(all), found[0].rel))
	}
	return src, nil
}

// candidate is a file that there is a pipeline for.
type candidate struct {
	path, rel string // rel is in its folder, with forward slashes
	format    source.Format
}

// anyFormat tells whether the job leaves the format of its source open.
func (r *run) anyFormat() bool { return r.req.format == source.Auto || r.req.format == source.ZIP }

// candidates returns the files that there is a pipeline for, and the names of all
// below path, in the order of their names.
func (r *run) candidates(path string) (found []candidate, all []string, err error) {
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(path, p)
		if err != nil {
			return err
		}
		if rel == "." { // path is a file
			rel = filepath.Base(p)
		}
		rel = filepath.ToSlash(rel)
		all = append(all, rel)
		f, err := source.Sniff(p)
		var unknown *source.UnknownFormatError
		switch {
		case errors.As(err, &unknown), errors.Is(err, source.ErrEmpty):
			return nil
		case err != nil:
			return err
		}
		if _, ok := r.w.o.Pipeline(f); ok {
			found = append(found, candidate{path: p, rel: rel, format: f})
		}
		return nil
	})
	return found, all, err
}

// some names the first of many.
func some(names []string) string {
	const most = 5
	return strings.Join(names[:min(len(names), most)], ", ")
}
