package las

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// someVLRs are records with everything that must survive: bytes behind the NUL,
// a reserved word, an extended record.
func someVLRs() []VLR {
	raw := []byte("LASF_Projection\x00A description\x00with a tail\x00\x00\x00\x00\x00\x00\x00")
	return []VLR{
		{Reserved: 0xAABB, UserID: "LASF_Projection", RecordID: 34735, Description: "A description", Data: []byte{1, 0, 1}, raw: string(raw[:48])},
		ExtraBytesVLR(extraDims()),
		{UserID: "empty", RecordID: 1},
	}
}

func TestRoundTrip(t *testing.T) {
	for format := uint8(0); format <= maxFormat; format++ {
		for _, compressed := range []bool{false, true} {
			t.Run(name(format, compressed), func(t *testing.T) {
				h := testHeader(format, extraDimsSize, compressed)
				l, _ := NewLayout(format, int(h.PointRecordLength))
				recs := records(l, 2345, 1)
				vlrs := someVLRs()
				if h.VersionMinor == 4 {
					vlrs = append(vlrs, VLR{UserID: "behind", RecordID: 3, Data: bytes.Repeat([]byte{5}, 70000), Extended: true})
				}
				b := encode(t, h, vlrs, recs, WithChunkSize(500), WithWorkers(2))
				r := openBytes(t, b)
				if w := r.Warnings(); len(w) > 0 {
					t.Errorf("warnings: %q", w)
				}
				sameRecords(t, l.Length, mustAll(t, r), recs)
				checkHeader(t, r.Header(), h, l, recs)
				var kept []VLR
				for _, v := range r.VLRs() {
					if v.UserID != UserLASzip {
						v.raw = ""
						kept = append(kept, v)
					}
				}
				for i := range vlrs {
					vlrs[i].raw = ""
					if vlrs[i].Data == nil {
						vlrs[i].Data = []byte{}
					}
				}
				if !reflect.DeepEqual(kept, vlrs) {
					t.Errorf("records differ:\n got %+v\nwant %+v", kept, vlrs)
				}
				// Writing what was read gives the same bytes.
				again := encode(t, r.Header(), r.VLRs(), recs)
				if !bytes.Equal(again, b) {
					t.Errorf("file written again differs (%d and %d bytes)", len(again), len(b))
				}
			})
		}
	}
}

func checkHeader(t *testing.T, got, want Header, l Layout, recs []byte) {
	t.Helper()
	var s Stats
	s.Add(l, recs)
	if want.VersionMinor < 4 {
		clear(s.ByReturn[5:]) // older headers count five returns
	}
	if got.PointCount != s.Count || got.PointsByReturn != s.ByReturn {
		t.Errorf("counts %d %v, want %d %v", got.PointCount, got.PointsByReturn, s.Count, s.ByReturn)
	}
	for i := range 3 {
		lo := float64(s.Min[i])*want.Scale[i] + want.Offset[i]
		hi := float64(s.Max[i])*want.Scale[i] + want.Offset[i]
		if got.Min[i] != lo || got.Max[i] != hi {
			t.Errorf("axis %d: bounds %v to %v, want %v to %v", i, got.Min[i], got.Max[i], lo, hi)
		}
	}
	if int(got.HeaderSize) != standardHeaderSize(want.VersionMinor) || got.GUID != want.GUID ||
		got.SystemIdentifier != want.SystemIdentifier || got.GlobalEncoding != want.GlobalEncoding ||
		got.CreationDay != want.CreationDay || got.Scale != want.Scale || got.Compressed != want.Compressed {
		t.Errorf("header %+v, want %+v", got, want)
	}
}

func TestVersions(t *testing.T) {
	for minor := uint8(0); minor <= 4; minor++ {
		h := testHeader(1, 0, false)
		h.VersionMinor = minor
		h.extra = "kept" // a header longer than the version's
		l, _ := NewLayout(1, int(h.PointRecordLength))
		recs := records(l, 10, 3)
		r := openBytes(t, encode(t, h, someVLRs()[:1], recs))
		if w := r.Warnings(); len(w) > 0 {
			t.Errorf("1.%d: warnings: %q", minor, w)
		}
		if r.Header().VersionMinor != minor || r.Header().extra != "kept" {
			t.Errorf("1.%d: header %+v", minor, r.Header())
		}
		sameRecords(t, l.Length, mustAll(t, r), recs)
	}
	h := testHeader(6, 0, false)
	h.VersionMinor = 2
	if _, err := NewWriter(&memFile{}, h, nil); err == nil || !strings.Contains(err.Error(), "version 1.4") {
		t.Errorf("format 6 in version 1.2: error %v", err)
	}
}

