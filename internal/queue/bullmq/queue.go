package bullmq

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"

	"slate360.ai/worker/internal/queue"
)

// Options of a Queue. Zero values have the default named.
type Options struct {
	// Prefix of all keys; default "bull". On a cluster it is in braces.
	Prefix string
	// Name of the queue; default "model-processing".
	Name string
	// PollMax is the longest wait between two looks at the queue where the
	// transport has no blocking commands; default 10 s.
	PollMax time.Duration
	// MetricsPoints is how many minutes of metrics are kept (getMetrics); 0 keeps none.
	MetricsPoints int
}

// Queue is a BullMQ queue. It implements queue.Queue; more of what BullMQ offers
// is in methods of its own.
type Queue struct {
	conn    Conn
	o       Options
	k       keys
	scripts *scripts
}

var _ queue.Queue = (*Queue)(nil)

// New returns a queue on a connection, which it closes with itself. ErrNoScripts
// where the program was built without BullMQ's scripts.
func New(conn Conn, o Options) (*Queue, error) {
	if !HasScripts() {
		return nil, ErrNoScripts
	}
	if o.Prefix == "" {
		o.Prefix = "bull"
	}
	if o.Name == "" {
		o.Name = "model-processing"
	}
	if o.PollMax <= 0 {
		o.PollMax = 10 * time.Second
	}
	return &Queue{conn: conn, o: o, k: newKeys(o.Prefix, o.Name), scripts: &scripts{}}, nil
}

// WorkerClientName is the name of the connections of a worker, by which
// Queue.getWorkers of the npm package and dashboards find it.
func WorkerClientName(prefix, queueName, worker string) string {
	name := prefix + ":" + base64.StdEncoding.EncodeToString([]byte(queueName))
	if worker != "" {
		name += ":w:" + worker
	}
	return name
}

// sibling is another queue on the same connection.
func (q *Queue) sibling(name string) *Queue {
	if name == "" || name == q.o.Name {
		return q
	}
	o := q.o
	o.Name = name
	return &Queue{conn: q.conn, o: o, k: newKeys(o.Prefix, name), scripts: q.scripts}
}

// eval runs one of BullMQ's scripts.
func (q *Queue) eval(ctx context.Context, name string, keys []string, args ...string) (any, error) {
	s, err := q.scripts.load(name)
	if err != nil {
		return nil, err
	}
	v, err := q.conn.Eval(ctx, s, keys, args)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}

// on is the queue on another connection.
func (q *Queue) on(conn Conn) *Queue {
	other := *q
	other.conn = conn
	return &other
}

// codeError is a negative number that a script returned.
type codeError struct {
	code   int64
	script string
	id     string
}

func (e *codeError) Error() string {
	what := map[int64]string{
		-1: "the job is not there", -2: "its lock is gone", -3: "it is in another state", -4: "it has children that have not ended",
		-5: "its parent is not there", -6: "another worker has its lock", -7: "it replaces a parent", -8: "it belongs to a scheduler",
		-9: "a child of it failed", -10: "an iteration of this scheduler has its ID", -11: "both time slots of the scheduler are taken",
	}[e.code]
	if what == "" {
		what = "code " + strconv.FormatInt(e.code, 10)
	}
	return fmt.Sprintf("%s: job %s: %s", e.script, e.id, what)
}

// Is tells which of queue's errors it is.
func (e *codeError) Is(target error) bool {
	switch e.code {
	case -1, -5:
		return target == queue.ErrNotFound
	case -2, -6:
		return target == queue.ErrLost
	case -3, -4, -8, -9:
		return target == queue.ErrState
	}
	return false
}

// code returns an error where a script returned a negative number.
func code(script, id string, v any) error {
	n, ok := v.(int64)
	if !ok || n >= 0 {
		return nil
	}
	return &codeError{code: n, script: script, id: id}
}

// call runs a script that returns a negative number where it refuses.
func (q *Queue) call(ctx context.Context, script, id string, keys []string, args ...string) (any, error) {
	v, err := q.eval(ctx, script, keys, args...)
	if err != nil {
		return nil, err
	}
	return v, code(script, id, v)
}

func now() string { return strconv.FormatInt(time.Now().UnixMilli(), 10) }

func itoa[T int | int64](n T) string { return strconv.FormatInt(int64(n), 10) }

// refused tells whether err is the server's word, not a lost connection: trying
// again would get the same.
func refused(err error) bool {
	var reply *ReplyError
	var c *codeError
	return errors.As(err, &reply) || errors.As(err, &c) || errors.Is(err, ErrNoScripts)
}
