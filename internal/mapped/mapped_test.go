package mapped

import (
	"path/filepath"
	"slices"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "numbers")
	want := []int32{1, -2, 1 << 30, -1 << 31}
	if err := Write(path, want); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := Values[int32](f.Bytes()); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := Values[uint64](f.Bytes()); len(got) != 2 || got[0] != 1|0xFFFFFFFE<<32 {
		t.Errorf("as 64 bits: %x", got)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestEmptyAndAbsent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "empty")
	if err := Write(path, []uint8(nil)); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil || len(f.Bytes()) != 0 || Values[uint32](f.Bytes()) != nil {
		t.Errorf("empty file: %v", err)
	}
	if _, err := Open(path + "x"); err == nil {
		t.Error("an absent file was mapped")
	}
}
