package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"slate360.ai/worker/internal/testdata"
)

// archive7z returns an archive of testdata/7z.
func archive7z(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "7z", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// patched7z replaces bytes of the header, which are there once, and mends its
// length and checksums.
func patched7z(t testing.TB, data []byte, old, with string) []byte {
	t.Helper()
	at := signature7zSize + int(binary.LittleEndian.Uint64(data[12:]))
	header := data[at:]
	if bytes.Count(header, []byte(old)) != 1 {
		t.Fatalf("%x is %d times in the header", old, bytes.Count(header, []byte(old)))
	}
	header = bytes.Replace(header, []byte(old), []byte(with), 1)
	out := append(append([]byte{}, data[:at]...), header...)
	binary.LittleEndian.PutUint64(out[20:], uint64(len(header)))
	binary.LittleEndian.PutUint32(out[28:], crc32.ChecksumIEEE(header))
	binary.LittleEndian.PutUint32(out[8:], crc32.ChecksumIEEE(out[12:signature7zSize]))
	return out
}

// name7z is a name as a header has it.
func name7z(text string) string {
	var b []byte
	for _, c := range utf16.Encode([]rune(text + "\x00")) {
		b = binary.LittleEndian.AppendUint16(b, c)
	}
	return string(b)
}

func TestUnpack7z(t *testing.T) {
	for name, prefix := range map[string]string{"lzma2.7z": "", "plain-header.7z": "", "lzma2-plain-header.7z": "", "nested.7z": "inner"} {
		got, out, err := unpackBytes(t, archive7z(t, name), Limits{Nesting: 1})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for rel, want := range map[string]string{"a/scan.las": "points", "b.txt": "notes, notes, notes, notes"} {
			p := filepath.Join(out, prefix, filepath.FromSlash(rel))
			text, err := os.ReadFile(p)
			if err != nil || string(text) != want || got.Files != 2 || got.Size != 32 {
				t.Errorf("%s: %s is %q, %v, %+v", name, rel, text, err, got)
			}
			if info, err := os.Stat(p); err != nil || info.ModTime().Unix() != 1e9 {
				t.Errorf("%s: %s: %v", name, rel, err)
			}
		}
	}
}

// Names that lead out are refused, and those that two files would share.
func TestUnpack7zNames(t *testing.T) {
	plain := archive7z(t, "plain-header.7z")
	for name, want := range map[string]string{
		"../can.las": "leads out", "//scan.las": "absolute", `C:\can.las`: "absolute", `a\..\..\..`: "leads out",
		".////B.TXT": "two of that name",
	} {
		_, out, err := unpackBytes(t, patched7z(t, plain, name7z("a/scan.las"), name7z(name)), Limits{})
		var broken *ArchiveError
		if !errors.As(err, &broken) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: something is left", name)
		}
	}
}