func TestRandomAccess(t *testing.T) {
	ctx := context.Background()
	for _, compressed := range []bool{false, true} {
		h := testHeader(7, 0, compressed)
		l, _ := NewLayout(7, int(h.PointRecordLength))
		recs := records(l, 5000, 4)
		r := openBytes(t, encode(t, h, nil, recs, WithChunkSize(333)))
		var wg sync.WaitGroup
		for seed := range uint64(3) {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(seed, 1))
				buf := make([]byte, 1200*l.Length)
				for range 40 {
					first, n := rng.IntN(5000), 1+rng.IntN(1200)
					got, err := r.ReadAt(ctx, buf[:n*l.Length], uint64(first))
					want := recs[first*l.Length : min(first+n, 5000)*l.Length]
					if err != nil || !bytes.Equal(buf[:got*l.Length], want) {
						t.Errorf("ReadAt %d points at %d: %d points, %v", n, first, got, err)
						return
					}
				}
			})
		}
		wg.Wait()
		if n, err := r.ReadAt(ctx, make([]byte, l.Length), 5000); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %d points, %v", n, err)
		}
		stop, cancel := context.WithCancel(ctx)
		cancel()
		if err := r.Each(stop, 2, func(Chunk, []byte) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("Each after cancel: %v", err)
		}
		own := errors.New("own")
		if err := r.Each(ctx, 2, func(Chunk, []byte) error { return own }); !errors.Is(err, own) {
			t.Errorf("Each with failing function: %v", err)
		}
		seen := make([]byte, len(recs))
		if err := r.Each(ctx, 3, func(c Chunk, b []byte) error {
			copy(seen[int(c.First)*l.Length:], b)
			return nil
		}); err != nil {
			t.Error(err)
		}
		sameRecords(t, l.Length, seen, recs)
	}
}

func TestEmptyAndSingle(t *testing.T) {
	for _, compressed := range []bool{false, true} {
		for _, format := range []uint8{3, 6} {
			for n := range 2 {
				h := testHeader(format, 0, compressed)
				l, _ := NewLayout(format, int(h.PointRecordLength))
				recs := records(l, n, 5)
				r := openBytes(t, encode(t, h, nil, recs))
				if len(r.Warnings()) > 0 || r.NumPoints() != uint64(n) {
					t.Errorf("%s with %d points: %d points, %q", name(format, compressed), n, r.NumPoints(), r.Warnings())
				}
				sameRecords(t, l.Length, mustAll(t, r), recs)
			}
		}
	}
}

