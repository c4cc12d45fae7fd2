package surface

import (
	"context"
	"sync"
	"sync/atomic"
)

// parallel calls work for runs of 0 to n-1, on several goroutines, each with a number
// of its own below workers. A run is at most batch long.
func parallel(ctx context.Context, n, batch, workers int, work func(worker, from, to int)) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range min(workers, (n+batch-1)/batch) {
		wg.Go(func() {
			for ctx.Err() == nil {
				from := int(next.Add(int64(batch))) - batch
				if from >= n {
					return
				}
				work(w, from, min(from+batch, n))
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}
