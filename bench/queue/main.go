// Command queue measures our BullMQ worker beside that of the npm package on the
// same redis-server: no-op jobs a second, CPU time a job, Redis commands a job,
// time from adding a job to its start, resident memory. `make bench` runs it.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"slate360.ai/worker/internal/host"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/queue/bullmq"
)

// figures are what one worker needed.
type figures struct {
	Ready     bool      `json:"ready"`
	Seconds   float64   `json:"seconds"`
	CPU       float64   `json:"cpu"` // seconds
	RSS       int64     `json:"rss"` // bytes
	Latencies []float64 `json:"latencies"`
}

const queueName = "bench"

func main() {
	jobs := flag.Int("jobs", 20000, "no-op jobs of each measurement")
	as := flag.String("as", "", "internal: run as the worker that is measured")
	port := flag.Int("port", 0, "internal")
	concurrency := flag.Int("concurrency", 2, "internal")
	flag.Parse()
	if *as != "" {
		must(work(*as, *port, *concurrency, *jobs))
		return
	}
	must(compare(*jobs))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// compare starts a redis-server and measures both workers in turn.
func compare(jobs int) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	server := exec.Command("redis-server", "--port", strconv.Itoa(port), "--save", "", "--maxmemory-policy", "noeviction")
	if err := server.Start(); err != nil {
		return err
	}
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
	q, err := dial(port)
	for range 100 {
		if err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
		q, err = dial(port)
	}
	if err != nil {
		return err
	}
	defer q.Close()
	b := &bench{q: q, port: port, jobs: jobs, redis: server.Process.Pid}
	fmt.Printf("%-10s %-14s %12s %12s %14s %14s %10s\n", "worker", "", "jobs/s", "CPU us/job", "Redis us/job", "commands/job", "RSS MiB")
	for _, c := range []int{2, 50} {
		for _, kind := range []string{"node", "go", "node", "go"} {
			if err := b.throughput(kind, c); err != nil {
				return err
			}
		}
	}
	fmt.Printf("\n%-10s %-14s %10s %10s %10s\n", "worker", "add to start", "p50 ms", "p99 ms", "RSS MiB")
	for _, mode := range []string{"idle", "busy"} {
		for _, kind := range []string{"node", "go"} {
			if err := b.latency(kind, mode); err != nil {
				return err
			}
		}
	}
	return nil
}

func dial(port int) (*bullmq.Queue, error) {
	conn, err := bullmq.DialRedis(context.Background(), "redis://127.0.0.1:"+strconv.Itoa(port), bullmq.RedisOptions{})
	if err != nil {
		return nil, err
	}
	return bullmq.New(conn, bullmq.Options{Name: queueName})
}

type bench struct {
	q     *bullmq.Queue
	port  int
	jobs  int
	redis int // process
}

// start starts a worker and returns the lines that it prints, when it is ready.
func (b *bench) start(kind, mode string, concurrency, jobs int) (*exec.Cmd, *bufio.Scanner, error) {
	var cmd *exec.Cmd
	switch kind {
	case "node":
		cmd = exec.Command("node", filepath.Join("bench", "queue", "worker.cjs"), mode, strconv.Itoa(b.port), queueName,
			strconv.Itoa(concurrency), strconv.Itoa(jobs))
		cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(".tools", "node_modules"), "NODE_ENV=production")
	default:
		self, err := os.Executable()
		if err != nil {
			return nil, nil, err
		}
		cmd = exec.Command(self, "-as", mode, "-port", strconv.Itoa(b.port), "-concurrency", strconv.Itoa(concurrency), "-jobs", strconv.Itoa(jobs))
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	if !lines.Scan() {
		return nil, nil, fmt.Errorf("%s worker: it ended: %w", kind, cmd.Wait())
	}
	return cmd, lines, nil
}

func (b *bench) result(cmd *exec.Cmd, lines *bufio.Scanner) (figures, error) {
	var f figures
	if !lines.Scan() {
		return f, fmt.Errorf("worker: it ended without a result: %w", cmd.Wait())
	}
	if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
		return f, err
	}
	return f, cmd.Wait()
}

