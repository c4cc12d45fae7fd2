package thumbnail

import (
	"encoding/json"
	"image"
	"image/color"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"slate360.ai/worker/internal/testdata"
)

// TestAnimation has libvips read an animation: the same pixels, for as long.
func TestAnimation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.webp")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const width, height = 33, 21
	a := &animation{w: f, width: width, height: height}
	var want [][]byte
	delays := []int{40, 250, 17}
	for i, millis := range delays {
		img := image.NewNRGBA(image.Rect(0, 0, width, height))
		var rgb []byte
		for y := range height {
			for x := range width {
				c := color.NRGBA{uint8(7 * x), uint8(80 * i), uint8(x * y), 255}
				img.SetNRGBA(x, y, c)
				rgb = append(rgb, c.R, c.G, c.B)
			}
		}
		want = append(want, rgb)
		if err := a.add(img, millis); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.finish(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(testdata.Tool(t, "node"), filepath.Join("testdata", "frames.cjs"), path)
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(testdata.RepoRoot(t), ".tools", "node_modules"))
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Delay               []int
		Loop, Width, Height int
		Frames              [][]byte
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Delay, delays) || got.Loop != 0 || got.Width != width || got.Height != height || len(got.Frames) != len(want) {
		t.Fatalf("delays %v, %d repetitions, %d × %d, %d frames", got.Delay, got.Loop, got.Width, got.Height, len(got.Frames))
	}
	for i := range want {
		if !slices.Equal(got.Frames[i], want[i]) {
			t.Errorf("frame %d has other pixels", i)
		}
	}
}

// TestAnimationFaults: a frame of another size, and no frame, are errors.
func TestAnimationFaults(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "a.webp"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a := &animation{w: f, width: 4, height: 4}
	if a.finish() == nil {
		t.Error("an animation without frames")
	}
	if a.add(image.NewNRGBA(image.Rect(0, 0, 5, 4)), 10) == nil {
		t.Error("a frame that is too large")
	}
}
