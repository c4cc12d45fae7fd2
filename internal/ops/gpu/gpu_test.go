package gpu

import (
	"os"
	"path/filepath"
	"testing"
)

const two = `0, NVIDIA H100 80GB HBM3, 550.54.15, 37, 81559, 1024, 41, 123.45
1, Tesla T4, 550.54.15, [N/A], 15360, 0, 30, [Not Supported]
`

func TestParse(t *testing.T) {
	cards, err := Parse(two)
	if err != nil || len(cards) != 2 {
		t.Fatalf("%v, %v", cards, err)
	}
	want := Card{
		Index: 0, Name: "NVIDIA H100 80GB HBM3", Driver: "550.54.15", Utilization: 37, MemoryTotal: 81559 << 20, MemoryUsed: 1 << 30,
		Temperature: 41, Power: 123.45,
	}
	if cards[0] != want {
		t.Errorf("%+v, want %+v", cards[0], want)
	}
	if c := cards[1]; c.Index != 1 || c.Utilization != 0 || c.Power != 0 || c.MemoryTotal != 15360<<20 {
		t.Errorf("%+v", c)
	}
	for _, bad := range []string{"x, a, b, 1, 2, 3, 4, 5", "0, a", "No devices were found"} {
		if cards, err := Parse(bad); err == nil {
			t.Errorf("%q: %+v", bad, cards)
		}
	}
}

// The program is asked as it is, and once for answers that follow each other.
func TestReader(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\necho \"$@\" >>" + filepath.Join(dir, "asked") + "\ncat <<'END'\n" + two + "END\n"
	if err := os.WriteFile(filepath.Join(dir, "nvidia-smi"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	r := NewReader()
	for range 3 {
		if cards, err := r.Cards(t.Context()); err != nil || len(cards) != 2 {
			t.Fatalf("%v, %v", cards, err)
		}
	}
	asked, err := os.ReadFile(filepath.Join(dir, "asked"))
	if err != nil || string(asked) != "--query-gpu="+fields+" --format=csv,noheader,nounits\n" {
		t.Errorf("asked %q, %v", asked, err)
	}
	t.Setenv("PATH", t.TempDir())
	if cards, err := NewReader().Cards(t.Context()); err != nil || len(cards) > 0 {
		t.Errorf("without a driver: %v, %v", cards, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(two)
	f.Add("0,,,,,,,")
	f.Fuzz(func(t *testing.T, text string) {
		cards, err := Parse(text)
		if err != nil && cards != nil {
			t.Errorf("%q: %v, %v", text, cards, err)
		}
		for _, c := range cards {
			if c.MemoryTotal < 0 || c.MemoryUsed < 0 || c.Utilization < 0 || c.Power < 0 {
				t.Errorf("%q: %+v", text, c)
			}
		}
	})
}
