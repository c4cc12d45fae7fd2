package job

import (
	"slices"
	"strings"
)

// Options are the wishes of a job. Use DefaultOptions or ParseOptions: the zero
// value is not a valid one.
type Options struct {
	// Formats are the output types wanted; empty means all the pipeline offers.
	Formats []string `json:"formats"`
	// Quality of lossy outputs, 0 (smallest) to 1 (best).
	Quality     float64 `json:"quality"`
	GenerateLOD bool    `json:"generateLOD"`
	// DracoCompression is the effort, 0 (off) to 10 (smallest).
	DracoCompression int `json:"dracoCompression"`
	// TargetVertices are the vertex counts of the detail levels, finest first.
	TargetVertices []int   `json:"targetVertices"`
	Filters        Filters `json:"filters"`
	CRS            CRS     `json:"crs"`
	// Origin is where on the globe the origin of a model lies; nil is unknown.
	Origin *Origin `json:"origin,omitempty"`
	// UpAxis of a model: "auto" by its format (z for STL, y for all others), "y",
	// or "z".
	UpAxis string `json:"upAxis"`
	// Turntable is how many pictures an animation around a model has, 0 (none) to 90.
	Turntable int               `json:"turntable,omitempty"`
	Engines   map[string]string `json:"engines"`
	Priority  Priority          `json:"priority"`
}

// Origin places a model on the globe: degrees on WGS 84, metres above its
// ellipsoid, and where the model's front (-z) looks, in degrees from north to east.
type Origin struct {
	Lat     float64 `json:"lat"`
	Lon     float64 `json:"lon"`
	Height  float64 `json:"height"`
	Heading float64 `json:"heading"`
}

// UpAxes are the values of the option upAxis.
func UpAxes() []string { return []string{"auto", "y", "z"} }

// Filters are the settings of the point filters. Distances are metres, whatever
// the unit of the file.
type Filters struct {
	Outlier Outlier `json:"outlier"`
	ELM     ELM     `json:"elm"`
	SMRF    SMRF    `json:"smrf"`
}

// Outlier is the statistical outlier filter (PDAL filters.outlier): a point is
// noise where the mean distance to its MeanK neighbours is more than Multiplier
// standard deviations above the mean of all.
type Outlier struct {
	// Off leaves the filter out; in JSON also "outlier": false.
	Off        bool    `json:"off,omitempty"`
	MeanK      int     `json:"meanK"`
	Multiplier float64 `json:"multiplier"`
}

// ELM is the extended local minimum filter (PDAL filters.elm): the lowest point
// of a Cell is noise where it lies Threshold below the next.
type ELM struct {
	Off       bool    `json:"off,omitempty"`
	Cell      float64 `json:"cell"`
	Threshold float64 `json:"threshold"`
}

// SMRF is the simple morphological filter for ground (PDAL filters.smrf).
// Cell, Window and Threshold are metres, Slope is rise over run.
type SMRF struct {
	Off       bool    `json:"off,omitempty"`
	Cell      float64 `json:"cell"`
	Slope     float64 `json:"slope"`
	Window    float64 `json:"window"`
	Scalar    float64 `json:"scalar"`
	Threshold float64 `json:"threshold"`
}

// CRS names coordinate reference systems: "EPSG:n" or WKT; empty is "as in the file".
type CRS struct {
	// Source overrides what the file says or does not say.
	Source string `json:"source,omitempty"`
	Target string `json:"target,omitempty"`
}

// Priority of a job in the queue.
type Priority string

// The priorities, lowest first.
const (
	PriorityLow    Priority = "low"
	PriorityNormal Priority = "normal"
	PriorityHigh   Priority = "high"
	PriorityUrgent Priority = "urgent"
)

// DefaultOptions are what holds where a job says nothing; the filters have the
// defaults of PDAL 2.10, in metres.
func DefaultOptions() Options {
	return Options{
		Formats:          []string{},
		Quality:          0.8,
		GenerateLOD:      true,
		DracoCompression: 7,
		TargetVertices:   []int{1_000_000, 100_000, 10_000},
		Filters: Filters{
			Outlier: Outlier{MeanK: 8, Multiplier: 2},
			ELM:     ELM{Cell: 10, Threshold: 1},
			SMRF:    SMRF{Cell: 1, Slope: 0.15, Window: 18, Scalar: 1.25, Threshold: 0.5},
		},
		UpAxis:   "auto",
		Engines:  map[string]string{},
		Priority: PriorityNormal,
	}
}

// Wants tells whether any of the output types is asked for; a job that names no
// formats wants all.
func (o Options) Wants(types ...string) bool {
	if len(o.Formats) == 0 {
		return true
	}
	return slices.ContainsFunc(types, func(t string) bool { return slices.Contains(o.Formats, t) })
}

// OutputTypes lists the names that options.formats knows, without the LODs.
func OutputTypes() []string {
	return []string{
		TypeGLBDraco, TypeGLBPreview, TypeLAZ, TypeCOPC, TypeEPT, TypeTiles3D, TypeThumbnail,
		TypeDSM, TypeDTM, TypeOrthophoto, TypeOBJ, TypePointCloud, TypeReport, TypeCameras,
	}
}

// NormalizeFormat returns the output type that a user's name for it means
// ("3dtiles" and "tiles_3d", any case) and whether there is one.
func NormalizeFormat(name string) (string, bool) {
	name = strings.ToLower(strings.TrimSpace(name))
	if name == aliasTiles3D {
		return TypeTiles3D, true
	}
	if rest, ok := strings.CutPrefix(name, typeLODPrefix); ok {
		return name, len(rest) == 1 && rest[0] >= '0' && rest[0] <= '0'+maximalLODLevel
	}
	return name, slices.Contains(OutputTypes(), name)
}

// QueueNumber is the priority in BullMQ's numbers, where 1 is the most urgent.
// The gaps are for the producer's own (jobs of Pro users, say).
func (p Priority) QueueNumber() int {
	switch p {
	case PriorityUrgent:
		return 1
	case PriorityHigh:
		return 5
	case PriorityLow:
		return 20
	}
	return 10
}
