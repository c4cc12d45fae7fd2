// Command lazspeed decodes a LAZ file and encodes its points again, as a
// benchmark: it prints the best wall times of some rounds, in seconds, as JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"slate360.ai/worker/codec/las"
)

// nowhere is a file that forgets what is written, as lazrs writes to memory.
type nowhere struct{ at, end int64 }

func (n *nowhere) Write(b []byte) (int, error) {
	n.at += int64(len(b))
	n.end = max(n.end, n.at)
	return len(b), nil
}

func (n *nowhere) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case 1:
		offset += n.at
	case 2:
		offset += n.end
	}
	n.at = offset
	return offset, nil
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: lazspeed FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(path string) error {
	const rounds = 3
	ctx := context.Background()
	best := map[string]float64{}
	note := func(what string, start time.Time) {
		if s := time.Since(start).Seconds(); best[what] == 0 || s < best[what] {
			best[what] = s
		}
	}
	for range rounds {
		r, err := las.Open(path)
		if err != nil {
			return err
		}
		records := make([]byte, int(r.NumPoints())*r.Layout().Length)
		start := time.Now()
		if err := r.Each(ctx, 0, func(c las.Chunk, b []byte) error {
			copy(records[int(c.First)*r.Layout().Length:], b)
			return nil
		}); err != nil {
			return err
		}
		note("decode", start)
		start = time.Now()
		w, err := las.NewWriter(&nowhere{}, r.Header(), r.VLRs())
		if err != nil {
			return err
		}
		if err := w.Write(ctx, records); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		note("encode", start)
		if err := r.Close(); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(best)
}
