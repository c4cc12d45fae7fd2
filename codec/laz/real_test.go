package laz

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"

	"slate360.ai/worker/internal/testdata"
)

// benchPoints is the number of points of a chunk, as is custom.
const benchPoints = 50000

// input is a chunk to measure.
type input struct {
	name           string
	format         uint8
	length         int
	chunk, records []byte
}

// realInput gives the first chunk of a real file, autzen_trim.laz of format 3 or
// autzen-small.laz of format 7.
func realInput(b testing.TB, file string) input {
	b.Helper()
	data, err := os.ReadFile(testdata.Path(b, "pointcloud/"+file))
	if err != nil {
		b.Fatal(err)
	}
	le := binary.LittleEndian
	in := input{format: data[104] &^ 0xC0, length: int(le.Uint16(data[105:]))}
	start := int64(le.Uint32(data[96:]))
	entries, _, err := ParseChunkTable(data[le.Uint64(data[start:]):], false, 1<<20)
	if err != nil {
		b.Fatal(err)
	}
	in.chunk = data[start+8 : start+8+int64(entries[0].Bytes)]
	in.records = make([]byte, benchPoints*in.length)
	if err := mustDecoder(b, in.format, in.length).Decode(in.records, in.chunk, benchPoints); err != nil {
		b.Fatal(err)
	}
	return in
}

// TestSameBytes encodes the points of chunks that other encoders wrote: every byte must
// come out as it was.
func TestSameBytes(t *testing.T) {
	for _, file := range []string{"autzen_trim.laz", "autzen-small.laz", "autzen.laz"} {
		t.Run(file, func(t *testing.T) {
			in := realInput(t, file)
			if got := mustEncode(t, in.format, in.length, in.records); !bytes.Equal(got, in.chunk) {
				t.Errorf("%d bytes became %d others", len(in.chunk), len(got))
			}
		})
	}
}
