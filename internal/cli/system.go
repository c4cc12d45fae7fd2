package cli

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"slate360.ai/worker/internal/engine"
	"slate360.ai/worker/internal/host"
	"slate360.ai/worker/internal/server/api"
)

// system returns what tells of the machine. Programs are looked for once: they do
// not come and go.
func (h *httpServer) system() func(ctx context.Context) api.System {
	started := time.Now().UTC()
	engines := knownEngines()
	return func(ctx context.Context) api.System {
		return api.System{
			Version: h.p.Build.identity(), Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH, Started: started,
			Processors: runtime.NumCPU(),
			Memory:     api.Memory{Total: host.TotalMemory(), Budget: h.c.Memory, Resident: host.ResidentMemory(), Peak: host.PeakMemory()},
			Disk: []api.Disk{
				{Name: "work", Free: host.FreeDisk(existing(h.c.WorkDir(), h.c.DataDir))},
				{Name: "uploads", Free: host.FreeDisk(h.c.UploadDir())},
			},
			GPUs: h.cards(ctx), Engines: engines,
			Services: []api.Backend{
				{Name: "queue", Kind: queueState(h.c).Kind}, {Name: "records", Kind: recordState(h.c).Kind}, {Name: "storage", Kind: storageState(h.c).Kind},
			},
		}
	}
}

// existing returns the first folder that is there.
func existing(dirs ...string) string {
	for _, d := range dirs {
		if _, err := os.Stat(d); err == nil {
			return d
		}
	}
	return "."
}

func knownEngines() []api.Engine {
	list := []api.Engine{}
	for _, program := range engine.Known() {
		e := api.Engine{Name: program.Name, Adds: program.Adds}
		if _, err := program.Find(); err == nil {
			e.Found = true
		}
		list = append(list, e)
	}
	return list
}

// cards are the graphics cards; that they cannot be asked is no reason to tell nothing.
func (h *httpServer) cards(ctx context.Context) []api.GPU {
	list := []api.GPU{}
	cards, err := h.beside.gpus.Cards(ctx)
	if err != nil {
		h.log.Debug("graphics cards", "error", err)
	}
	for _, c := range cards {
		list = append(list, api.GPU{
			Index: c.Index, Name: c.Name, Driver: c.Driver, Utilization: c.Utilization, MemoryTotal: c.MemoryTotal, MemoryUsed: c.MemoryUsed,
			Temperature: c.Temperature, PowerWatts: c.Power,
		})
	}
	return list
}

// machineCollector tells of the machine when metrics are asked for.
type machineCollector struct{ h *httpServer }

// description of a metric of the machine.
func description(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("slate360_"+name, help, labels, nil)
}

// Describe is of prometheus.Collector: what there is depends on the machine.
func (*machineCollector) Describe(chan<- *prometheus.Desc) {}

// Collect is of prometheus.Collector.
func (m *machineCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(name, help string, v float64, labels ...string) {
		var names, values []string
		for i := 0; i < len(labels); i += 2 {
			names, values = append(names, labels[i]), append(values, labels[i+1])
		}
		ch <- prometheus.MustNewConstMetric(description(name, help, names...), prometheus.GaugeValue, v, values...)
	}
	c := m.h.c
	gauge("memory_budget_bytes", "Memory that jobs may use.", float64(c.Memory))
	gauge("memory_total_bytes", "Memory that this process may use.", float64(host.TotalMemory()))
	gauge("disk_free_bytes", "Free disk.", float64(host.FreeDisk(existing(c.WorkDir(), c.DataDir))), "for", "work")
	for _, g := range m.h.cards(context.Background()) {
		index := strconv.Itoa(g.Index)
		gauge("gpu_utilization_ratio", "Share of the last second in which a kernel ran.", g.Utilization/100, "gpu", index, "name", g.Name)
		gauge("gpu_memory_used_bytes", "Memory of the card that is in use.", float64(g.MemoryUsed), "gpu", index, "name", g.Name)
		gauge("gpu_memory_total_bytes", "Memory of the card.", float64(g.MemoryTotal), "gpu", index, "name", g.Name)
		gauge("gpu_temperature_celsius", "Temperature of the card.", g.Temperature, "gpu", index, "name", g.Name)
		gauge("gpu_power_watts", "Power that the card draws.", g.PowerWatts, "gpu", index, "name", g.Name)
	}
}
