// Command mvs makes the dense cloud of a workspace that COLMAP's image_undistorter
// made, as a benchmark: it prints the time of each pass, the points and the memory.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"syscall"
	"time"

	"slate360.ai/worker/geom/mvs"
	"slate360.ai/worker/geom/mvs/workspace"
)

func main() {
	dir := flag.String("workspace", "", "folder with images and sparse")
	out := flag.String("out", "", "cloud to write, a PLY file with its visibility in .vis beside it")
	profile := flag.String("profile", "", "file for a CPU profile")
	workers := flag.Int("workers", runtime.NumCPU(), "goroutines that share the work")
	sources := flag.Int("sources", 0, "neighbours that each photo is matched with")
	minViews := flag.Int("min-views", 0, "in how many photos a point must be found")
	side := flag.Int("side", 0, "longest side of the photos, in pixels; 0 is as they are")
	fresh := flag.Bool("fresh", false, "forget depth maps that are there")
	flag.Parse()
	if *dir == "" || *out == "" {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *dir, *out, *profile, *side, *fresh, mvs.Options{Workers: *workers, Sources: *sources}, mvs.FuseOptions{Workers: *workers, MinViews: *minViews}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir, out, profile string, side int, fresh bool, o mvs.Options, fo mvs.FuseOptions) error {
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	w, err := workspace.Open(dir, workspace.Options{Side: side})
	if err != nil {
		return err
	}
	maps := &timed{Workspace: w, fresh: fresh, start: time.Now(), cpu: processor()}
	if err := mvs.Estimate(ctx, w.Views(), w, maps, o, nil); err != nil {
		return err
	}
	maps.report("geometric pass")
	points, err := w.Fuse(ctx, out, fo, nil)
	if err != nil {
		return err
	}
	maps.report("fusion")
	fmt.Printf("%d points\n", points)
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return err
	}
	fmt.Printf("peak memory %d MB\n", u.Maxrss>>10)
	return nil
}

// processor is the time that this process has used.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// timed notes when the second pass begins.
type timed struct {
	*workspace.Workspace
	fresh  bool
	second bool
	start  time.Time
	cpu    time.Duration
}

func (t *timed) report(what string) {
	now, cpu := time.Now(), processor()
	fmt.Printf("%-18s %7.1f s  %7.1f s of CPU\n", what, now.Sub(t.start).Seconds(), (cpu - t.cpu).Seconds())
	t.start, t.cpu = now, cpu
}

func (t *timed) Has(view int, geometric bool) bool {
	if geometric && !t.second {
		t.second = true
		t.report("photometric pass")
	}
	return !t.fresh && t.Workspace.Has(view, geometric)
}
