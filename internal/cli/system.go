package cli

import (
	"context"
	"os"
	"runtime"
	"time"

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
			GPUs: []api.GPU{}, Engines: engines,
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
