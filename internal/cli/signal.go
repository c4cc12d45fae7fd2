package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// grace is how long the program may take to stop after the first signal. What
// is finished by then is in the manifest, which is always whole on disk.
const grace = 900 * time.Millisecond

// Interruptible returns a context that ends at the first SIGINT or SIGTERM. The
// program exits with ExitInterrupted at the second, or where it has not stopped
// within a second. For main only: it takes over these signals for good.
func Interruptible() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		s := <-signals
		cancel(fmt.Errorf("%w by signal: %v", context.Canceled, s))
		select {
		case <-signals:
		case <-time.After(grace):
		}
		fmt.Fprintln(os.Stderr, Name+": stopped at once; give the same command again to go on from the last finished stage")
		os.Exit(ExitInterrupted)
	}()
	return ctx, func() { cancel(nil) }
}
