package las

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slate360.ai/worker/internal/testdata"
)

// laspyInfo is what laspy_check.py tells of a file.
type laspyInfo struct {
	Count      uint64                 `json:"count"`
	Format     uint8                  `json:"format"`
	Returns    []uint64               `json:"returns"`
	Min        [3]float64             `json:"min"`
	Max        [3]float64             `json:"max"`
	Scales     [3]float64             `json:"scales"`
	Offsets    [3]float64             `json:"offsets"`
	EVLRs      [][2]any               `json:"evlrs"`
	Dimensions map[string]string      `json:"dimensions"`
	Extra      map[string][][]float64 `json:"extra"`
}

// TestLaspy lets laspy with lazrs read what we write and us read what it writes,
// in all formats, and compares every byte of every record, every dimension, and
// the real files. One Python process does it all.
func TestLaspy(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector; others run the same code in parallel")
	}
	python := testdata.Python(t)
	dir := t.TempDir()
	want := map[string][]byte{}
	layouts := map[string]Layout{}
	for format := uint8(0); format <= maxFormat; format++ {
		for _, compressed := range []bool{false, true} {
			h := testHeader(format, extraDimsSize, compressed)
			l := layout(t, format, extraDimsSize)
			recs := records(l, 3210, 11)
			vlrs := []VLR{ExtraBytesVLR(extraDims())}
			if h.VersionMinor == 4 {
				vlrs = append(vlrs, VLR{UserID: "slate360", RecordID: 12, Data: make([]byte, 80000), Extended: true})
			}
			n := name(format, compressed)
			file := n + map[bool]string{false: ".las", true: ".laz"}[compressed]
			write(t, dir, file, encode(t, h, vlrs, recs, WithChunkSize(1000)))
			want[file], layouts[file] = recs, l
			if compressed {
				file = n + "v.laz"
				write(t, dir, file, variableFile(t, h, vlrs, l, recs))
				want[file], layouts[file] = recs, l
				continue
			}
			write(t, dir, n+".template.las", encode(t, h, vlrs[:1], recs[:l.Length]))
			write(t, dir, n+".records", recs)
			layouts[n] = l
			want[n] = recs
		}
	}
	real := []string{testdata.Path(t, "pointcloud/autzen_trim.laz"), testdata.Path(t, "pointcloud/autzen-small.laz")}
	script := filepath.Join("testdata", "laspy_check.py")
	cmd := exec.Command(python, append([]string{script, dir}, real...)...)
	cmd.Stderr = os.Stderr
	said, err := cmd.Output()
	if err != nil {
		t.Fatalf("laspy: %v\n%s", err, said)
	}
	for line := range strings.Lines(string(said)) {
		t.Errorf("laspy cannot %s", strings.TrimSpace(line))
	}
	for file, recs := range want {
		if strings.Contains(file, ".") {
			checkRead(t, dir, file, layouts[file], recs)
		} else {
			checkWritten(t, dir, file, layouts[file], recs)
		}
	}
	for i, path := range real {
		r, err := Open(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if len(r.Warnings()) > 0 {
			t.Errorf("%s: warnings %q", path, r.Warnings())
		}
		raw := read(t, dir, string(rune('0'+i))+".real.raw")
		if got := mustAll(t, r); !bytes.Equal(got, raw) {
			t.Errorf("%s: records differ from laspy's (%d and %d bytes)", path, len(got), len(raw))
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func write(t *testing.T, dir, file string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, file), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Error(err)
	}
	return b
}

// variableFile writes chunks of growing size.
func variableFile(t *testing.T, h Header, vlrs []VLR, l Layout, recs []byte) []byte {
	t.Helper()
	var f memFile
	w, err := NewWriter(&f, h, vlrs, WithChunkSize(VariableChunks))
	if err != nil {
		t.Fatal(err)
	}
	for n, rest := 1, recs; len(rest) > 0; n *= 3 {
		part := rest[:min(len(rest), n*l.Length)]
		rest = rest[len(part):]
		one := openBytes(t, encode(t, h, nil, part))
		raw, err := one.RawChunk(0, nil)
		if err == nil {
			err = w.WriteChunk(len(part)/l.Length, raw, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return f.b
}

// checkRead compares what laspy read from a file of ours.
func checkRead(t *testing.T, dir, file string, l Layout, recs []byte) {
	t.Helper()
	var info laspyInfo
	if err := json.Unmarshal(read(t, dir, file+".json"), &info); err != nil {
		t.Errorf("%s: %v", file, err)
		return
	}
	if raw := read(t, dir, file+".raw"); !bytes.Equal(raw, recs) {
		t.Errorf("%s: laspy reads other records", file)
	}
	r := openBytes(t, read(t, dir, file))
	h := r.Header()
	if info.Count != h.PointCount || info.Format != h.PointFormat || info.Scales != h.Scale || info.Offsets != h.Offset ||
		info.Min != h.Min || info.Max != h.Max {
		t.Errorf("%s: laspy's header %+v, ours %+v", file, info, h)
	}
	for i, n := range info.Returns {
		if n != h.PointsByReturn[i] {
			t.Errorf("%s: return %d: laspy counts %d, we %d", file, i+1, n, h.PointsByReturn[i])
		}
	}
	if len(info.EVLRs) != int(h.EVLRCount) {
		t.Errorf("%s: laspy finds %d extended records of %d", file, len(info.EVLRs), h.EVLRCount)
	}
	checkDimensions(t, file, l, recs, info.Dimensions)
	dims, err := FindExtraBytes(r.VLRs(), l)
	if err != nil || len(info.Extra) != len(dims) {
		t.Errorf("%s: laspy finds %d extra dimensions, we %d, %v", file, len(info.Extra), len(dims), err)
	}
	for _, e := range dims {
		for i, values := range info.Extra[e.Name] {
			for j, v := range values {
				if got, _ := e.Value(recs[i*l.Length:], j); math.Abs(got-v) > 1e-12*math.Abs(v) && !(math.IsNaN(got) && math.IsNaN(v)) {
					t.Errorf("%s: %s of point %d is %g, laspy has %g", file, e.Name, i, got, v)
				}
			}
		}
	}
}

// checkDimensions compares the dimensions that our accessors give with laspy's.
func checkDimensions(t *testing.T, file string, l Layout, recs []byte, sums map[string]string) {
	t.Helper()
	flag := func(bit uint8) func([]byte) float64 {
		return func(rec []byte) float64 {
			if l.ClassFlags(rec)&bit != 0 {
				return 1
			}
			return 0
		}
	}
	byName := map[string]func(rec []byte) float64{
		"X":                   func(rec []byte) float64 { x, _, _ := l.XYZ(rec); return float64(x) },
		"Y":                   func(rec []byte) float64 { _, y, _ := l.XYZ(rec); return float64(y) },
		"Z":                   func(rec []byte) float64 { _, _, z := l.XYZ(rec); return float64(z) },
		"intensity":           func(rec []byte) float64 { return float64(l.Intensity(rec)) },
		"return_number":       func(rec []byte) float64 { return float64(l.ReturnNumber(rec)) },
		"number_of_returns":   func(rec []byte) float64 { return float64(l.NumberOfReturns(rec)) },
		"scan_direction_flag": func(rec []byte) float64 { return float64(l.ScanDirection(rec)) },
		"edge_of_flight_line": func(rec []byte) float64 { return float64(l.EdgeOfFlightLine(rec)) },
		"classification":      func(rec []byte) float64 { return float64(l.Classification(rec)) },
		"synthetic":           flag(FlagSynthetic),
		"key_point":           flag(FlagKeyPoint),
		"withheld":            flag(FlagWithheld),
		"overlap":             flag(FlagOverlap),
		"scanner_channel":     func(rec []byte) float64 { return float64(l.ScannerChannel(rec)) },
		"user_data":           func(rec []byte) float64 { return float64(l.UserData(rec)) },
		"point_source_id":     func(rec []byte) float64 { return float64(l.PointSourceID(rec)) },
		"gps_time":            l.GPSTimeOf,
		"red":                 func(rec []byte) float64 { r, _, _ := l.RGBOf(rec); return float64(r) },
		"green":               func(rec []byte) float64 { _, g, _ := l.RGBOf(rec); return float64(g) },
		"blue":                func(rec []byte) float64 { _, _, b := l.RGBOf(rec); return float64(b) },
		"nir":                 func(rec []byte) float64 { return float64(l.NIROf(rec)) },
	}
	if len(sums) < 14 {
		t.Errorf("%s: laspy gives only %d dimensions", file, len(sums))
	}
	for dim, want := range sums {
		hash := sha256.New()
		var b [8]byte
		for at := 0; at < len(recs); at += l.Length {
			binary.LittleEndian.PutUint64(b[:], math.Float64bits(byName[dim](recs[at:at+l.Length])))
			hash.Write(b[:])
		}
		if hex.EncodeToString(hash.Sum(nil)) != want {
			t.Errorf("%s: %s differs from laspy's", file, dim)
		}
	}
}

// checkWritten reads what laspy wrote.
func checkWritten(t *testing.T, dir, stem string, l Layout, recs []byte) {
	t.Helper()
	for _, ext := range []string{".laspy.las", ".laspy.laz"} {
		path := filepath.Join(dir, stem+ext)
		r, err := Open(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if len(r.Warnings()) > 0 || r.Layout() != l || r.Header().Compressed != strings.HasSuffix(ext, "z") {
			t.Errorf("%s: layout %+v, warnings %q", path, r.Layout(), r.Warnings())
		}
		got, err := all(r)
		if err != nil || !bytes.Equal(got, wantWritten(t, dir, stem+ext, l, recs)) {
			t.Errorf("%s: records differ from those that laspy was given: %v", path, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// wantWritten gives the records of a file of laspy: those that it was given. But
// lazrs up to 0.8.2 spoils wave packets of formats 9 and 10 where the scanner
// channel changes, so that it does not read what it wrote itself; of these what
// counts is that we read the same.
func wantWritten(t *testing.T, dir, file string, l Layout, recs []byte) []byte {
	t.Helper()
	if l.Wave < 0 || l.Format < 9 || !strings.HasSuffix(file, ".laz") {
		return recs
	}
	return read(t, dir, file+".raw")
}
