package job_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"slate360.ai/worker/internal/job"
)

func TestParseOptionsDefaults(t *testing.T) {
	for _, text := range []string{"", " ", "null", "{}", `{"quality":null,"filters":{"smrf":null}}`} {
		o, warnings, err := job.ParseOptions([]byte(text))
		if err != nil || len(warnings) > 0 || !reflect.DeepEqual(o, job.DefaultOptions()) {
			t.Errorf("%q: %+v, %v, %v", text, o, warnings, err)
		}
	}
}

func TestParseOptions(t *testing.T) {
	o, warnings, err := job.ParseOptions([]byte(`{
		"formats": ["3dtiles", "COPC", "copc", "lod_2"], "quality": 0.5, "generateLOD": false, "dracoCompression": 10,
		"targetVertices": [500, 50], "filters": {"outlier": false, "elm": {"cell": 5}, "smrf": {"slope": 0.3, "colour": 1}},
		"crs": {"source": " EPSG:25832 "}, "engines": {"smrf": "pdal"}, "priority": "high", "qualty": 1}`))
	if err != nil {
		t.Fatal(err)
	}
	want := job.DefaultOptions()
	want.Formats = []string{"tiles_3d", "copc", "lod_2"}
	want.Quality, want.GenerateLOD, want.DracoCompression = 0.5, false, 10
	want.TargetVertices = []int{500, 50}
	want.Filters.Outlier.Off = true
	want.Filters.ELM.Cell, want.Filters.SMRF.Slope = 5, 0.3
	want.CRS.Source = "EPSG:25832"
	want.Engines = map[string]string{"smrf": "pdal"}
	want.Priority = job.PriorityHigh
	if !reflect.DeepEqual(o, want) {
		t.Errorf("got  %+v\nwant %+v", o, want)
	}
	if !slices.Equal(warnings, []string{"option filters.smrf.colour is unknown and has no effect", "option qualty is unknown and has no effect"}) {
		t.Errorf("warnings = %q", warnings)
	}
	if !o.Wants(job.TypeEPT, job.TypeCOPC) || o.Wants(job.TypeEPT) || !job.DefaultOptions().Wants(job.TypeEPT) {
		t.Error("Wants does not follow formats")
	}
}

func TestParseOptionsErrors(t *testing.T) {
	for text, field := range map[string]string{
		`[]`:                                    "",
		`{} {}`:                                 "",
		`{"quality":`:                           "",
		`{"quality": 1.1}`:                      "quality",
		`{"quality": "high"}`:                   "quality",
		`{"generateLOD": 1}`:                    "generateLOD",
		`{"dracoCompression": 3.5}`:             "dracoCompression",
		`{"dracoCompression": 11}`:              "dracoCompression",
		`{"targetVertices": 5}`:                 "targetVertices",
		`{"targetVertices": [2]}`:               "targetVertices",
		`{"targetVertices": [1e300]}`:           "targetVertices",
		`{"formats": ["pdf"]}`:                  "formats",
		`{"formats": "copc"}`:                   "formats",
		`{"formats": ["lod_x"]}`:                "formats",
		`{"filters": []}`:                       "filters",
		`{"filters": {"smrf": "off"}}`:          "filters.smrf",
		`{"filters": {"smrf": {"cell":0}}}`:     "filters.smrf.cell",
		`{"filters": {"outlier": {"meanK":0}}}`: "filters.outlier.meanK",
		`{"filters": {"elm": {"cell":1e-300}}}`: "filters.elm.cell",
		`{"crs": {"source": 4326}}`:             "crs.source",
		`{"engines": {"smrf": 1}}`:              "engines",
		`{"priority": "now"}`:                   "priority",
	} {
		_, _, err := job.ParseOptions([]byte(text))
		var option *job.OptionError
		if !errors.As(err, &option) || option.Field != field || option.Msg == "" {
			t.Errorf("%s: %v, want an error of field %q", text, err, field)
		}
	}
}

func FuzzParseOptions(f *testing.F) {
	f.Add([]byte(`{"filters":{"smrf":{"cell":2}},"targetVertices":[10]}`))
	f.Add([]byte(`{"formats":["lod_1"],"quality":1e-9}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, _, err := job.ParseOptions(data)
		if err != nil {
			if len(err.Error()) > 1000 && !strings.Contains(err.Error(), "output type") {
				t.Errorf("error of %d bytes", len(err.Error()))
			}
			return
		}
		// Options that were accepted mean the same when they are written and read again.
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		again, warnings, err := job.ParseOptions(text)
		if err != nil || len(warnings) > 0 || !reflect.DeepEqual(o, again) {
			t.Fatalf("%s: %v %v", text, warnings, err)
		}
	})
}

func TestContentType(t *testing.T) {
	for name, want := range map[string]string{
		"copc/a.COPC.laz": "application/vnd.las", "ept.json": "application/json", "x.glb": "model/gltf-binary",
		"thumbnail.webp": "image/webp", "noextension": "application/octet-stream",
	} {
		if got := job.ContentType(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestParseMeshOptions(t *testing.T) {
	o, warnings, err := job.ParseOptions([]byte(`{"origin":{"lat":47.5,"lon":8.25,"heading":90},"upAxis":"z"}`))
	if err != nil || len(warnings) != 0 || o.Origin == nil || o.Origin.Lat != 47.5 || o.Origin.Heading != 90 || o.UpAxis != "z" {
		t.Errorf("%+v %v %v", o.Origin, warnings, err)
	}
	for text, field := range map[string]string{
		`{"origin":{"lat":47.5}}`:       "origin.lon",
		`{"origin":{"lat":91,"lon":0}}`: "origin.lat",
		`{"origin":[1,2]}`:              "origin",
		`{"upAxis":"x"}`:                "upAxis",
		`{"upAxis":3}`:                  "upAxis",
		`{"turntable":91}`:              "turntable",
		`{"turntable":"yes"}`:           "turntable",
	} {
		var bad *job.OptionError
		if _, _, err := job.ParseOptions([]byte(text)); !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("%s: %v, want a fault of %s", text, err, field)
		}
	}
}
