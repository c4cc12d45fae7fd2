// Package record is what the platform's database shows of a job: one row of the
// table model_processing_jobs. Its backends are record/supabase (PostgREST),
// record/postgres and record/embedded (SQLite); package record/recordtest is the
// suite that every backend passes. Writer, in this package, coalesces progress
// and makes sure that the last word is the last one written.
package record

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"slate360.ai/worker/internal/job"
)

// Table is the name of the table.
const Table = "model_processing_jobs"

// Record is one row. JSON names are the columns' names.
type Record struct {
	ID              string          `json:"id"` // UUID
	ProjectID       string          `json:"project_id,omitempty"`
	OrgID           string          `json:"org_id,omitempty"`
	UserID          string          `json:"user_id,omitempty"`
	SourceURL       string          `json:"source_url,omitempty"`
	SourceFormat    string          `json:"source_format,omitempty"`
	SourceSize      int64           `json:"source_size,omitempty"` // bytes
	SourceFileCount int64           `json:"source_file_count,omitempty"`
	Status          job.Status      `json:"status"`
	Progress        int             `json:"progress"` // 0 to 100
	CurrentStep     string          `json:"current_step,omitempty"`
	Options         json.RawMessage `json:"options,omitempty"`
	Analysis        json.RawMessage `json:"analysis,omitempty"`
	Outputs         json.RawMessage `json:"outputs,omitempty"` // []Output
	ThumbnailURL    string          `json:"thumbnail_url,omitempty"`
	ErrorMessage    string          `json:"error_message,omitempty"`
	ErrorDetails    json.RawMessage `json:"error_details,omitempty"` // ErrorDetails
	QueuedAt        time.Time       `json:"queued_at,omitzero"`
	StartedAt       time.Time       `json:"started_at,omitzero"`
	CompletedAt     time.Time       `json:"completed_at,omitzero"`
	WorkerID        string          `json:"worker_id,omitempty"`
	CreditsUsed     float64         `json:"credits_used,omitempty"`
	CreatedAt       time.Time       `json:"created_at,omitzero"`
	UpdatedAt       time.Time       `json:"updated_at,omitzero"`
}

// Output is one element of the column outputs.
type Output struct {
	Format      string `json:"format"` // a job.Type
	URL         string `json:"url"`
	Size        int64  `json:"size"`
	ContentType string `json:"contentType,omitempty"`
	SHA256      string `json:"sha256,omitempty"`
	Files       int64  `json:"files,omitempty"`
	Points      int64  `json:"points,omitempty"`
	Tiles       int64  `json:"tiles,omitempty"`
	Triangles   int64  `json:"triangles,omitempty"`
	Vertices    int64  `json:"vertices,omitempty"`
}

// ErrorDetails is the column error_details.
type ErrorDetails struct {
	Stage  string `json:"stage,omitempty"`
	Engine string `json:"engine,omitempty"`
	// Log is the tail of the engine's log, Hint what a person can do.
	Log  string `json:"log,omitempty"`
	Hint string `json:"hint,omitempty"`
	// Attempt counts from 1; Permanent says that there will be no other.
	Attempt   int  `json:"attempt,omitempty"`
	Permanent bool `json:"permanent"`
}

// Update changes the columns whose pointers are not nil. The null value of a
// JSON column is json.RawMessage("null"); an empty text is NULL.
type Update struct {
	Status          *job.Status
	Progress        *int
	CurrentStep     *string
	SourceFormat    *string
	SourceSize      *int64
	SourceFileCount *int64
	Analysis        *json.RawMessage
	Outputs         *json.RawMessage
	ThumbnailURL    *string
	ErrorMessage    *string
	ErrorDetails    *json.RawMessage
	StartedAt       *time.Time
	CompletedAt     *time.Time // the zero time is NULL
	WorkerID        *string
}

// Condition of an update.
type Condition struct {
	// Owner, where not empty, must be the row's worker_id: a worker that lost its
	// job does not write over the one that has it.
	Owner string
	// OrUnowned lets a row without a worker_id meet the condition Owner, too: a row
	// that its producer wrote after the job had begun.
	OrUnowned bool
	// Unfinished demands that the row's status is neither completed nor failed.
	Unfinished bool
}

// Errors of stores.
var (
	// ErrNotFound says that there is no row of this ID: not yet, or not any more.
	ErrNotFound = errors.New("there is no record of this job")
	// ErrCondition says that the row is there but does not meet the condition.
	ErrCondition = errors.New("the record belongs to another worker or is finished")
	// ErrPermanent is in the chain of errors that trying again will not mend
	// (wrong key, no such table, an ID that is no UUID).
	ErrPermanent = errors.New("the record cannot be written")
)

// Filter of List; zero values do not restrict.
type Filter struct {
	Status        []job.Status
	OrgID, UserID string
	ProjectID     string
	// Formats are the source formats.
	Formats []string
	// Search is text that the source's address or the error message contains, in
	// any case, or the ID.
	Search string
	// Since leaves out what was created before.
	Since time.Time
	// After is the last row of the page before; OldestFirst turns the order round.
	After         Position
	OldestFirst   bool
	Offset, Limit int // Limit 0 is 100
}

// Position is a place in the order of List; the zero value is its begin.
type Position struct {
	CreatedAt time.Time
	ID        string
}

// IsZero tells whether it is the begin.
func (p Position) IsZero() bool { return p.ID == "" }

// Store is one database. All methods may be called from several goroutines; each
// is one try: whoever calls decides on retries.
type Store interface {
	// Create writes a new row; a row of the same ID stays as it is and is no error.
	Create(ctx context.Context, r Record) error
	// Update changes a row if it meets c: ErrNotFound, ErrCondition. updated_at is set by it.
	Update(ctx context.Context, id string, u Update, c Condition) error
	Get(ctx context.Context, id string) (Record, error)
	// List returns rows, newest created_at first; of the same time, by ID.
	List(ctx context.Context, f Filter) ([]Record, error)
	// Count returns how many rows a List without After, Offset and Limit would have.
	Count(ctx context.Context, f Filter) (int64, error)
	// Delete removes a row; that there is none is no error, nor is an ID that the
	// database cannot hold.
	Delete(ctx context.Context, id string) error
	// Ping tells whether the table can be read.
	Ping(ctx context.Context) error
	Close() error
}
