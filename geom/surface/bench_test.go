package surface

import (
	"context"
	"testing"
)

func BenchmarkReconstruct(b *testing.B) {
	s := site()
	s.rays *= 2
	c, _ := s.measured().cloud()
	for name, mode := range map[string]Mode{"volume": Volume, "height field": HeightField} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Reconstruct(context.Background(), c, Options{Mode: mode}, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(c.Points)/3)*float64(b.N)/b.Elapsed().Seconds(), "points/s")
		})
	}
}
