package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/storage"
)

// ErrState says that the job is in a state that does not allow what was asked.
var ErrState = errors.New("the job is in another state")

// Cancel ends a job: a waiting one is removed from the queue, a running one told to
// end. ErrNotFound, ErrState.
func (s *Service) Cancel(ctx context.Context, id string) error {
	r, q, err := s.parts(ctx, id)
	if err != nil {
		return err
	}
	if r.Status.Final() {
		return fmt.Errorf("%w: it is %s already", ErrState, r.Status)
	}
	active := q != nil && q.State == queue.StateActive
	if q != nil {
		err = s.o.Queue.Cancel(ctx, id)
		if errors.Is(err, queue.ErrState) {
			return fmt.Errorf("%w: it has just ended", ErrState)
		}
		if err != nil && !errors.Is(err, queue.ErrNotFound) {
			return err
		}
	}
	defer s.Touch(id)
	if active {
		return nil // its worker writes the end
	}
	// The queue forgets a job that waited; the record shows what became of it.
	return s.recordCanceled(ctx, id)
}

func (s *Service) recordCanceled(ctx context.Context, id string) error {
	details, err := json.Marshal(record.ErrorDetails{Hint: "retry the job if it is still wanted", Permanent: true})
	if err != nil {
		return err
	}
	raw := json.RawMessage(details)
	status, step, message, now := job.StatusFailed, "failed", queue.ErrCanceled.Error(), time.Now().UTC()
	err = s.o.Records.Update(ctx, id, record.Update{
		Status: &status, CurrentStep: &step, ErrorMessage: &message, ErrorDetails: &raw, CompletedAt: &now,
	}, record.Condition{Unfinished: true})
	if errors.Is(err, record.ErrNotFound) || errors.Is(err, record.ErrCondition) {
		return nil
	}
	return err
}

// Retry gives a failed job another round of attempts; one that the queue has
// forgotten is put on it again as add does. ErrNotFound, ErrState.
func (s *Service) Retry(ctx context.Context, id string, add func(ctx context.Context, r record.Record) error) error {
	r, _, err := s.parts(ctx, id)
	if err != nil {
		return err
	}
	if r.Status != job.StatusFailed {
		return fmt.Errorf("%w: it is %s, and only failed jobs can be tried again", ErrState, r.Status)
	}
	// The record first: a worker may take the job before we are back.
	if err := s.showQueued(ctx, id); err != nil {
		return err
	}
	defer s.Touch(id)
	err = s.o.Queue.Retry(ctx, id)
	if errors.Is(err, queue.ErrNotFound) {
		err = s.addAgain(ctx, r, add)
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, queue.ErrState) {
		err = fmt.Errorf("%w: the queue has it in another state than failed", ErrState)
	}
	return errors.Join(err, s.showFailed(context.WithoutCancel(ctx), r))
}

func (s *Service) addAgain(ctx context.Context, r record.Record, add func(ctx context.Context, r record.Record) error) error {
	several := r.SourceFileCount > 1 && r.StartedAt.IsZero() && !strings.HasPrefix(r.SourceURL, "file:") && !strings.HasSuffix(r.SourceURL, "/")
	if r.SourceURL == "" || several {
		return fmt.Errorf("%w: the queue has forgotten it, and its record does not name all its sources: submit it again", ErrState)
	}
	return add(ctx, r)
}

func (s *Service) showQueued(ctx context.Context, id string) error {
	status, progress, none, never, null := job.StatusQueued, 0, "", time.Time{}, json.RawMessage("null")
	err := s.o.Records.Update(ctx, id, record.Update{
		Status: &status, Progress: &progress, CurrentStep: &none, ErrorMessage: &none, ErrorDetails: &null, CompletedAt: &never, WorkerID: &none,
	}, record.Condition{})
	if errors.Is(err, record.ErrNotFound) || errors.Is(err, record.ErrPermanent) {
		return nil
	}
	return err
}

// showFailed puts the record back as it was.
func (s *Service) showFailed(ctx context.Context, r record.Record) error {
	details := r.ErrorDetails
	if len(details) == 0 {
		details = json.RawMessage("null")
	}
	return s.o.Records.Update(ctx, r.ID, record.Update{
		Status: &r.Status, Progress: &r.Progress, CurrentStep: &r.CurrentStep, ErrorMessage: &r.ErrorMessage, ErrorDetails: &details,
		CompletedAt: &r.CompletedAt, WorkerID: &r.WorkerID,
	}, record.Condition{})
}

// Purge deletes a job that is at its end: its outputs, its place in the queue and
// its record. What an earlier Purge left is gone on with. ErrNotFound, ErrState.
func (s *Service) Purge(ctx context.Context, id string) error {
	r, q, err := s.parts(ctx, id)
	if err != nil {
		return err
	}
	if !r.Status.Final() && (q != nil || s.liveOf(id) != nil) {
		return fmt.Errorf("%w: it is %s; cancel it first", ErrState, r.Status)
	}
	if err := storage.Discard(ctx, s.o.Storage, OutputPrefix(id)); err != nil {
		return fmt.Errorf("delete the outputs: %w", err)
	}
	err = s.o.Queue.Remove(ctx, id)
	switch {
	case errors.Is(err, queue.ErrState):
		return fmt.Errorf("%w: a worker has it", ErrState)
	case err != nil && !errors.Is(err, queue.ErrNotFound):
		return err
	}
	if err := s.o.Records.Delete(ctx, id); err != nil {
		return err
	}
	s.Touch(id)
	return nil
}
