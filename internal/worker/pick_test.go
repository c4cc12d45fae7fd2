package worker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/source"
)

// What files of some formats begin with.
const (
	lasFile  = "LASF points"
	plyFile  = "ply\nformat ascii 1.0\n"
	glbFile  = "glTF"
	jpegFile = "\xff\xd8\xff\xe0"
)

func TestPick(t *testing.T) {
	everything := []source.Format{source.LAS, source.PLY, source.Photos, source.EPT}
	for _, test := range []struct {
		name  string
		files map[string]string
		asked source.Format
		can   []source.Format
		// want is what is picked, below the folder ("." is the folder); else err is in the error.
		want    string
		format  source.Format
		warning string
		err     string
		hint    bool
	}{
		{name: "one", files: map[string]string{"a.las": lasFile}, want: "a.las", format: source.LAS},
		{
			name: "beside others", files: map[string]string{"s/a.las": lasFile, "readme.txt": "Read me first, please.", "void": "", "b.glb": glbFile},
			want: "s/a.las", format: source.LAS, warning: "of the 4 files of the source s/a.las was processed",
		},
		{name: "none", files: map[string]string{"a.txt": "Nothing here.", "b.glb": glbFile}, err: "nothing in the source can be processed: 2 file(s), such as a.txt, b.glb"},
		{
			name: "none of many", files: map[string]string{"1": "a b", "2": "a b", "3": "a b", "4": "a b", "5": "a b", "6": "a b"},
			err: "6 file(s), such as 1, 2, 3, 4, 5",
		},
		{
			name: "two", files: map[string]string{"a.las": lasFile, "b/c.las": lasFile, "0.txt": "Notes of the day."},
			err: "2 files of the source can be processed, such as a.las, b/c.las", hint: true,
		},
		{
			name: "two, one of the format asked for", files: map[string]string{"a.las": lasFile, "b.ply": plyFile}, can: everything, asked: source.PLY,
			want: "b.ply", format: source.PLY, warning: "of the 2 files of the source b.ply was processed",
		},
		{
			name: "two, none of the format asked for", files: map[string]string{"a.las": lasFile, "b.ply": plyFile}, can: everything, asked: source.E57,
			err: "2 files of the source can be processed", hint: true,
		},
		{
			name: "two, asked for as a zip", files: map[string]string{"a.las": lasFile, "b.ply": plyFile}, can: everything, asked: source.ZIP,
			err: "2 files of the source can be processed", hint: true,
		},
		{name: "another than asked for", files: map[string]string{"a.las": lasFile}, asked: source.LAZ, want: "a.las", format: source.LAS},
		{name: "photos", files: map[string]string{"1.jpg": jpegFile, "2.jpg": jpegFile}, can: everything, want: ".", format: source.Photos},
		{name: "photos in a folder of an archive", files: map[string]string{"site/1.jpg": jpegFile, "site/2.jpg": jpegFile, "site/notes.txt": "Windy."}, can: everything, want: ".", format: source.Photos},
		{
			name: "photos with control points", files: map[string]string{"1.jpg": jpegFile, "2.jpg": jpegFile, "gcp_list.txt": "EPSG:32632\n1 2 3 4 5 1.jpg\n1 2 3 6 7 2.jpg\n"},
			can: append([]source.Format{source.XYZ}, everything...), want: ".", format: source.Photos,
		},
		{
			name: "a model with textures", files: map[string]string{"a.ply": plyFile, "textures/1.jpg": jpegFile, "textures/2.jpg": jpegFile}, can: everything,
			want: "a.ply", format: source.PLY, warning: "of the 3 files of the source a.ply was processed",
		},
		{
			name: "photos beside a model, asked for", files: map[string]string{"a.ply": plyFile, "1.jpg": jpegFile}, can: everything, asked: source.Photos,
			want: ".", format: source.Photos,
		},
		{
			name: "a scan beside a photo, asked for", files: map[string]string{"1.jpg": jpegFile, "a.las": lasFile}, can: everything, asked: source.LAS,
			want: "a.las", format: source.LAS, warning: "of the 2 files of the source a.las was processed",
		},
		{
			name: "a scan beside a photo, with no pipeline for photos", files: map[string]string{"1.jpg": jpegFile, "a.las": lasFile},
			want: "a.las", format: source.LAS, warning: "of the 2 files of the source a.las was processed",
		},
		{name: "EPT", files: map[string]string{"ept.json": `{"hierarchyType": "json"}`, "ept-data/0-0-0-0.laz": lasFile}, can: everything, want: ".", format: source.EPT},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range test.files {
				p := filepath.Join(dir, filepath.FromSlash(name))
				if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			can := test.can
			if can == nil {
				can = []source.Format{source.LAS}
			}
			if test.asked == "" {
				test.asked = source.Auto
			}
			r := &run{req: request{format: test.asked}, w: &Worker{o: Options{Pipeline: func(f source.Format) (pipeline.Definition, bool) {
				return pipeline.Definition{}, slices.Contains(can, f)
			}}}}
			got, err := r.pick(dir)
			if test.err != "" {
				var bad *pipeline.BadInputError
				if !errors.As(err, &bad) || !strings.Contains(err.Error(), test.err) || (bad.Hint != "") != test.hint {
					t.Fatalf("%+v, %v", got, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			rel, err := filepath.Rel(dir, got.path)
			if err != nil || filepath.ToSlash(rel) != test.want || got.format != test.format || strings.Join(got.warnings, ", ") != test.warning {
				t.Errorf("%s: %+v, %v", rel, got, err)
			}
		})
	}
}

// A path of a file is that file.
func TestPickOfAFile(t *testing.T) {
	p := filepath.Join(t.TempDir(), "scan.las")
	if err := os.WriteFile(p, []byte(lasFile), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &run{req: request{format: source.Auto}, w: &Worker{o: Options{Pipeline: func(f source.Format) (pipeline.Definition, bool) {
		return pipeline.Definition{}, f == source.LAS
	}}}}
	if got, err := r.pick(p); err != nil || got.path != p || got.format != source.LAS || len(got.warnings) > 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := r.pick(filepath.Join(p, "absent")); err == nil {
		t.Error("what is not there was picked")
	}
	if _, err := r.pick(fmt.Sprintf("%s-absent", p)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