func (b *bench) throughput(kind string, concurrency int) error {
	ctx := context.Background()
	for done := 0; done < b.jobs; done += 1000 {
		batch := make([]bullmq.NewJob, min(1000, b.jobs-done))
		for i := range batch {
			batch[i] = bullmq.NewJob{Name: "noop", Data: map[string]int{"i": done + i}, Options: bullmq.JobOptions{AddOptions: queue.AddOptions{RemoveOnComplete: true}}}
		}
		if _, err := b.q.AddBulk(ctx, batch); err != nil {
			return err
		}
	}
	commands, cpu := b.commands(), processCPU(b.redis)
	cmd, lines, err := b.start(kind, "noop", concurrency, b.jobs)
	if err != nil {
		return err
	}
	f, err := b.result(cmd, lines)
	if err != nil {
		return err
	}
	n := float64(b.jobs)
	fmt.Printf("%-10s %-14s %12.0f %12.1f %14.1f %14.2f %10.1f\n", kind, fmt.Sprintf("concurrency %d", concurrency), n/f.Seconds,
		f.CPU/n*1e6, (processCPU(b.redis)-cpu)/n*1e6, float64(b.commands()-commands)/n, float64(f.RSS)/(1<<20))
	return b.q.Obliterate(ctx, true)
}

// commands returns how many commands clients have sent to the server.
func (b *bench) commands() int64 {
	out, err := exec.Command("redis-cli", "-p", strconv.Itoa(b.port), "INFO", "commandstats").Output()
	if err != nil {
		return 0
	}
	total := int64(0)
	for line := range strings.Lines(string(out)) {
		// Commands that scripts call are counted, too: those of clients are these.
		for _, name := range []string{"evalsha", "eval", "bzpopmin", "mget", "hexists"} {
			if rest, ok := strings.CutPrefix(line, "cmdstat_"+name+":calls="); ok {
				n, _ := strconv.ParseInt(rest[:strings.IndexByte(rest, ',')], 10, 64)
				total += n
			}
		}
	}
	return total
}

// processCPU returns the CPU seconds of another process.
func processCPU(pid int) float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+2:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}

func (b *bench) latency(kind, mode string) error {
	const n = 300
	ctx := context.Background()
	cmd, lines, err := b.start(kind, mode, 4, n)
	if err != nil {
		return err
	}
	time.Sleep(time.Second) // it is idle then
	rss := residentOf(cmd.Process.Pid)
	data := map[string]int64{}
	if mode == "busy" {
		data["spin"] = 5
	}
	for range n {
		data["at"] = time.Now().UnixMilli()
		data["atMicros"] = time.Now().UnixMicro()
		if _, err := b.q.Add(ctx, "noop", data, queue.AddOptions{RemoveOnComplete: true}); err != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	f, err := b.result(cmd, lines)
	if err != nil {
		return err
	}
	slices.Sort(f.Latencies)
	fmt.Printf("%-10s %-14s %10.2f %10.2f %10.1f\n", kind, mode, f.Latencies[len(f.Latencies)/2], f.Latencies[len(f.Latencies)*99/100], float64(rss)/(1<<20))
	return b.q.Obliterate(ctx, true)
}

func residentOf(pid int) int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	pages, _ := strconv.ParseInt(strings.Fields(string(data))[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// work is our worker: it takes jobs until it has had as many as asked.
func work(mode string, port, concurrency, jobs int) error {
	q, err := dial(port)
	if err != nil {
		return err
	}
	defer q.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// As `run` does: the loop has processors of the scheduler to itself.
	cores := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(cores + 2)
	fmt.Println(`{"ready":true}`)
	if mode == "busy" {
		// Jobs of our worker compute on all cores beside the queue.
		for range cores {
			go func() {
				for x := 0; ctx.Err() == nil; x++ {
					_ = x
				}
			}()
		}
	}
	var mu sync.Mutex
	var latencies []float64
	left := jobs
	start, cpu := time.Now(), ownCPU()
	err = q.Run(ctx, queue.RunOptions{Concurrency: concurrency}, func(_ context.Context, t queue.Task) (any, error) {
		if mode != "noop" {
			var data struct {
				AtMicros int64 `json:"atMicros"`
			}
			if err := json.Unmarshal(t.Job().Data, &data); err != nil {
				return nil, err
			}
			mu.Lock()
			latencies = append(latencies, float64(time.Now().UnixMicro()-data.AtMicros)/1000)
			mu.Unlock()
		}
		mu.Lock()
		defer mu.Unlock()
		if left--; left == 0 {
			cancel()
		}
		return nil, nil
	})
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(figures{
		Seconds: time.Since(start).Seconds(), CPU: ownCPU() - cpu, RSS: host.ResidentMemory(), Latencies: latencies,
	})
}

// ownCPU returns the CPU seconds of this process.
func ownCPU() float64 {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
}
