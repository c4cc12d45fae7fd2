package ept

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"slate360.ai/worker/codec/las"
	"slate360.ai/worker/codec/laz"
)

func write(t *testing.T, dir string, keys map[Key]bool) {
	t.Helper()
	h := las.Header{VersionMajor: 1, VersionMinor: 4, PointFormat: 6, PointRecordLength: 30, Scale: [3]float64{1, 1, 1}, Compressed: true}
	w, err := NewWriter(dir, h, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := las.NewLayout(6, 30)
	if err != nil {
		t.Fatal(err)
	}
	rec := make([]byte, 30)
	l.SetXYZ(rec, 1, 2, 3)
	e, err := laz.NewEncoder(6, 30)
	if err != nil {
		t.Fatal(err)
	}
	chunk, err := e.Encode(nil, rec)
	if err != nil {
		t.Fatal(err)
	}
	var stats las.Stats
	stats.Add(l, rec)
	var buf []byte
	for k := range keys {
		if buf, err = w.WriteNode(k, chunk, &stats, buf); err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteNode(k, chunk, &stats, nil); err == nil {
			t.Fatal("a node twice is no error")
		}
	}
	nan, one := math.NaN(), 1.0
	d := Description{Span: 128, Schema: []Dimension{{Name: "X", Type: "signed", Size: 4, Count: 3, Minimum: &one, Mean: &nan}}}
	if err := w.Close(d, []Source{{Path: "a.laz", Points: 1}}); err != nil {
		t.Fatal(err)
	}
}

// counts reads the hierarchy from a page on.
func counts(t *testing.T, dir, name string, into map[string]int64) (pages int) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "ept-hierarchy", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var page map[string]int64
	if err := json.Unmarshal(b, &page); err != nil {
		t.Fatal(err)
	}
	pages = 1
	for k, n := range page {
		if n == -1 {
			pages += counts(t, dir, k, into)
			continue
		}
		if _, twice := into[k]; twice {
			t.Errorf("node %s twice", k)
		}
		into[k] = n
	}
	return pages
}

func TestHierarchy(t *testing.T) {
	keys := map[Key]bool{{}: true, {1, 1, 0, 0}: true, {5, 31, 31, 31}: true}
	dir := t.TempDir()
	write(t, dir, keys)
	got := map[string]int64{}
	if pages := counts(t, dir, "0-0-0-0", got); pages != 1 {
		t.Errorf("%d pages", pages)
	}
	// Nodes above the deep one have no points, but readers go through them.
	for _, k := range []string{"1-1-1-1", "2-3-3-3", "3-7-7-7", "4-15-15-15"} {
		if n, ok := got[k]; !ok || n != 0 {
			t.Errorf("node %s: %d, %t", k, n, ok)
		}
	}
	if len(got) != 7 || got["5-31-31-31"] != 1 {
		t.Errorf("hierarchy %v", got)
	}
	b, err := os.ReadFile(filepath.Join(dir, "ept.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Points                           int
		DataType, HierarchyType, Version string
		Schema                           []map[string]any
	}
	if err := json.Unmarshal(b, &d); err != nil || d.Points != 3 || d.DataType != "laszip" || d.HierarchyType != "json" || d.Version != "1.1.0" {
		t.Errorf("%s, %v", b, err)
	}
	if _, ok := d.Schema[0]["mean"]; ok || d.Schema[0]["minimum"] != 1.0 {
		t.Errorf("schema %v", d.Schema)
	}
}

// TestPages holds that large hierarchies are split, and complete.
func TestPages(t *testing.T) {
	keys := map[Key]bool{{}: true}
	for x := range uint32(130) {
		for y := range uint32(130) {
			keys[Key{8, x, y, 0}] = true
		}
	}
	dir := t.TempDir()
	write(t, dir, keys)
	got := map[string]int64{}
	if pages := counts(t, dir, "0-0-0-0", got); pages < 2 {
		t.Errorf("%d pages for %d nodes", pages, len(keys))
	}
	for k := range keys {
		if got[k.String()] != 1 {
			t.Errorf("node %v has %d points", k, got[k.String()])
		}
	}
}

func TestEmpty(t *testing.T) {
	w, err := NewWriter(t.TempDir(), las.Header{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if w.Close(Description{}, nil) == nil {
		t.Error("a set without nodes is no error")
	}
}
