package sample

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"slate360.ai/worker/codec/las"
)

// TestPointcloud holds that the file is what truth.json says, and looks like a
// scan: strips that overlap, time that goes on, last returns on the ground.
func TestPointcloud(t *testing.T) {
	dir := t.TempDir()
	truth, err := Pointcloud(context.Background(), dir, Params{Points: 200000, Seed: 7, Workers: 3})
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "truth.json"))
	if err != nil {
		t.Fatal(err)
	}
	var said Truth
	if err := json.Unmarshal(b, &said); err != nil || said.Points != truth.Points {
		t.Fatalf("truth.json: %s, %v", b, err)
	}
	r, err := las.Open(filepath.Join(dir, "scan.laz"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n := float64(r.NumPoints()); math.Abs(n-200000) > 40000 || r.NumPoints() != uint64(truth.Points) || len(r.Warnings()) > 0 {
		t.Errorf("%v points of 200,000, truth says %d, %v", n, truth.Points, r.Warnings())
	}
	l := r.Layout()
	classes, sources := map[uint8]int{}, map[uint16]int{}
	last := math.Inf(-1)
	if err := r.Each(context.Background(), 1, func(_ las.Chunk, records []byte) error {
		for ; len(records) > 0; records = records[l.Length:] {
			rec := records[:l.Length]
			classes[l.Classification(rec)]++
			sources[l.PointSourceID(rec)]++
			if now := l.GPSTimeOf(rec); now < last {
				t.Fatalf("time goes back from %f to %f", last, now)
			} else {
				last = now
			}
			if n, of := l.ReturnNumber(rec), l.NumberOfReturns(rec); n < 1 || n > of {
				t.Fatalf("return %d of %d", n, of)
			} else if c := l.Classification(rec); c == classGround && n != of {
				t.Fatal("a pulse goes on below the ground")
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []uint8{classGround, classHigh, classBuilding, classLowNoise, classWater, classRoad, classHighNoise} {
		if classes[c] == 0 {
			t.Errorf("no points of class %d: %v", c, classes)
		}
	}
	if len(sources) != truth.Strips || truth.Strips < 1 {
		t.Errorf("%d strips, truth says %d", len(sources), truth.Strips)
	}
}

// TestSeed holds that a seed gives one file, whatever the workers, and another
// seed another.
func TestSeed(t *testing.T) {
	file := func(seed uint64, workers int) []byte {
		dir := t.TempDir()
		if _, err := Pointcloud(context.Background(), dir, Params{Points: 50000, Seed: seed, Workers: workers}); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, "scan.laz"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	one := file(1, 1)
	if !bytes.Equal(one, file(1, 4)) {
		t.Error("the number of workers changes the file")
	}
	if bytes.Equal(one, file(2, 1)) {
		t.Error("the seed does not change the file")
	}
}

func TestRefused(t *testing.T) {
	if _, err := Pointcloud(context.Background(), t.TempDir(), Params{Points: 5}); err == nil {
		t.Error("5 points are no error")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Pointcloud(ctx, t.TempDir(), Params{Points: 5000}); err == nil {
		t.Error("the end of the context is no error")
	}
}
