package bullmq

import (
	"context"
	"crypto/sha1" //nolint:gosec // Redis names scripts by it
	"encoding/hex"
	"fmt"
	"time"
)

// leaseSource gives a task to an owner, or lets it keep it. KEYS[1] is the task,
// ARGV are the owner and for how many milliseconds.
const leaseSource = `local owner = redis.call("GET", KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2])
return 1`

// Lease gives a task that one worker of the queue does to an owner for some time: it
// tells whether the owner has it, because it had or because nobody did. The owner
// asks again before the time is over.
func (q *Queue) Lease(ctx context.Context, task, owner string, ttl time.Duration) (bool, error) {
	sum := sha1.Sum([]byte(leaseSource)) //nolint:gosec // Redis names scripts by it
	s := &Script{Name: "lease", Source: leaseSource, SHA: hex.EncodeToString(sum[:]), Keys: 1}
	v, err := q.conn.Eval(ctx, s, []string{q.k.lease(task)}, []string{owner, itoa(ttl.Milliseconds())})
	if err != nil {
		return false, fmt.Errorf("lease of %s: %w", task, err)
	}
	n, _ := v.(int64)
	return n == 1, nil
}
