package pipeline_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

// Whatever the manifest of an earlier run says, the outputs come out right and
// nothing is written beside the result folder.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`{"stages":{"join":null,"publish":{"outputs":[{"path":"../../x"}]}}}`))
	f.Add([]byte(`null`))
	f.Add([]byte(`[`))
	// A whole one, of a run that failed in its last stage.
	dir := f.TempDir()
	source := filepath.Join(dir, "fox.txt")
	if err := os.WriteFile(source, []byte(sourceText), 0o666); err != nil {
		f.Fatal(err)
	}
	req := pipeline.Request{
		Source: source, Format: "txt", OutDir: filepath.Join(dir, "out"), Options: job.DefaultOptions(), Build: "1", Workers: 1,
	}
	if err := os.MkdirAll(filepath.Join(req.OutDir, pipeline.ResultFile, "in the way"), 0o777); err != nil {
		f.Fatal(err)
	}
	if _, err := pipeline.Run(f.Context(), (&bytesPipeline{}).definition(), req); err == nil {
		f.Fatal("Run wrote over a folder")
	}
	whole, err := os.ReadFile(filepath.Join(req.OutDir, ".slate360-work", "manifest.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(bytes.ReplaceAll(whole, []byte(`"ept/ept.json"`), []byte(`"../evil/ept.json"`)))
	f.Add(bytes.ReplaceAll(whole, []byte(`"path": "."`), []byte(`"path": "../../../fox.txt"`)))

	f.Fuzz(func(t *testing.T, manifest []byte) {
		req := request(t)
		ws := filepath.Join(req.OutDir, ".slate360-work")
		if err := os.MkdirAll(ws, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(ws, "manifest.json"), manifest, 0o666); err != nil {
			t.Fatal(err)
		}
		mustRun(t, (&bytesPipeline{}).definition(), req)
		if _, err := os.Stat(filepath.Join(req.OutDir, "ept", "data", "0.bin")); err != nil {
			t.Error(err)
		}
		entries, err := os.ReadDir(filepath.Dir(req.OutDir))
		if err != nil || len(entries) != 2 {
			t.Errorf("beside the result folder lies %v, %v", entries, err)
		}
	})
}
