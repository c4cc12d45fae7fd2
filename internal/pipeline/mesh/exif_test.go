package mesh

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"slate360.ai/worker/internal/testdata"
)

// TestWithoutExif has libvips write pictures with an orientation, and compare their
// pixels with those of what is left.
func TestWithoutExif(t *testing.T) {
	dir := t.TempDir()
	vips(t, "write", dir)
	for _, name := range []string{"turned.jpg", "turned.png", "turned.webp"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		plain := withoutExif(data)
		path := filepath.Join(dir, "plain-"+name)
		if err := os.WriteFile(path, plain, 0o666); err != nil {
			t.Fatal(err)
		}
		vips(t, "compare", filepath.Join(dir, name), path)
		if again := withoutExif(plain); &again[0] != &plain[0] {
			t.Errorf("%s: there was something left to take out", name)
		}
		if name == "turned.jpg" && !bytes.HasPrefix(plain, []byte("\xff\xd8"+jfif[:9])) {
			t.Errorf("%s begins with %x", name, plain[:20])
		}
		for cut := range len(data) {
			withoutExif(data[:cut])
		}
	}
}

func vips(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command(testdata.Tool(t, "node"), append([]string{filepath.Join("testdata", "exif.cjs")}, args...)...)
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(testdata.RepoRoot(t), ".tools", "node_modules"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

func FuzzWithoutExif(f *testing.F) {
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x0aExif\x00\x00ab\xff\xda\x00\x02xyz"))
	f.Add([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x01eXIfacrc.\x00\x00\x00\x00IENDcrc."))
	f.Add([]byte("RIFF\x24\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x08---------EXIF\x01\x00\x00\x00a\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		out := withoutExif(data)
		if len(out) > len(data)+len(jfif) {
			t.Fatalf("%d bytes became %d", len(data), len(out))
		}
		if again := withoutExif(out); !bytes.Equal(again, out) {
			t.Fatalf("%x, then %x", out, again)
		}
	})
}