func TestWriteChunk(t *testing.T) {
	ctx := context.Background()
	for _, format := range []uint8{3, 7} {
		h := testHeader(format, 3, true)
		l, _ := NewLayout(format, int(h.PointRecordLength))
		recs := records(l, 3000, 6)
		source := openBytes(t, encode(t, h, nil, recs, WithChunkSize(700)))
		var f memFile
		w, err := NewWriter(&f, h, nil, WithChunkSize(VariableChunks))
		if err != nil {
			t.Fatal(err)
		}
		var raw []byte
		var want []byte
		for i := range source.Chunks() { // from the back, so that sizes differ
			i = len(source.Chunks()) - 1 - i
			c := source.Chunks()[i]
			if raw, err = source.RawChunk(i, raw); err != nil {
				t.Fatal(err)
			}
			at := w.Position()
			if err := w.WriteChunk(c.Points, raw, nil); err != nil {
				t.Fatal(err)
			}
			if w.Position() != at+int64(len(raw)) {
				t.Errorf("position %d after %d bytes at %d", w.Position(), len(raw), at)
			}
			first := int(c.First) * l.Length
			want = append(want, recs[first:first+c.Points*l.Length]...)
		}
		if err := w.Write(ctx, recs[:5*l.Length]); err != nil {
			t.Fatal(err)
		}
		want = append(want, recs[:5*l.Length]...)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r := openBytes(t, f.b)
		if len(r.Warnings()) > 0 {
			t.Errorf("warnings: %q", r.Warnings())
		}
		sameRecords(t, l.Length, mustAll(t, r), want)

		// A whole file around one chunk, as EPT nodes are.
		if raw, err = source.RawChunk(0, raw); err != nil {
			t.Fatal(err)
		}
		var s Stats
		s.Add(l, recs[:700*l.Length])
		for _, vlrs := range [][]VLR{nil, source.VLRs()} { // default chunk size, and one that is too small
			file, err := AppendFile([]byte("prefix"), h, vlrs, raw, s)
			if err != nil {
				t.Fatal(err)
			}
			r = openBytes(t, file[6:])
			if len(r.Warnings()) > 0 {
				t.Errorf("warnings: %q", r.Warnings())
			}
			sameRecords(t, l.Length, mustAll(t, r), recs[:700*l.Length])
		}
	}
}

func TestWaveformsKept(t *testing.T) {
	for _, tc := range []struct{ format, minor uint8 }{{4, 3}, {5, 3}, {4, 4}, {9, 4}, {10, 4}} {
		h := testHeader(tc.format, 0, false)
		h.VersionMinor = tc.minor
		h.GlobalEncoding |= EncodingInternalWaveform
		l, _ := NewLayout(tc.format, int(h.PointRecordLength))
		recs := records(l, 20, 7)
		packets := VLR{UserID: UserSpec, RecordID: RecordWaveform, Data: bytes.Repeat([]byte("wave"), 300), Extended: true}
		b := encode(t, h, []VLR{packets}, recs)
		r := openBytes(t, b)
		// A record more in front of the points moves the packets.
		moved := encode(t, r.Header(), append([]VLR{{UserID: "more", Data: make([]byte, 99)}}, r.VLRs()...), mustAll(t, r))
		for _, file := range [][]byte{b, moved} {
			r := openBytes(t, file)
			at := r.Header().WaveformOffset
			if len(r.Warnings()) > 0 || !bytes.HasPrefix(file[at+evlrHeaderSize:], packets.Data) {
				t.Errorf("format %d in 1.%d: packets are not at byte %d; %q", tc.format, tc.minor, at, r.Warnings())
			}
			got, err := io.ReadAll(r.Waveform())
			if err != nil || !bytes.Equal(got, packets.Data) {
				t.Errorf("Waveform gives %d bytes, %v", len(got), err)
			}
			sameRecords(t, l.Length, mustAll(t, r), recs)
		}
		// Larger than the limit: not loaded, and streamed into a new file.
		r = openBytes(t, b, WithLimits(Limits{MaxRecordBytes: 1000}))
		if len(r.VLRs()) != 0 || len(r.Warnings()) != 1 {
			t.Errorf("with a limit: %d records, %q", len(r.VLRs()), r.Warnings())
		}
		var f memFile
		w, err := NewWriter(&f, r.Header(), r.VLRs())
		if err == nil {
			err = w.AddExtended(VLR{UserID: UserSpec, RecordID: RecordWaveform}, r.Waveform(), r.Waveform().Size())
		}
		if err == nil {
			err = w.Write(context.Background(), recs)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(f.b, b) {
			t.Errorf("streamed packets give another file")
		}
	}
	// The flag does not outlive the packets; an external file's does.
	h := testHeader(9, 0, false)
	h.GlobalEncoding |= EncodingInternalWaveform
	if g := openBytes(t, encode(t, h, nil, nil)).Header().GlobalEncoding; g&EncodingInternalWaveform != 0 {
		t.Errorf("global encoding %#x without packets", g)
	}
	h.GlobalEncoding = EncodingExternalWaveform
	if g := openBytes(t, encode(t, h, nil, nil)).Header().GlobalEncoding; g != EncodingExternalWaveform {
		t.Errorf("global encoding %#x with an external file", g)
	}
}
