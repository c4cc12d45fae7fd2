package record

import "encoding/json"

// merge returns u with the columns of newer over it.
func (u Update) merge(newer Update) Update {
	over(&u.Status, newer.Status)
	over(&u.Progress, newer.Progress)
	over(&u.CurrentStep, newer.CurrentStep)
	over(&u.SourceFormat, newer.SourceFormat)
	over(&u.SourceSize, newer.SourceSize)
	over(&u.SourceFileCount, newer.SourceFileCount)
	over(&u.Analysis, newer.Analysis)
	over(&u.Outputs, newer.Outputs)
	over(&u.ThumbnailURL, newer.ThumbnailURL)
	over(&u.ErrorMessage, newer.ErrorMessage)
	over(&u.ErrorDetails, newer.ErrorDetails)
	over(&u.StartedAt, newer.StartedAt)
	over(&u.CompletedAt, newer.CompletedAt)
	over(&u.WorkerID, newer.WorkerID)
	return u
}

func over[T any](old **T, newer *T) {
	if newer != nil {
		*old = newer
	}
}

func rawNull() json.RawMessage { return json.RawMessage("null") }
