package thumbnail

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"os"

	"github.com/HugoSmits86/nativewebp"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

// Size of turntables in pixels, and how long a turn takes.
const (
	TurntableWidth  = 512
	TurntableHeight = 384
	turnMillis      = 6000
)

// PublishTurntable writes turntable.webp, an animation without end, and registers it.
// draw hands over frames pictures, which may be transparent, one after the other.
func PublishTurntable(s *pipeline.Context, frames int, draw func(yield func(*image.NRGBA) error) error) error {
	const name = "turntable.webp"
	f, err := os.Create(s.OutputPath(name))
	if err != nil {
		return err
	}
	defer f.Close()
	a := &animation{w: f, width: TurntableWidth, height: TurntableHeight}
	done := 0
	err = draw(func(img *image.NRGBA) error {
		// Times are whole milliseconds that add up to the turn.
		millis := turnMillis*(done+1)/frames - turnMillis*done/frames
		done++
		s.Progress(float64(done), float64(frames))
		return a.add(onBackground(img), millis)
	})
	if err == nil {
		err = a.finish()
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	s.Publish(job.Output{Type: job.TypeTurntable, Path: name, Width: TurntableWidth, Height: TurntableHeight})
	return f.Close()
}

// animation writes a WebP of several frames, each whole and lossless, repeated without
// end ("WebP Container Specification", sections "Extended File Format" and "Animation").
type animation struct {
	w             io.WriteSeeker
	width, height int
	frames        int
}

const riffHead = 8 // "RIFF" and the size of what follows

// add appends a frame.
func (a *animation) add(img image.Image, millis int) error {
	if b := img.Bounds(); b.Dx() != a.width || b.Dy() != a.height {
		return fmt.Errorf("a frame of %d × %d pixels in an animation of %d × %d", b.Dx(), b.Dy(), a.width, a.height)
	}
	if a.frames == 0 {
		if _, err := a.w.Write(a.header()); err != nil {
			return err
		}
	}
	a.frames++
	var still bytes.Buffer
	if err := nativewebp.Encode(&still, img, nil); err != nil {
		return err
	}
	const head = riffHead + 4 // and "WEBP": its chunks follow
	if still.Len() < head {
		return errors.New("the encoder wrote no picture")
	}
	body := still.Bytes()[head:]
	frame := appendUint24(nil, 0, 0, a.width-1, a.height-1, millis)
	frame = append(frame, 2) // does not blend with what was there
	_, err := a.w.Write(appendChunk(nil, "ANMF", append(frame, body...)))
	return err
}

// header is all that stands before the first frame; the size of the file is not known
// yet.
func (a *animation) header() []byte {
	const animated = 2
	out := []byte("RIFF\x00\x00\x00\x00WEBP")
	out = appendChunk(out, "VP8X", appendUint24([]byte{animated, 0, 0, 0}, a.width-1, a.height-1))
	return appendChunk(out, "ANIM", make([]byte, 6)) // transparent behind it, no end
}

// finish writes the size.
func (a *animation) finish() error {
	if a.frames == 0 {
		return errors.New("there are no frames")
	}
	end, err := a.w.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if _, err := a.w.Seek(4, io.SeekStart); err != nil {
		return err
	}
	_, err = a.w.Write(binary.LittleEndian.AppendUint32(nil, uint32(end-riffHead)))
	return err
}

func appendChunk(out []byte, name string, data []byte) []byte {
	out = binary.LittleEndian.AppendUint32(append(out, name...), uint32(len(data)))
	out = append(out, data...)
	if len(data)%2 > 0 {
		out = append(out, 0)
	}
	return out
}

func appendUint24(out []byte, values ...int) []byte {
	for _, v := range values {
		out = append(out, byte(v), byte(v>>8), byte(v>>16))
	}
	return out
}