// allocated returns what f allocates in all, in bytes.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// What an archive claims costs nothing before it is found to be too much.
func TestUnpack7zRefusals(t *testing.T) {
	const huge = "\xf0\xff\xff\xff\xff" // the number 4,294,967,295
	plain, lzma2 := archive7z(t, "plain-header.7z"), archive7z(t, "lzma2-plain-header.7z")
	packed := archive7z(t, "lzma2.7z")
	damaged := archive7z(t, "nested.7z")
	damaged[signature7zSize+8] ^= 1 // in the file that lies there as it is
	for _, test := range []struct {
		name string
		data []byte
		l    Limits
		is   error
		want string
	}{
		{"password", archive7z(t, "encrypted.7z"), Limits{}, nil, "it is encrypted: pack it without a password"},
		{"password of names", archive7z(t, "encrypted-names.7z"), Limits{}, nil, "it is encrypted: pack it without a password"},
		{"dictionary of LZMA", patched7z(t, plain, "\x5d\x00\x10\x00\x00", "\x5d\xff\xff\xff\xff"), Limits{}, ErrTooLarge, "SLATE360_SOURCE_MAX_DICTIONARY"},
		{"dictionary of LZMA2", patched7z(t, lzma2, "\x21\x21\x01\x00", "\x21\x21\x01\x28"), Limits{}, ErrTooLarge, "4.00 GiB of memory, and 320 MiB is allowed"},
		{"dictionary of LZMA2, 384 MiB", patched7z(t, lzma2, "\x21\x21\x01\x00", "\x21\x21\x01\x21"), Limits{}, ErrTooLarge, "384 MiB"},
		{"dictionary beyond another limit", patched7z(t, lzma2, "\x21\x21\x01\x00", "\x21\x21\x01\x1e"), Limits{Dictionary: 100 << 20}, ErrTooLarge, "128 MiB"},
		{"memory of PPMd", patched7z(t, archive7z(t, "ppmd-plain-header.7z"), "\x06\x00\x00\x01\x00\x0c", "\x06\xff\xff\xff\xff\x0c"), Limits{}, ErrTooLarge, "4.00 GiB"},
		{"method", patched7z(t, lzma2, "\x21\x21\x01\x00", "\x21\x7f\x01\x00"), Limits{}, nil, "not known (7f)"},
		{"packed streams", patched7z(t, plain, "\x06\x00\x01\x09", "\x06\x00"+huge+"\x09"), Limits{}, nil, "cannot be so many"},
		{"checksums of packed streams", patched7z(t, plain, "\x06\x00\x01\x09\x15", "\x06\x00"+huge+"\x0a\x01"), Limits{}, nil, "broken"},
		{"folders", patched7z(t, plain, "\x0b\x01\x00", "\x0b"+huge+"\x00"), Limits{}, nil, "cannot be so many"},
		{"coders", patched7z(t, plain, "\x0b\x01\x00\x01", "\x0b\x01\x00"+huge), Limits{}, nil, "cannot be so many"},
		{"properties", patched7z(t, plain, "\x03\x01\x01\x05", "\x03\x01\x01"+huge), Limits{}, nil, "ends early"},
		{"files of a folder", patched7z(t, plain, "\x0d\x02", "\x0d"+huge), Limits{}, nil, "more than"},
		{"size of a file", patched7z(t, plain, "\x09\x06\x0a", "\x09\x7f\x0a"), Limits{}, nil, "larger than what holds them"},
		{"files", patched7z(t, plain, "\x05\x02\x11", "\x05"+huge+"\x11"), Limits{}, ErrTooLarge, "SLATE360_SOURCE_MAX_FILES"},
		{"files without names", patched7z(t, plain, "\x05\x02\x11", "\x05\x87\xa1\x11"), Limits{}, nil, "does not name them"},
		{"header that unpacks to much", patched7z(t, packed, packedSize7z(t, packed), "\x0c"+huge), Limits{}, ErrTooLarge, "SLATE360_SOURCE_MAX_FILES"},
		{"header that unpacks to more than is there", patched7z(t, packed, packedSize7z(t, packed), "\x0c\xc0\x00\x10"), Limits{}, nil, "its header"},
		{"damaged content", damaged, Limits{}, nil, "its checksum is wrong"},
		{"cut off", plain[:len(plain)-1], Limits{}, nil, "cut off"},
		{"too many", plain, Limits{Files: 1}, ErrTooLarge, "more than 1 files"},
		{"too large", plain, Limits{Bytes: 20}, ErrTooLarge, "SLATE360_SOURCE_MAX_BYTES"},
	} {
		var (
			out string
			err error
		)
		// The buffer of each file is the most of it.
		if n := allocated(func() { _, out, err = unpackBytes(t, test.data, test.l) }); n > 8<<20 {
			t.Errorf("%s: %d bytes were allocated", test.name, n)
		}
		var broken *ArchiveError
		if !errors.As(err, &broken) || !strings.Contains(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%s: got %v", test.name, err)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: something is left", test.name)
		}
	}
}

// packedSize7z returns what says in a packed header to how many bytes it unpacks.
func packedSize7z(t *testing.T, data []byte) string {
	t.Helper()
	header := data[signature7zSize+binary.LittleEndian.Uint64(data[12:]):]
	i := bytes.LastIndex(header, []byte("\x5d\x00\x10\x00\x00\x0c"))
	if i < 0 || header[i+6]&0xc0 != 0x80 {
		t.Fatalf("the header is another: %x", header)
	}
	return string(header[i+5 : i+8])
}

// The limit is of memory that is asked for, up to it archives are unpacked.
func TestUnpack7zDictionaryWithinTheLimit(t *testing.T) {
	data := patched7z(t, archive7z(t, "lzma2-plain-header.7z"), "\x21\x21\x01\x00", "\x21\x21\x01\x1e") // 128 MiB
	if got, _, err := unpackBytes(t, data, Limits{Dictionary: 128 << 20}); err != nil || got.Files != 2 {
		t.Errorf("%+v, %v", got, err)
	}
}

// run7z packs files of a folder.
func run7z(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command(testdata.Tool(t, "7zz"), append([]string{"a", "-bso0", "-bsp0"}, args...)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("7zz %v: %v\n%s", args, err, out)
	}
}

