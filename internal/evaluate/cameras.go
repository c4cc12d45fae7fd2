package evaluate

import (
	"fmt"
	"math"
	"slices"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/geom/camera"
)

// Cameras is how well cameras are placed, after the similarity that fits their centres
// to the truth best.
type Cameras struct {
	// Registered of all photos of the truth.
	Registered int `json:"registered"`
	Photos     int `json:"photos"`
	// ToTruth takes the frame of the result to that of the truth.
	ToTruth Similarity `json:"toTruth"`
	// RMS, Mean and Max of distances of centres, in ground sampling distances.
	RMS  float64 `json:"rmsGSD"`
	Mean float64 `json:"meanGSD"`
	Max  float64 `json:"maxGSD"`
	// Rotation is the mean angle between axes, in degrees.
	Rotation float64 `json:"rotationDegrees"`
	// Each photo's distance in ground sampling distances, in the order of the truth;
	// -1 where it is not registered.
	Each []PhotoError `json:"each"`
}

// PhotoError is the error of one photo.
type PhotoError struct {
	Name     string  `json:"name"`
	Distance float64 `json:"distanceGSD"`
	Rotation float64 `json:"rotationDegrees"`
}

// CompareCameras measures the poses of a model against the true ones, by the names of
// photos. gsd is the ground sampling distance in the unit of the truth.
func CompareCameras(result, truth *colmap.Model, gsd float64) (*Cameras, error) {
	poses := map[string]camera.Pose{}
	for _, i := range result.Images {
		poses[i.Name] = camera.FromQuaternion(i.Rotation, i.Translation)
	}
	out := &Cameras{Photos: len(truth.Images)}
	var from, to [][3]float64
	for _, i := range truth.Images {
		if p, ok := poses[i.Name]; ok {
			from, to = append(from, p.Center()), append(to, camera.FromQuaternion(i.Rotation, i.Translation).Center())
		}
	}
	out.Registered = len(from)
	s, err := Align(from, to)
	if err != nil {
		return out, fmt.Errorf("align %d of %d cameras: %w", len(from), len(truth.Images), err)
	}
	out.ToTruth = s
	for _, i := range truth.Images {
		p, ok := poses[i.Name]
		if !ok {
			out.Each = append(out.Each, PhotoError{i.Name, -1, -1})
			continue
		}
		want := camera.FromQuaternion(i.Rotation, i.Translation)
		at, c := s.Apply(p.Center()), want.Center()
		d := math.Sqrt((at[0]-c[0])*(at[0]-c[0])+(at[1]-c[1])*(at[1]-c[1])+(at[2]-c[2])*(at[2]-c[2])) / gsd
		angle := angleBetween(p.Transformed(s.Scale, s.R, s.T).R, want.R)
		out.Each = append(out.Each, PhotoError{i.Name, d, angle})
		out.RMS += d * d / float64(out.Registered)
		out.Mean += d / float64(out.Registered)
		out.Rotation += angle / float64(out.Registered)
		out.Max = max(out.Max, d)
	}
	out.RMS = math.Sqrt(out.RMS)
	return out, nil
}

// angleBetween two rotations, in degrees: of A·Bᵀ, whose sine is exact where it is small.
func angleBetween(a, b [9]float64) float64 {
	var m [9]float64
	for i := range 3 {
		for j := range 3 {
			m[3*i+j] = a[3*i]*b[3*j] + a[3*i+1]*b[3*j+1] + a[3*i+2]*b[3*j+2]
		}
	}
	sine := math.Sqrt((m[7]-m[5])*(m[7]-m[5])+(m[2]-m[6])*(m[2]-m[6])+(m[3]-m[1])*(m[3]-m[1])) / 2
	return math.Atan2(sine, (m[0]+m[4]+m[8]-1)/2) * 180 / math.Pi
}

// quantile of a list, which is sorted; 0 of none.
func quantile(list []float64, q float64) float64 {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[min(len(list)-1, int(q*float64(len(list))))]
}
