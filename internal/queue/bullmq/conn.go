// Package bullmq is BullMQ 6 on Redis or Valkey, in its wire format: producers,
// workers, QueueEvents and dashboards of the npm package bullmq share a queue
// with it. What must be atomic are BullMQ's own Lua scripts, embedded as they are
// (see lua/README.md); connections, blocking, locks, timers and events are here.
//
// Keys and fields: docs.bullmq.io, and the comments in the scripts.
package bullmq

import (
	"context"
	"errors"
)

// Conn sends commands to a Redis server. Arguments and replies are binary-safe
// strings; replies are nil, int64, string or []any of these, as in RESP2. An
// error that the server replied is a *ReplyError.
type Conn interface {
	Do(ctx context.Context, args ...string) (any, error)
	// Eval runs a script by its SHA, and sends its source where the server lacks it.
	Eval(ctx context.Context, s *Script, keys, args []string) (any, error)
	// Batch sends several commands in one round trip; an error that one of them got
	// stands in its place as a *ReplyError.
	Batch(ctx context.Context, cmds [][]string) ([]any, error)
	// Block runs a blocking command (BZPOPMIN, XREAD BLOCK) on a connection of its
	// own; ErrNoBlocking where that cannot be.
	Block(ctx context.Context, args ...string) (any, error)
	// Subscribe calls f for each message of a channel until ctx is done; ready is
	// called each time the subscription holds. ErrNoBlocking where that cannot be.
	Subscribe(ctx context.Context, channel string, ready func(), f func(message string)) error
	Close() error
}

// ErrNoBlocking says that the transport has no blocking commands.
var ErrNoBlocking = errors.New("the transport has no blocking commands")

// ReplyError is an error that the server replied.
type ReplyError struct{ Msg string }

func (e *ReplyError) Error() string { return e.Msg }
