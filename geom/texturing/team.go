package texturing

import (
	"context"
	"sync"
	"sync/atomic"
)

// team shares work among goroutines.
type team struct {
	ctx     context.Context
	workers int
}

// each calls f for ranges of 0 to n, size at most each, and waits. The ranges are the
// same for any number of workers. It stops early where the context ends.
func (t *team) each(n, size int, f func(from, to int)) error {
	count := (n + size - 1) / size
	run := func(i int) { f(i*size, min((i+1)*size, n)) }
	if t.workers == 1 || count <= 1 {
		for i := range count {
			if err := t.ctx.Err(); err != nil {
				return err
			}
			run(i)
		}
		return t.ctx.Err()
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(t.workers, count) {
		wait.Go(func() {
			for t.ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= count {
					return
				}
				run(i)
			}
		})
	}
	wait.Wait()
	return t.ctx.Err()
}