// All that 7-Zip can pack with is unpacked.
func TestUnpack7zMethods(t *testing.T) {
	testdata.Tool(t, "7zz")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := map[string][]byte{
		"in/program": program[:1<<20], "in/sub/ä.txt": bytes.Repeat([]byte("text, "), 50_000), "in/empty": nil, "in/numbers": program[1<<20 : 1<<20+4000],
	}
	for name, data := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "in", "link")); err != nil {
		t.Fatal(err)
	}
	for i, args := range []string{
		"-m0=copy", "-m0=lzma", "-m0=lzma2", "-mx9", "-m0=ppmd", "-m0=bzip2", "-m0=deflate", "-m0=delta:4 -m1=lzma2", "-mf=ARM64", "-ms=off",
		"-m0=BCJ2 -m1=LZMA:d20 -m2=LZMA:d19 -m3=LZMA:d19 -mb0:1 -mb0s1:2 -mb0s2:3", "-mhc=off", "-snl",
	} {
		name := fmt.Sprintf("%d.7z", i)
		run7z(t, dir, append(strings.Fields(args), name, "in")...)
		out := filepath.Join(dir, name+".out")
		got, err := Unpack(t.Context(), filepath.Join(dir, name), out, Limits{})
		if err != nil {
			t.Errorf("%s: %v", args, err)
			continue
		}
		for name, want := range files {
			if data, err := os.ReadFile(filepath.Join(out, filepath.FromSlash(name))); err != nil || !bytes.Equal(data, want) {
				t.Errorf("%s: %s has %d bytes, want %d, %v", args, name, len(data), len(want), err)
			}
		}
		if info, err := os.Lstat(filepath.Join(out, "in", "link")); args == "-snl" && err == nil {
			t.Errorf("%s: a link came out: %v", args, info.Mode())
		}
		if args == "-snl" && got.Files != len(files) {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

// The dictionary of a stream goes with its last file, though that is left out.
func TestUnpack7zKeepsOneDictionary(t *testing.T) {
	testdata.Tool(t, "7zz")
	dir := t.TempDir()
	const blocks = 40
	var list strings.Builder
	for i := range blocks {
		for _, name := range []string{fmt.Sprintf("%02d", i), fmt.Sprintf("._%02d", i)} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("content of "+name), 0o600); err != nil {
				t.Fatal(err)
			}
			list.WriteString(name + "\n")
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "list"), []byte(list.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	run7z(t, dir, "-m0=lzma2", "-mhc=off", "-ms=2f", "-mqs=off", "many.7z", "@list")
	data, err := os.ReadFile(filepath.Join(dir, "many.7z"))
	if err != nil {
		t.Fatal(err)
	}
	at := signature7zSize + int(binary.LittleEndian.Uint64(data[12:]))
	const small, large = "\x21\x21\x01\x00", "\x21\x21\x01\x18" // 4 KiB, 16 MiB
	if n := bytes.Count(data[at:], []byte(small)); n < blocks {
		t.Fatalf("the archive has %d streams", n)
	}
	rest := strings.ReplaceAll(string(data[at:]), small, large)
	data = patched7z(t, append(data[:at:at], rest...), rest, rest)
	p := filepath.Join(dir, "large.7z")
	if err := os.WriteFile(p, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var most uint64
	u := &unpacker{ctx: t.Context(), l: Limits{}.withDefaults(), left: 1 << 30}
	left := 2 * blocks
	err = u.unpack7z(p, func(name string, r io.Reader, _ fs.FileMode, _ time.Time) error {
		if left--; left < 4 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
		if strings.HasPrefix(name, "._") {
			return nil
		}
		text, err := io.ReadAll(r)
		if string(text) != "content of "+name {
			t.Errorf("%s: %q", name, text)
		}
		return err
	})
	if err != nil || left != 0 || most > 100<<20 {
		t.Errorf("%d files are left, %d MiB are in use, %v", left, most>>20, err)
	}
}

func FuzzCheck7z(f *testing.F) {
	for _, name := range []string{"lzma2.7z", "plain-header.7z", "lzma2-plain-header.7z", "ppmd-plain-header.7z", "encrypted-names.7z", "nested.7z"} {
		data := archive7z(f, name)
		f.Add(data[signature7zSize+binary.LittleEndian.Uint64(data[12:]):])
	}
	f.Add([]byte("\x01\x04\x06\x7f\xff\x06\x06\x01\x09\x01"))
	f.Add([]byte("\x17\x06\x1c\x01\x09l\x00\x07\x0b\x01\x00\xff\x7f\x03\x01\x01\x05"))
	f.Fuzz(func(t *testing.T, header []byte) {
		// The header alone, with nothing before it.
		data := make([]byte, signature7zSize, signature7zSize+len(header))
		copy(data, "7z\xbc\xaf\x27\x1c\x00\x04")
		binary.LittleEndian.PutUint64(data[20:], uint64(len(header)))
		binary.LittleEndian.PutUint32(data[28:], crc32.ChecksumIEEE(header))
		binary.LittleEndian.PutUint32(data[8:], crc32.ChecksumIEEE(data[12:]))
		data = append(data, header...)
		l := Limits{Files: 1000, Bytes: 1 << 20, Dictionary: 1 << 20}
		// What passes the check is unpacked, in little memory, or refused.
		if n := allocated(func() { _, _, _ = unpackBytes(t, data, l) }); n > 64<<20 {
			t.Errorf("%d bytes were allocated", n)
		}
	})
}
