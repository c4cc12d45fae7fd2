package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/source"
)

// arePhotos tells whether several sources are the photos of one job.
func arePhotos(sources []string, wanted source.Format) bool {
	if len(sources) < 2 || wanted != source.Auto && wanted != source.Photos {
		return false
	}
	for _, s := range sources {
		info, err := os.Stat(s)
		if err != nil || !info.Mode().IsRegular() {
			return false
		}
		if f, err := source.Sniff(s); err != nil || f != source.Photos {
			return false
		}
	}
	return true
}

// photosName is the common name of photos: that of their folder where they have one.
func photosName(photos []string) string {
	common := ""
	for i, p := range photos {
		abs, err := filepath.Abs(p)
		if err != nil {
			return "photos"
		}
		if dir := filepath.Base(filepath.Dir(abs)); i == 0 {
			common = dir
		} else if dir != common {
			return "photos"
		}
	}
	if common == "" || common == "." || common == string(filepath.Separator) {
		return "photos"
	}
	return common
}

// linksSuffix names the folder beside that of the result that holds links to the
// photos of a job; it is removed when the job is done.
const linksSuffix = ".photos"

// linkPhotos makes a folder of links to the photos, which is then the source.
func (j *processJob) linkPhotos(out string) (string, error) {
	dir := out + linksSuffix
	if err := os.RemoveAll(dir); err != nil {
		return "", fmt.Errorf("clear links of an earlier run: %w", err)
	}
	j.unpacked = dir
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", fmt.Errorf("make folder of links to photos: %w", err)
	}
	for _, p := range j.photos {
		abs, err := filepath.Abs(p)
		if err != nil {
			return "", err
		}
		err = os.Symlink(abs, filepath.Join(dir, filepath.Base(p)))
		if os.IsExist(err) {
			return "", pipeline.BadInput(fmt.Errorf("two photos have the name %s", filepath.Base(p)), "give them different names, or the folder they are in")
		}
		if err != nil {
			return "", fmt.Errorf("link photo: %w", err)
		}
	}
	return dir, nil
}
