package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Picked is what there is to process among files.
type Picked struct {
	Path   string
	Format Format
	// Warning says what was left aside; empty where nothing was.
	Warning string
}

// ChoiceError says that there is nothing, or too much, to process.
type ChoiceError struct {
	Msg string
	// Hint says what can be done.
	Hint string
}

func (e *ChoiceError) Error() string { return e.Msg }

// Pick finds what can be processed in a folder of fetched or unpacked files: the
// folder itself (EPT, photos), or the one file. Where there are several, the format
// that is wanted decides; Auto and ZIP leave it open. The error is a *ChoiceError,
// or that of reading.
func Pick(path string, wanted Format, can func(Format) bool) (Picked, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Picked{}, err
	}
	open := wanted == Auto || wanted == ZIP
	folder := Format("")
	if info.IsDir() {
		if f, err := Sniff(path); err == nil && can(f) && (open || f == wanted) {
			folder = f
		}
		if folder != "" && (folder != Photos || wanted == Photos) {
			return Picked{Path: path, Format: folder}, nil
		}
	}
	found, all, err := candidates(path, can)
	if err != nil {
		return Picked{}, err
	}
	// Photos beside a model or a scan are its textures; otherwise the folder is the
	// source.
	if others := withoutPhotos(found); folder == Photos && len(others) == 0 {
		return Picked{Path: path, Format: Photos}, nil
	} else if len(others) > 0 && wanted != Photos {
		found = others
	}
	if len(found) > 1 && !open {
		var named []candidate
		for _, c := range found {
			if c.format == wanted {
				named = append(named, c)
			}
		}
		if len(named) > 0 {
			found = named
		}
	}
	switch {
	case len(found) == 0:
		return Picked{}, &ChoiceError{Msg: fmt.Sprintf("nothing in the source can be processed: %d file(s), such as %s", len(all), some(all))}
	case len(found) > 1:
		names := make([]string, 0, len(found))
		for _, c := range found {
			names = append(names, c.rel)
		}
		return Picked{}, &ChoiceError{
			Msg:  fmt.Sprintf("%d files of the source can be processed, such as %s", len(found), some(names)),
			Hint: "upload each as a job of its own",
		}
	}
	out := Picked{Path: found[0].path, Format: found[0].format}
	if len(all) > 1 {
		out.Warning = fmt.Sprintf("of the %d files of the source %s was processed", len(all), found[0].rel)
	}
	return out, nil
}

// withoutPhotos leaves out photos, and lists of coordinates, such as those of ground
// control points, that photos come with.
func withoutPhotos(found []candidate) (others []candidate) {
	photos := false
	for _, c := range found {
		photos = photos || c.format == Photos
	}
	for _, c := range found {
		if c.format != Photos && (!photos || c.format != XYZ) {
			others = append(others, c)
		}
	}
	return others
}

// candidate is a file that can be processed.
type candidate struct {
	path, rel string // rel is in its folder, with forward slashes
	format    Format
}

// candidates returns the files that can be processed, and the names of all below
// path, in the order of their names.
func candidates(path string, can func(Format) bool) (found []candidate, all []string, err error) {
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
		f, err := Sniff(p)
		var unknown *UnknownFormatError
		switch {
		case errors.As(err, &unknown), errors.Is(err, ErrEmpty):
			return nil
		case err != nil:
			return err
		}
		if can(f) {
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
