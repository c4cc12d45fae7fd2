package source

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// entry is a member of an archive that a test makes.
type entry struct {
	name, text string
	link       string
}

func zipOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: time.Unix(1e9, 0)}
		if e.link != "" {
			h.SetMode(os.ModeSymlink | 0o777)
			e.text = e.link
		}
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = w.Write([]byte(e.text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Size: int64(len(e.text)), Mode: 0o644, Typeflag: tar.TypeReg, ModTime: time.Unix(1e9, 0)}
		if e.link != "" {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, e.link, 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipOf(t testing.TB, data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstdOf(t testing.TB, data []byte) []byte {
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	return e.EncodeAll(data, nil)
}

func unpackBytes(t testing.TB, data []byte, l Limits) (Fetched, string, error) {
	t.Helper()
	dir := t.TempDir()
	p := filepath.Join(dir, "archive")
	if err := os.WriteFile(p, data, 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	got, err := Unpack(context.Background(), p, out, l)
	return got, out, err
}

func TestUnpack(t *testing.T) {
	entries := []entry{{name: "a/scan.las", text: "points"}, {name: "b.txt", text: "notes"}, {name: "__MACOSX/._b.txt", text: "x"}, {name: "l", link: "/etc/passwd"}}
	for name, data := range map[string][]byte{
		"zip": zipOf(t, entries...), "tar": tarOf(t, entries...), "tar.gz": gzipOf(t, tarOf(t, entries...)), "tar.zst": zstdOf(t, tarOf(t, entries...)),
		"nested": zipOf(t, entry{name: "inner.tar.gz", text: string(gzipOf(t, tarOf(t, entries...)))}),
	} {
		got, out, err := unpackBytes(t, data, Limits{Nesting: 2})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		prefix := ""
		if name == "nested" {
			prefix = "inner.tar"
		}
		text, err := os.ReadFile(filepath.Join(out, prefix, "a", "scan.las"))
		if err != nil || string(text) != "points" || got.Files != 2 || got.Size != 11 {
			t.Errorf("%s: %q, %v, %+v", name, text, err, got)
		}
		if info, err := os.Stat(filepath.Join(out, prefix, "b.txt")); err != nil || info.ModTime().Unix() != 1e9 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Archives of a program that we did not write.
func TestUnpackOfPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	dir := t.TempDir()
	out, err := exec.Command(python, "-c", `
import sys, zipfile, tarfile, io
d = sys.argv[1]
with zipfile.ZipFile(d + "/a.zip", "w", zipfile.ZIP_DEFLATED, allowZip64=True) as z:
    with z.open(zipfile.ZipInfo("ä/scan.las"), "w", force_zip64=True) as f: f.write(b"points" * 100000)
with tarfile.open(d + "/a.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as t:
    i = tarfile.TarInfo("ä/" + "x" * 150 + ".las"); i.size = 6; t.addfile(i, io.BytesIO(b"points"))
`, dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, size := range map[string]int64{"a.zip": 600_000, "a.tar.gz": 6} {
		got, err := Unpack(t.Context(), filepath.Join(dir, name), filepath.Join(dir, "out-"+name), Limits{})
		if err != nil || got.Files != 1 || got.Size != size || !strings.HasPrefix(got.Names[0], "ä/") {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestUnpackRefusals(t *testing.T) {
	const window = "\x28\xb5\x2f\xfd\x00\xa0\x01\x00\x00" // a frame that claims a window of 1 GiB
	bomb := zipOf(t, entry{name: "zeros", text: strings.Repeat("0", 200<<20)})
	for _, test := range []struct {
		name string
		data []byte
		l    Limits
		is   error
	}{
		{"path out of it", zipOf(t, entry{name: "../evil", text: "x"}), Limits{}, nil},
		{"absolute path", tarOf(t, entry{name: "/etc/evil", text: "x"}), Limits{}, nil},
		{"drive", zipOf(t, entry{name: `C:\evil`, text: "x"}), Limits{}, nil},
		{"twice", zipOf(t, entry{name: "a", text: "x"}, entry{name: "A", text: "y"}), Limits{}, nil},
		{"too many", zipOf(t, entry{name: "a", text: "x"}, entry{name: "b", text: "y"}), Limits{Files: 1}, ErrTooLarge},
		{"too large", zipOf(t, entry{name: "a", text: strings.Repeat("x", 2000)}), Limits{Bytes: 1000}, ErrTooLarge},
		{"bomb", bomb, Limits{Ratio: 10}, ErrTooLarge},
		{"bomb in an archive", zipOf(t, entry{name: "b.zip", text: string(bomb)}), Limits{Ratio: 10, Nesting: 2}, ErrTooLarge},
		{"empty", zipOf(t), Limits{}, nil},
		{"links only", tarOf(t, entry{name: "l", link: "/etc/passwd"}), Limits{}, nil},
		{"broken zip", zipOf(t, entry{name: "a", text: "xyz"})[:40], Limits{}, nil},
		{"broken gzip", gzipOf(t, tarOf(t, entry{name: "a", text: strings.Repeat("abc", 9999)}))[:60], Limits{}, nil},
		{"window of zstd", []byte(window), Limits{}, ErrTooLarge},
		{"none", []byte("no archive"), Limits{}, nil},
	} {
		_, out, err := unpackBytes(t, test.data, test.l)
		var broken *ArchiveError
		if !errors.As(err, &broken) || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%s: got %v", test.name, err)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: something is left", test.name)
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(out), "evil")); err == nil {
			t.Errorf("%s: it got out", test.name)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	entries := []entry{{name: "a/b", text: "text"}, {name: "c", text: "more"}}
	f.Add(zipOf(f, entries...))
	f.Add(tarOf(f, entries...))
	f.Add(gzipOf(f, tarOf(f, entries...)))
	f.Add(zstdOf(f, tarOf(f, entries...)))
	f.Add([]byte("7z\xbc\xaf\x27\x1c\x00\x04"))
	f.Add(archive7z(f, "lzma2.7z"))
	f.Add(archive7z(f, "nested.7z"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, out, err := unpackBytes(t, data, Limits{Bytes: 1 << 20, Files: 100, Nesting: 1})
		if err != nil {
			return
		}
		for _, n := range got.Names {
			if !filepath.IsLocal(n) {
				t.Errorf("name %q", n)
			}
			if _, err := os.Lstat(filepath.Join(out, n)); err != nil {
				t.Error(err)
			}
		}
	})
}
