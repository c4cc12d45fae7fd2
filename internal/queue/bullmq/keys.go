package bullmq

// keys are the Redis keys of one queue: <prefix>:<queue>:<kind>.
type keys struct {
	base string // with the last colon

	wait, active, prioritized, delayed, paused, waitingChildren string
	completed, failed                                           string
	events, meta, stalled, stalledCheck, limiter, pc, marker    string
	id, repeat, de                                              string
	// cancel is ours: the channel that says which job is to end, and the beginning
	// of the keys that say so to workers without channels.
	cancel string
}

func newKeys(prefix, queue string) keys {
	b := prefix + ":" + queue + ":"
	return keys{
		base: b, wait: b + "wait", active: b + "active", prioritized: b + "prioritized", delayed: b + "delayed",
		paused: b + "paused", waitingChildren: b + "waiting-children", completed: b + "completed", failed: b + "failed",
		events: b + "events", meta: b + "meta", stalled: b + "stalled", stalledCheck: b + "stalled-check",
		limiter: b + "limiter", pc: b + "pc", marker: b + "marker", id: b + "id", repeat: b + "repeat", de: b + "de",
		cancel: b + "slate360:cancel",
	}
}

func (k keys) job(id string) string { return k.base + id }

func (k keys) canceled(id string) string { return k.cancel + ":" + id }

// lease is ours, too: who does a task of which the queue has one.
func (k keys) lease(task string) string { return k.base + "slate360:lease:" + task }
