// Package embedded is a queue in a file: SQLite with a write-ahead log, shared by
// several processes of one machine. It has the states and semantics of BullMQ as
// far as package queue speaks of them; a job taken is leased, and every write of
// its owner is conditional on the lease's token.
package embedded

// migrations of the component "queue". Times are Unix milliseconds, durations
// milliseconds.
func migrations() []string {
	return []string{
		`
		CREATE TABLE queue_jobs (
			seq         INTEGER PRIMARY KEY AUTOINCREMENT,
			queue       TEXT NOT NULL,
			id          TEXT NOT NULL,
			name        TEXT NOT NULL,
			data        TEXT NOT NULL,
			state       TEXT NOT NULL, -- waiting, delayed, active, completed, failed
			priority    INTEGER NOT NULL, -- as it counts now; ageing lowers it
			asked       INTEGER NOT NULL, -- priority as added
			place       INTEGER NOT NULL, -- among those of one priority: lowest first
			due         INTEGER NOT NULL DEFAULT 0, -- of delayed jobs
			attempts    INTEGER NOT NULL,
			made        INTEGER NOT NULL DEFAULT 0,
			started     INTEGER NOT NULL DEFAULT 0,
			stalled     INTEGER NOT NULL DEFAULT 0,
			backoff     TEXT NOT NULL DEFAULT '',
			backoff_ms  INTEGER NOT NULL DEFAULT 0,
			jitter      REAL NOT NULL DEFAULT 0,
			keep_done   TEXT NOT NULL DEFAULT '', -- JSON of keep
			keep_failed TEXT NOT NULL DEFAULT '',
			token       TEXT NOT NULL DEFAULT '', -- of the lease
			lease       INTEGER NOT NULL DEFAULT 0, -- until
			worker      TEXT NOT NULL DEFAULT '',
			canceled    INTEGER NOT NULL DEFAULT 0,
			dead        INTEGER NOT NULL DEFAULT 0, -- lost its worker too often
			progress    TEXT NOT NULL DEFAULT '',
			result      TEXT NOT NULL DEFAULT '',
			reason      TEXT NOT NULL DEFAULT '',
			stack       TEXT NOT NULL DEFAULT '[]',
			added       INTEGER NOT NULL,
			taken       INTEGER NOT NULL DEFAULT 0,
			finished    INTEGER NOT NULL DEFAULT 0,
			UNIQUE (queue, id)
		);
		CREATE INDEX queue_jobs_next ON queue_jobs (queue, state, priority, place);
		CREATE INDEX queue_jobs_due ON queue_jobs (queue, state, due);
		CREATE INDEX queue_jobs_finished ON queue_jobs (queue, state, finished);
		CREATE TABLE queue_logs (
			queue TEXT NOT NULL,
			id    TEXT NOT NULL,
			line  TEXT NOT NULL
		);
		CREATE INDEX queue_logs_id ON queue_logs (queue, id);
		CREATE TABLE queue_events (
			seq      INTEGER PRIMARY KEY AUTOINCREMENT,
			queue    TEXT NOT NULL,
			name     TEXT NOT NULL,
			id       TEXT NOT NULL,
			progress TEXT NOT NULL DEFAULT '',
			result   TEXT NOT NULL DEFAULT '',
			reason   TEXT NOT NULL DEFAULT ''
		);
		CREATE TABLE queue_meta (
			queue       TEXT PRIMARY KEY,
			paused      INTEGER NOT NULL DEFAULT 0,
			limit_until INTEGER NOT NULL DEFAULT 0, -- end of the limiter's window
			limit_count INTEGER NOT NULL DEFAULT 0, -- jobs started in it
			next_id     INTEGER NOT NULL DEFAULT 0
		)`,
		`ALTER TABLE queue_jobs ADD COLUMN telemetry TEXT NOT NULL DEFAULT ''`,
	}
}
