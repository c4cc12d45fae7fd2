package photogrammetry

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// sourceSet is what the files of a source are for. Paths are relative to root, with
// forward slashes.
type sourceSet struct {
	root   string
	photos []string
	videos []string
	masks  map[string]string // of photos
	gcps   string
}

// gcpFile is the name of the file of ground control points, as OpenDroneMap has it.
const gcpFile = "gcp_list.txt"

// maxFiles bounds the files of a source.
const maxFiles = 100_000

// maskFolder holds masks; maskSuffix ends the name of a mask beside its photo.
const (
	maskFolder = "masks"
	maskSuffix = "_mask"
)

// kinds of files, by their first bytes.
type fileKind int

const (
	otherFile   fileKind = iota
	photoFile            // read by us
	foreignFile          // a photo that needs a converter: HEIC, AVIF
	videoFile
)

// kindOf tells what a file is by its first bytes.
func kindOf(head []byte) fileKind {
	for _, magic := range []string{"\xff\xd8\xff", "\x89PNG\r\n\x1a\n", "II*\x00", "MM\x00*"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return photoFile
		}
	}
	switch {
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		return photoFile
	case len(head) >= 12 && string(head[4:8]) == "ftyp": // ISO base media file
		switch string(head[8:12]) {
		case "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1", "avif", "avis":
			return foreignFile
		}
		return videoFile
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "AVI ",
		bytes.HasPrefix(head, []byte("\x1a\x45\xdf\xa3")): // Matroska
		return videoFile
	case len(head) >= 8 && (string(head[4:8]) == "moov" || string(head[4:8]) == "mdat" || string(head[4:8]) == "wide"): // old QuickTime
		return videoFile
	}
	return otherFile
}

// gather sorts the files of a source, which is a folder or one photo.
func gather(source string) (*sourceSet, error) {
	info, err := os.Stat(source)
	if err != nil {
		return nil, err
	}
	set := &sourceSet{root: source, masks: map[string]string{}}
	files := []string{filepath.Base(source)}
	if !info.IsDir() {
		set.root = filepath.Dir(source)
	} else if files, err = listSource(source); err != nil {
		return nil, err
	}
	var images []string
	for _, f := range files {
		if strings.EqualFold(path.Base(f), gcpFile) {
			if set.gcps == "" || strings.Count(f, "/") < strings.Count(set.gcps, "/") {
				set.gcps = f
			}
			continue
		}
		kind, err := sniffKind(set.path(f))
		if err != nil {
			return nil, err
		}
		switch kind {
		case photoFile, foreignFile:
			images = append(images, f)
		case videoFile:
			set.videos = append(set.videos, f)
		}
	}
	set.divide(images)
	return set, nil
}

func (s *sourceSet) path(rel string) string { return filepath.Join(s.root, filepath.FromSlash(rel)) }

func sniffKind(p string) (fileKind, error) {
	f, err := os.Open(p)
	if err != nil {
		return otherFile, err
	}
	defer f.Close()
	head := make([]byte, 16)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return otherFile, err
	}
	return kindOf(head[:n]), nil
}

// listSource lists the files below a folder, without those that systems hide.
func listSource(root string) (files []string, err error) {
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case p != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "__MACOSX"):
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case d.IsDir():
			return nil
		}
		info, err := os.Stat(p) // photos given one by one are links
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		if len(files) == maxFiles {
			return fmt.Errorf("more than %d files", maxFiles)
		}
		rel, err := filepath.Rel(root, p)
		files = append(files, filepath.ToSlash(rel))
		return err
	})
	return files, err
}

// divide tells masks from photos: those in a folder of masks, and those named like a
// photo: NAME_mask.png, or NAME.jpg.png as COLMAP has them.
func (s *sourceSet) divide(images []string) {
	for _, f := range images {
		if !inMaskFolder(f) {
			s.photos = append(s.photos, f)
		}
	}
	stems := map[string]string{}  // without extension
	photos := map[string]string{} // base name
	for _, f := range s.photos {
		stems[strings.ToLower(strings.TrimSuffix(path.Base(f), path.Ext(f)))] = f
		photos[strings.ToLower(path.Base(f))] = f
	}
	isMask := map[string]bool{}
	for _, f := range images {
		stem := strings.ToLower(strings.TrimSuffix(path.Base(f), path.Ext(f)))
		of, ok := photos[stem]
		if !ok && strings.HasSuffix(stem, maskSuffix) {
			of, ok = stems[strings.TrimSuffix(stem, maskSuffix)]
		}
		if !ok && inMaskFolder(f) {
			of, ok = stems[stem]
		}
		if ok && of != f {
			s.masks[of] = f
			isMask[f] = true
		}
	}
	s.photos = slices.DeleteFunc(s.photos, func(f string) bool { return isMask[f] })
}

func inMaskFolder(f string) bool {
	return slices.ContainsFunc(strings.Split(path.Dir(f), "/"), func(part string) bool { return strings.EqualFold(part, maskFolder) })
}

// modelNames gives each file a name that is unique, whatever the case of letters,
// and safe in lists separated by spaces.
func modelNames(files []string) []string {
	taken := map[string]bool{}
	names := make([]string, len(files))
	for i, f := range files {
		base := safeName(path.Base(f))
		name := base
		if taken[strings.ToLower(name)] && path.Dir(f) != "." {
			name = safeName(f)
		}
		for n := 2; taken[strings.ToLower(name)]; n++ {
			ext := path.Ext(base)
			name = fmt.Sprintf("%s_%d%s", strings.TrimSuffix(base, ext), n, ext)
		}
		taken[strings.ToLower(name)] = true
		names[i] = name
	}
	return names
}

func safeName(f string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, f)
	return strings.TrimLeft(name[max(0, len(name)-120):], ".-")
}
