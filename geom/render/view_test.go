package render

import (
	"context"
	"math"
	"testing"

	"slate360.ai/worker/geom/camera"
)

// TestView holds that a picture taken by a camera shows points where it projects them.
func TestView(t *testing.T) {
	v := View{
		Camera: camera.NewPinhole(320, 200, 300, 310, 170, 90),
		Pose:   camera.LookAt([3]float64{4, -7, 3}, [3]float64{0, 0, 1}, [3]float64{0, 0, 1}),
	}
	m := &Mesh{Indices: []uint32{0, 1, 2}}
	places := [3][3]float64{{-1, 0.2, 0}, {1.2, -0.5, 0.4}, {0.3, 0.8, 2.2}}
	for _, p := range places {
		m.Positions = append(m.Positions, float32(p[0]), float32(p[1]), float32(p[2]))
	}
	white := DefaultMaterial()
	white.Unlit, white.DoubleSided = true, true
	img, err := Draw(context.Background(), &Scene{Meshes: []*Mesh{m}, Materials: []Material{white}}, Options{Width: 640, Height: 400, Samples: 1, View: &v})
	if err != nil {
		t.Fatal(err)
	}
	big := v.Camera.Scaled(640, 400)
	var corner [3][2]float64
	var middle [2]float64
	for k, p := range places {
		x, y, ok := big.Project(v.Pose.Apply(p))
		if !ok {
			t.Fatal("behind the camera")
		}
		corner[k] = [2]float64{x, y}
		middle[0], middle[1] = middle[0]+x/3, middle[1]+y/3
	}
	for k, c := range corner {
		for _, share := range []float64{0.95, 1.05} { // just inside the corner, just outside
			x, y := middle[0]+(c[0]-middle[0])*share, middle[1]+(c[1]-middle[1])*share
			if alpha := img.NRGBAAt(int(math.Floor(x)), int(math.Floor(y))).A; (alpha == 255) != (share < 1) {
				t.Errorf("corner %d: alpha %d at %g of the way", k, alpha, share)
			}
		}
	}
}
