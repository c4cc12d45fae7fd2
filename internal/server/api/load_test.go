package api_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"slate360.ai/worker/internal/server/upload"
)

// Many clients that follow events and many uploads at once hold: every client gets
// every job, every upload arrives whole, and memory stays bounded. SLATE360_FULL_LOAD=1
// takes 500 clients and 100 uploads of 4 MiB.
func TestLoad(t *testing.T) {
	clients, uploads, size := 50, 10, 1<<20
	if os.Getenv("SLATE360_FULL_LOAD") != "" {
		clients, uploads, size = 500, 100, 4<<20
	}
	r := newRig(t, settings{uploads: func(o *upload.Options) { o.MaxPending = 1000 }})
	transport := &http.Transport{MaxIdleConns: 1000, MaxIdleConnsPerHost: 1000}
	t.Cleanup(transport.CloseIdleConnections)
	r.http.Client().Transport = transport
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var ready, whole sync.WaitGroup
	var events atomic.Int64
	ready.Add(clients)
	for range clients {
		whole.Go(func() { followJobs(ctx, t, r, &ready, &events, uploads+1) })
	}
	first := r.submitText("0 0 0\n") // so that there is something to be ready by
	ready.Wait()
	content := strings.Repeat("1 2 3\n", size/6)
	start := time.Now()
	var group errgroup.Group
	ids := make([]string, uploads)
	for i := range uploads {
		group.Go(func() error {
			path := r.create(len(content), fmt.Sprintf("points-%d.xyz", i))
			half := len(content) / 2
			for _, part := range [][2]int{{0, half}, {half, len(content)}} {
				a := r.do(http.MethodPatch, path, strings.NewReader(content[part[0]:part[1]]), "Tus-Resumable", "1.0.0",
					"Upload-Offset", strconv.Itoa(part[0]), "Content-Type", "application/offset+octet-stream")
				if a.StatusCode != http.StatusNoContent {
					return fmt.Errorf("PATCH answered %d: %s", a.StatusCode, a.body)
				}
			}
			var s submitted
			r.want(r.do(http.MethodPost, "/api/models/process", map[string]any{"uploads": []string{path[13:]}, "sourceFormat": "xyz"}), http.StatusAccepted, &s)
			ids[i] = s.JobID
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&during)
	t.Logf("%d uploads of %d bytes beside %d clients took %v", uploads, len(content), clients, time.Since(start).Round(time.Millisecond))
	whole.Wait()
	t.Logf("%d events went out; heap in use %d MiB, %d MiB before; %d goroutines", events.Load(), during.HeapInuse>>20, before.HeapInuse>>20, runtime.NumGoroutine())
	for _, id := range append(ids, first.JobID) {
		var files int
		for _, f := range filesBelow(t, r.dir+"/uploads/jobs/"+id, ".xyz") {
			if info, err := os.Stat(f); err == nil && (info.Size() == int64(len(content)) || id == first.JobID) {
				files++
			}
		}
		if files != 1 {
			t.Errorf("job %s has %d whole files", id, files)
		}
	}
	// Client and server are one process here: a client's buffers count, too.
	if grown := int64(during.HeapInuse) - int64(before.HeapInuse); grown > 256<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

// followJobs follows events until it has seen so many jobs.
func followJobs(ctx context.Context, t *testing.T, r *rig, ready *sync.WaitGroup, events *atomic.Int64, jobs int) {
	isReady := sync.OnceFunc(ready.Done)
	defer isReady()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/api/events", nil)
	if err != nil {
		t.Error(err)
		return
	}
	resp, err := r.http.Client().Do(req)
	if err != nil {
		t.Errorf("a client could not follow: %v", err)
		return
	}
	defer resp.Body.Close()
	seen := map[string]bool{}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for len(seen) < jobs && lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), `data: {"jobId":"`)
		if !ok {
			continue
		}
		isReady()
		events.Add(1)
		id, _, _ := strings.Cut(data, `"`)
		seen[id] = true
	}
	if len(seen) < jobs {
		t.Errorf("a client saw %d of %d jobs: %v", len(seen), jobs, lines.Err())
	}
}
