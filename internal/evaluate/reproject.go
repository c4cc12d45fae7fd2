package evaluate

import (
	"context"
	"fmt"
	"math"

	"slate360.ai/worker/geom/meshdistance"
	"slate360.ai/worker/geom/raycast"
)

// Reprojected draws an orthophoto of a result on the raster of the truth: each pixel is
// looked up at the height that the true surface has there. toResult takes the frame of
// the truth to that of the result, and the offsets are from these frames to the
// coordinates that the pictures lie in.
func Reprojected(ctx context.Context, result, truth *Picture, surface meshdistance.Mesh, toResult Similarity, truthOffset, resultOffset [3]float64) (*Picture, error) {
	rays, err := raycast.New(surface.Positions, surface.Indices)
	if err != nil {
		return nil, fmt.Errorf("true surface: %w", err)
	}
	top := float32(math.Inf(-1))
	for i := 2; i < len(surface.Positions); i += 3 {
		top = max(top, surface.Positions[i])
	}
	top++
	out := &Picture{Cols: truth.Cols, Rows: truth.Rows, West: truth.West, North: truth.North, Cell: truth.Cell, Grey: make([]float32, len(truth.Grey))}
	hint := int32(-1)
	for row := range out.Rows {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for col := range out.Cols {
			x := truth.West + (float64(col)+.5)*truth.Cell - truthOffset[0]
			y := truth.North - (float64(row)+.5)*truth.Cell - truthOffset[1]
			ray := raycast.Ray{Origin: [3]float32{float32(x), float32(y), top}, Direction: [3]float32{0, 0, -1}}
			i := row*out.Cols + col
			h, ok := rays.Nearest(&ray, 0, 1e6, hint)
			if !ok {
				out.Grey[i] = float32(math.NaN())
				continue
			}
			hint = h.Triangle
			p := toResult.Apply([3]float64{x, y, float64(top - h.T)})
			out.Grey[i] = result.At(p[0]+resultOffset[0], p[1]+resultOffset[1])
		}
	}
	return out, nil
}
