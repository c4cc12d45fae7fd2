package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// grace is how long the program may take to stop after the first signal. What
// is finished by then is in the manifest, which is always whole on disk.
const grace = 900 * time.Millisecond

// Interruptible returns a context that ends at the first SIGINT or SIGTERM. The
// program exits with ExitInterrupted at the second, or where it has not stopped
// within a second; not once the returned function was called. For main only: it
// takes over these signals for good. `run` may take its time to stop: it drains,
// and only the second signal ends it at once.
func Interruptible(args []string) (context.Context, context.CancelFunc) {
	patient := len(args) > 0 && args[0] == "run"
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ended := make(chan struct{})
	go func() {
		var s os.Signal
		select {
		case s = <-signals:
		case <-ended:
			return
		}
		cancel(fmt.Errorf("%w by signal: %v", context.Canceled, s))
		var late <-chan time.Time
		if !patient {
			late = time.After(grace)
		}
		select {
		case <-signals:
		case <-late:
		case <-ended:
			return
		}
		fmt.Fprintln(os.Stderr, Name+": stopped at once; give the same command again to go on from the last finished stage")
		os.Exit(ExitInterrupted)
	}()
	return ctx, sync.OnceFunc(func() {
		close(ended)
		cancel(nil)
	})
}
