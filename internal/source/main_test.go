package source

import (
	"os"
	"testing"

	"slate360.ai/worker/internal/leaktest"
)

// Fetching ends its connections and its goroutines.
func TestMain(m *testing.M) { os.Exit(leaktest.Main(m)) }
