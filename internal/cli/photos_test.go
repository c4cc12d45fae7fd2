package cli

import (
	"os"
	"path/filepath"
	"testing"

	"slate360.ai/worker/internal/source"
)

func TestPhotosAreOneSource(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "site")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	file := func(name, content string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		return p
	}
	a, b, scan := file("a.jpg", "\xff\xd8\xff\xe0"), file("b.png", "\x89PNG\r\n\x1a\n"), file("c.las", "LASF")
	for _, test := range []struct {
		sources []string
		wanted  source.Format
		want    bool
	}{
		{[]string{a, b}, source.Auto, true},
		{[]string{a, b}, source.Photos, true},
		{[]string{a, b}, source.LAS, false},
		{[]string{a}, source.Auto, false},
		{[]string{a, scan}, source.Auto, false},
		{[]string{a, dir}, source.Auto, false},
		{[]string{a, filepath.Join(dir, "absent.jpg")}, source.Auto, false},
	} {
		if got := arePhotos(test.sources, test.wanted); got != test.want {
			t.Errorf("%q as %s: %v", test.sources, test.wanted, got)
		}
	}
	if name := photosName([]string{a, b}); name != "site" {
		t.Errorf("name %q", name)
	}
	if name := photosName([]string{a, filepath.Join(dir, "sub", "x.jpg")}); name != "photos" {
		t.Errorf("name %q", name)
	}
	j := &processJob{photos: []string{a, b}}
	links, err := j.linkPhotos(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(links, "b.png")); err != nil || string(got) != "\x89PNG\r\n\x1a\n" || j.unpacked != links {
		t.Errorf("%q, %v", got, err)
	}
	j.photos = []string{a, file("../a.jpg", "\xff\xd8\xff\xe0")}
	if _, err := j.linkPhotos(filepath.Join(t.TempDir(), "out")); err == nil {
		t.Error("two photos of one name are linked")
	}
}
