package pipeline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

// whole doubles the source and goes on twice: with the pipeline of bytes as it
// is, and as a part from what it made.
func (b *bytesPipeline) whole() pipeline.Definition {
	double := b.stage("double", nil, transform(
		func(s *pipeline.Context) string { return s.Source() }, "double.bin",
		func(data []byte) []byte { return slices.Concat(data, data) },
	))
	d := pipeline.Definition{Name: "whole", Stages: append([]pipeline.Stage{double}, b.definition().Stages...)}
	return d.With(pipeline.Part{
		Name: "inner", Definition: b.definition(), Source: "double.bin", Format: "dbl",
		Folders: map[string]string{"copc": "inner/copc", "ept": "inner/ept"},
		Types:   map[string]string{job.TypeEPT: job.TypePointCloud},
		Options: func(o job.Options) job.Options {
			o.Quality = 0.25
			return o
		},
		Place: func(o *job.Options, product func(string) string) error {
			info, err := os.Stat(product("double.bin"))
			if err != nil {
				return err
			}
			o.TargetVertices = []int{int(info.Size())}
			return nil
		},
	})
}

func TestPart(t *testing.T) {
	b := &bytesPipeline{}
	def := b.whole()
	if err := def.Validate(); err != nil {
		t.Fatal(err)
	}
	req := request(t)
	result := mustRun(t, def, req)
	wantStages(t, b, "double", "upper", "upper", "reverse", "reverse", "join", "join", "publish", "publish")

	twice := []byte(sourceText + sourceText)
	want := slices.Concat(bytes.ToUpper(twice), reversed(twice))
	got, err := os.ReadFile(filepath.Join(req.OutDir, "inner", "copc", "fox.txt"))
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("output of the part = %q, %v, want %q", got, err, want)
	}
	types := map[string]string{}
	for _, o := range result.Outputs {
		types[o.Path] = o.Type
	}
	for path, kind := range map[string]string{
		"copc/fox.txt": job.TypeCOPC, "ept/ept.json": job.TypeEPT,
		"inner/copc/fox.txt": job.TypeCOPC, "inner/ept/ept.json": job.TypePointCloud,
	} {
		if types[path] != kind {
			t.Errorf("output %s is of type %q, want %q", path, types[path], kind)
		}
	}
	var analysis struct {
		Bytes int
		Inner struct{ Bytes int }
	}
	data, err := json.Marshal(result.Analysis)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &analysis); err != nil {
		t.Fatal(err)
	}
	if analysis.Bytes != len(want)/2 || analysis.Inner.Bytes != len(want) {
		t.Errorf("analysis = %s", data)
	}
}

// What a stage of a part sees is the part's own: source, format, options.
func TestPartSees(t *testing.T) {
	var options job.Options
	var format string
	inner := pipeline.Definition{Name: "look", Stages: []pipeline.Stage{{
		Name: "look", Outputs: []string{"seen"},
		Engines: []pipeline.Engine{{Name: pipeline.EngineNative, Run: func(_ context.Context, s *pipeline.Context) error {
			options, format = s.Options(), s.Format()
			data, err := os.ReadFile(s.Source())
			if err != nil {
				return err
			}
			return os.WriteFile(s.Product("seen"), data, 0o666)
		}}},
	}}}
	b := &bytesPipeline{}
	def := pipeline.Definition{Name: "whole", Stages: b.whole().Stages[:1]}.With(pipeline.Part{
		Name: "inner", Definition: inner, Source: "double.bin", Format: "dbl",
		Options: func(o job.Options) job.Options { o.Quality = 0.25; return o },
		Place: func(o *job.Options, product func(string) string) error {
			o.UpAxis = filepath.Base(product("double.bin"))
			return nil
		},
	})
	mustRun(t, def, request(t))
	if format != "dbl" || options.Quality != 0.25 || options.UpAxis != "double.bin" {
		t.Errorf("the part saw format %q, quality %g, up axis %q", format, options.Quality, options.UpAxis)
	}
}

// A job asks for the outputs of a part by their new names.
func TestPartFormats(t *testing.T) {
	asked := map[string]bool{}
	inner := pipeline.Definition{Name: "ask", Stages: []pipeline.Stage{{
		Name: "ask", Enabled: func(o job.Options) bool {
			asked["tiles"], asked["laz"] = o.Wants(job.TypeTiles3D), o.Wants(job.TypeLAZ)
			return true
		},
		Engines: []pipeline.Engine{{Name: pipeline.EngineNative, Run: func(context.Context, *pipeline.Context) error { return nil }}},
	}}}
	b := &bytesPipeline{}
	def := pipeline.Definition{Name: "whole", Stages: b.whole().Stages[:1]}.With(pipeline.Part{
		Name: "inner", Definition: inner, Source: "double.bin", Format: "dbl",
		Types: map[string]string{job.TypeTiles3D: job.TypePointCloud},
	})
	for _, test := range []struct {
		formats    []string
		tiles, laz bool
	}{
		{nil, true, true},
		{[]string{job.TypeTiles3D}, false, false},
		{[]string{job.TypePointCloud}, true, false},
		{[]string{job.TypeLAZ, job.TypeTiles3D}, false, true},
	} {
		req := request(t)
		req.Options.Formats = test.formats
		mustRun(t, def, req)
		if asked["tiles"] != test.tiles || asked["laz"] != test.laz {
			t.Errorf("formats %v: the part was asked for tiles %v, laz %v", test.formats, asked["tiles"], asked["laz"])
		}
	}
}

// A part goes on from its last finished stage, too.
func TestPartResumes(t *testing.T) {
	b := &bytesPipeline{}
	req := request(t)
	failed := 0
	b.at("publish", func(_ context.Context, s *pipeline.Context) error {
		if s.Format() == "dbl" {
			failed++
			return errBroken
		}
		return nil
	})
	if _, err := pipeline.Run(t.Context(), b.whole(), req); err == nil || failed != 1 {
		t.Fatalf("Run = %v after %d failures", err, failed)
	}
	b.taken()
	b.hook = nil
	mustRun(t, b.whole(), req)
	if got := b.taken(); !slices.Contains(got, "publish") || slices.Contains(got, "upper") || slices.Contains(got, "double") {
		t.Errorf("stages %v ran again", got)
	}
}

// A stage that is last runs after all others, and is told of them.
func TestLast(t *testing.T) {
	b := &bytesPipeline{}
	def := b.definition()
	var before []string
	def.Stages = append([]pipeline.Stage{{
		Name: "sum", Last: true,
		Engines: []pipeline.Engine{{Name: pipeline.EngineNative, Run: func(_ context.Context, s *pipeline.Context) error {
			for _, r := range s.Before() {
				before = append(before, r.Name)
			}
			return nil
		}}},
	}}, def.Stages...)
	mustRun(t, def, request(t))
	slices.Sort(before)
	if want := []string{"join", "publish", "reverse", "upper"}; !slices.Equal(before, want) {
		t.Errorf("the last stage ran after %v, want %v", before, want)
	}
}
