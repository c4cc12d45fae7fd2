package mvs

import (
	"math/rand/v2"
	"testing"
)

func BenchmarkCost(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	const w, h = 800, 600
	gray := make([]uint8, w*h)
	for i := range gray {
		gray[i] = uint8(r.IntN(256))
	}
	p := newPicture(w, h, gray)
	win := newWindow(w, 0)
	win.load(p, 400, 300)
	b.Run("load", func(b *testing.B) {
		for i := range b.N {
			win.load(p, 100+i%500, 300)
		}
	})
	b.Run("correlate", func(b *testing.B) {
		s := float32(0)
		for i := range b.N {
			s += win.correlate(p, float32(100+i%500)+0.3, 200.7, 1.9, 0.1, -0.1, 2.1)
		}
		_ = s
	})
}
