// Package leaktest finds goroutines that outlive what started them: those of this
// module, and those that the clients of queues, databases and servers start on our
// behalf. A goroutine that ends by itself soon after is none.
package leaktest

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// patience is what goroutines that are about to end get to do so.
const patience = 10 * time.Second

// marks are in the stacks of goroutines that count. Each lives as long as
// something that has a Close: a queue's connection, a database, an idle
// connection of an HTTP client.
func marks() []string {
	return []string{
		"slate360.ai/worker/",
		"github.com/redis/rueidis",
		"github.com/jackc/",
		"database/sql.",
		"net/http.(*persistConn)",
	}
}

// Main runs the tests of a package, for its TestMain, and fails where goroutines
// are left after the last one.
func Main(m *testing.M) int {
	code := m.Run()
	if left := settled(nil, patience); code == 0 && len(left) > 0 {
		fmt.Fprintln(os.Stderr, message(left))
		return 1
	}
	return code
}

// Check fails the test where goroutines that began during it are left after its
// cleanups. It is called first, and not by tests that run beside others.
func Check(t testing.TB) {
	t.Helper()
	before := map[string]bool{}
	for _, g := range goroutines() {
		before[g.id] = true
	}
	t.Cleanup(func() {
		if left := settled(before, patience); len(left) > 0 {
			t.Error(message(left))
		}
	})
}

// goroutine is one with its stack as runtime.Stack writes it.
type goroutine struct{ id, stack string }

// settled waits until no goroutine that counts is left, and returns those that
// stay after a time, but for the ones known before.
func settled(before map[string]bool, after time.Duration) []goroutine {
	deadline := time.Now().Add(after)
	for {
		var left []goroutine
		for _, g := range goroutines() {
			if !before[g.id] && counts(g.stack) {
				left = append(left, g)
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		time.Sleep(5 * time.Millisecond) // between two looks
	}
}

// goroutines returns all but the caller's.
func goroutines() []goroutine {
	buf := make([]byte, 1<<20)
	n := runtime.Stack(buf, true)
	for n == len(buf) {
		buf = make([]byte, 2*len(buf))
		n = runtime.Stack(buf, true)
	}
	var all []goroutine
	for i, stack := range strings.Split(string(buf[:n]), "\n\n") {
		// "goroutine 7 [chan receive, 2 minutes]:"; the first is the caller's.
		fields := strings.Fields(stack)
		if i > 0 && len(fields) > 1 && fields[0] == "goroutine" {
			all = append(all, goroutine{id: fields[1], stack: stack})
		}
	}
	return all
}

// counts tells whether a function of the marks is on the stack, or began it.
// Lines that begin with a tab are paths of files.
func counts(stack string) bool {
	for line := range strings.Lines(stack) {
		if line[0] == '\t' {
			continue
		}
		line = strings.TrimPrefix(line, "created by ")
		for _, m := range marks() {
			if strings.HasPrefix(line, m) {
				return true
			}
		}
	}
	return false
}

func message(left []goroutine) string {
	var b strings.Builder
	fmt.Fprintf(&b, "leaktest: %d goroutine(s) are left:", len(left))
	for _, g := range left {
		b.WriteString("\n\n" + g.stack)
	}
	return b.String()
}
