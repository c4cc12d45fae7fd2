// Package job holds the nouns that every part of the product speaks of: what a
// job asks for (Options), how far it is (Progress, Status) and what came out of
// it (Output, StageResult, Result). It does no input or output; the JSON names
// of its types are the contract with the platform and with users.
package job

import "time"

// Status is the state of a job as the platform's records show it.
type Status string

// The statuses of a job, in the order in which it passes through them.
const (
	StatusQueued          Status = "queued"
	StatusAnalyzing       Status = "analyzing"
	StatusProcessing      Status = "processing"
	StatusOptimizing      Status = "optimizing"
	StatusGeneratingTiles Status = "generating_tiles"
	StatusUploading       Status = "uploading"
	StatusCompleted       Status = "completed"
	StatusFailed          Status = "failed"
)

// Final tells whether a job in this status is at its end.
func (s Status) Final() bool { return s == StatusCompleted || s == StatusFailed }

// The types of outputs. LODs are named by LODType.
const (
	TypeGLBDraco    = "glb_draco"
	TypeGLBPreview  = "glb_preview"
	TypeLAZ         = "laz"
	TypeCOPC        = "copc"
	TypeEPT         = "ept"
	TypeTiles3D     = "tiles_3d"
	TypeThumbnail   = "thumbnail"
	TypeTurntable   = "turntable" // asked for by the option of that name
	TypeDSM         = "dsm"
	TypeDTM         = "dtm"
	TypeOrthophoto  = "orthophoto"
	TypeOBJ         = "obj"
	TypePointCloud  = "point_cloud"
	TypeReport      = "report"
	TypeCameras     = "cameras"
	typeLODPrefix   = "lod_"
	aliasTiles3D    = "3dtiles"
	maximalLODLevel = 9
)

// LODType returns the type of the output of detail level n, 0 to 9: "lod_0" is
// the finest.
func LODType(n int) string { return typeLODPrefix + string(rune('0'+n)) }

// Output is one file, or one folder known by its entry file, that a job made.
type Output struct {
	// Type is one of the Type constants or a LODType.
	Type string `json:"type"`
	// Path is relative to the result folder, with forward slashes.
	Path string `json:"path,omitempty"`
	// URL is where storage serves it, once it is there.
	URL string `json:"url,omitempty"`
	// Size is in bytes; for a folder (EPT, 3D Tiles) that of all its files.
	Size int64 `json:"size"`
	// Files is the number of files of a folder, 0 for a single file.
	Files       int64  `json:"files,omitempty"`
	ContentType string `json:"contentType,omitempty"`
	// SHA256 is the lower-case hexadecimal digest of the file at Path.
	SHA256 string `json:"sha256,omitempty"`

	Points    int64 `json:"points,omitempty"`
	Tiles     int64 `json:"tiles,omitempty"`
	Triangles int64 `json:"triangles,omitempty"`
	Vertices  int64 `json:"vertices,omitempty"`
	Width     int64 `json:"width,omitempty"`
	Height    int64 `json:"height,omitempty"`
}

// StageResult is what one stage of a pipeline took.
type StageResult struct {
	Name   string `json:"name"`
	Engine string `json:"engine"`
	// Seconds is wall time; of a resumed stage, that of the run which finished it.
	Seconds float64 `json:"seconds"`
	// PeakBytes is the highest resident memory of the process, mapped files
	// included, while the stage ran; of an external engine, that of its program.
	PeakBytes int64 `json:"peakBytes"`
	// Resumed says that an earlier run finished the stage.
	Resumed bool `json:"resumed"`
}

// Result is the content of result.json.
type Result struct {
	JobID        string   `json:"jobId"`
	Status       Status   `json:"status"`
	SourceFormat string   `json:"sourceFormat,omitempty"`
	Outputs      []Output `json:"outputs"`
	ThumbnailURL string   `json:"thumbnailUrl,omitempty"`
	// Analysis holds what is known of the source, by subject: see the pipelines.
	Analysis map[string]any `json:"analysis,omitempty"`
	Stages   []StageResult  `json:"stages"`
	Warnings []string       `json:"warnings"`
	// Error is set where Status is failed.
	Error string `json:"error,omitempty"`
}

// Event says what a Progress event is about.
type Event string

// The events of a running job.
const (
	EventStageStarted  Event = "stage_started"
	EventStageProgress Event = "stage_progress"
	EventStageFinished Event = "stage_finished"
	EventStageResumed  Event = "stage_resumed"
	EventWarning       Event = "warning"
	EventNote          Event = "note"
)

// Progress is one event of a running job.
type Progress struct {
	Event Event     `json:"event"`
	Time  time.Time `json:"time"`
	Stage string    `json:"stage,omitempty"`
	// Title is the stage's name for people.
	Title string `json:"title,omitempty"`
	// Status is what the job's record shows while the stage runs.
	Status Status `json:"status,omitempty"`
	Engine string `json:"engine,omitempty"`
	// StagePercent is that of the stage, Percent that of the job; 0 to 100.
	StagePercent float64 `json:"stagePct"`
	Percent      float64 `json:"progressPct"`
	// Done and Total are in the unit the stage counts in (points, bytes, tiles);
	// both 0 where it has not said.
	Done  float64 `json:"done,omitempty"`
	Total float64 `json:"total,omitempty"`
	// Elapsed and Remaining are seconds of the whole job; Remaining is 0 until
	// enough is known to say.
	Elapsed   float64 `json:"elapsedSeconds"`
	Remaining float64 `json:"remainingSeconds,omitempty"`
	// Message is the text of warnings and notes.
	Message string `json:"message,omitempty"`
	// Result is what a finished or resumed stage took.
	Result *StageResult `json:"result,omitempty"`
}
