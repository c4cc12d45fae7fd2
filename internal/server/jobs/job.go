// Package jobs is the one view of jobs that the API shows: what the records say,
// what the queue knows, and how those stand that run in this process. It also
// tells what changes, as events that a client can take up again where it was.
package jobs

import (
	"encoding/json"
	"time"

	"slate360.ai/worker/internal/job"
)

// StatusCanceled is what the API shows of a failed job that somebody canceled.
// Records know no such status.
const StatusCanceled job.Status = "cancelled"

// Job is one job as the API shows it.
type Job struct {
	JobID        string      `json:"jobId"`
	Name         string      `json:"name" doc:"Name of the source, for people."`
	Kind         string      `json:"kind,omitempty" doc:"Pipeline: pointcloud, mesh, photogrammetry; absent until the source is known."`
	SourceFormat string      `json:"sourceFormat"`
	SourceURL    string      `json:"sourceUrl,omitempty" doc:"Where the source came from, without signatures; absent for uploads."`
	SourceSize   int64       `json:"sourceSize,omitempty" doc:"Bytes."`
	SourceFiles  int64       `json:"sourceFiles,omitempty"`
	Status       job.Status  `json:"status" enum:"queued,analyzing,processing,optimizing,generating_tiles,uploading,completed,failed,cancelled"`
	Progress     float64     `json:"progress" minimum:"0" maximum:"100"`
	CurrentStep  string      `json:"currentStep,omitempty"`
	Stages       []job.Stage `json:"stages" nullable:"false" doc:"In the order in which they run. In lists and events, of jobs that run only."`
	// Rate is in the unit of the step.
	Rate             float64 `json:"rate,omitempty" doc:"What the current step does a second: bytes where it fetches or publishes, else what the stage counts."`
	RemainingSeconds float64 `json:"remainingSeconds,omitempty" doc:"About how long it still takes; absent where unknown."`

	Priority     job.Priority `json:"priority" enum:"low,normal,high,urgent"`
	AttemptsMade int          `json:"attemptsMade" doc:"Attempts that have ended."`
	MaxAttempts  int          `json:"maxAttempts,omitempty"`
	WorkerID     string       `json:"workerId,omitempty"`
	QueuedAt     *time.Time   `json:"queuedAt,omitempty"`
	StartedAt    *time.Time   `json:"startedAt,omitempty"`
	CompletedAt  *time.Time   `json:"completedAt,omitempty"`

	Error        *Error          `json:"error,omitempty"`
	Warnings     []string        `json:"warnings" nullable:"false"`
	Outputs      []Output        `json:"outputs" nullable:"false"`
	ThumbnailURL string          `json:"thumbnailUrl,omitempty"`
	Analysis     json.RawMessage `json:"analysis,omitempty" doc:"What is known of the source, by subject. Of one job only, not in lists."`
	Options      json.RawMessage `json:"options,omitempty" doc:"The options as they were given. Of one job only, not in lists."`
	Log          []string        `json:"log,omitempty" nullable:"false" doc:"The last lines of the log. Of one job only, not in lists."`
	Organisation string          `json:"organisation,omitempty"`
	CreditsUsed  float64         `json:"creditsUsed,omitempty"`
	Cost         float64         `json:"cost,omitempty" doc:"What its time on the machine costs so far, in the currency of SLATE360_PRICE_HOUR; absent where no price is known."`
}

// Error says why a job failed, or why its last attempt did.
type Error struct {
	Message string `json:"message"`
	Stage   string `json:"stage,omitempty"`
	Engine  string `json:"engine,omitempty"`
	Hint    string `json:"hint,omitempty" doc:"What can be done."`
	Log     string `json:"log,omitempty" doc:"The end of the engine's log."`
	Attempt int    `json:"attempt,omitempty"`
	// Permanent says that there will be no other attempt.
	Permanent bool `json:"permanent"`
}

// Output is one file, or one folder by its entry file, that a job made.
type Output struct {
	Type        string `json:"type" doc:"glb_draco, lod_0…, glb_preview, laz, copc, ept, tiles_3d, thumbnail, dsm, dtm, orthophoto, obj, point_cloud, report"`
	Path        string `json:"path" doc:"Relative to the result."`
	URL         string `json:"url" doc:"Where this server gives it."`
	StorageURL  string `json:"storageUrl,omitempty" doc:"Where the storage gives it, where that is a web address."`
	Size        int64  `json:"size" doc:"Bytes; of a folder, those of all its files."`
	Files       int64  `json:"files,omitempty"`
	ContentType string `json:"contentType,omitempty"`
	SHA256      string `json:"sha256,omitempty" doc:"Of the file at path."`
	Points      int64  `json:"points,omitempty"`
	Tiles       int64  `json:"tiles,omitempty"`
	Triangles   int64  `json:"triangles,omitempty"`
	Vertices    int64  `json:"vertices,omitempty"`
	Width       int64  `json:"width,omitempty"`
	Height      int64  `json:"height,omitempty"`
}

// Result is what the viewer shows: of a job, of a share link, of a folder.
type Result struct {
	JobID        string         `json:"jobId"`
	Name         string         `json:"name"`
	Kind         string         `json:"kind,omitempty"`
	SourceFormat string         `json:"sourceFormat,omitempty"`
	Status       job.Status     `json:"status"`
	Outputs      []Output       `json:"outputs" nullable:"false"`
	Analysis     map[string]any `json:"analysis,omitempty"`
	ThumbnailURL string         `json:"thumbnailUrl,omitempty"`
	Warnings     []string       `json:"warnings" nullable:"false"`
	Stages       []job.Stage    `json:"stages" nullable:"false"`
	Error        string         `json:"error,omitempty"`
}

// Cancelable tells whether there is still something to cancel.
func (j Job) Cancelable() bool { return !Final(j.Status) }

// Final tells whether a job in this status is at its end.
func Final(s job.Status) bool { return s.Final() || s == StatusCanceled }
