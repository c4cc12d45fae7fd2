package job

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"strings"
)

// OptionError says which option cannot be used and why. It is permanent: trying
// the job again will not help.
type OptionError struct {
	// Field is the path of the option, such as "filters.smrf.cell".
	Field string
	// Msg says what is wrong and what would be right.
	Msg string
}

func (e *OptionError) Error() string {
	if e.Field == "" {
		return "options: " + e.Msg
	}
	return fmt.Sprintf("option %s: %s", e.Field, e.Msg)
}

// maximalTargets bounds targetVertices: detail levels are named lod_0 to lod_9.
const maximalTargets = maximalLODLevel + 1

// ParseOptions reads the options of a job from JSON (nil, empty and null are the
// defaults), fills in defaults and checks types and ranges. An option it does
// not know is a warning; a wrong type or range is an *OptionError.
func ParseOptions(data []byte) (Options, []string, error) {
	o := DefaultOptions()
	if len(bytes.TrimSpace(data)) == 0 {
		return o, nil, nil
	}
	raw, err := decodeObject(data)
	if err != nil {
		return Options{}, nil, err
	}
	r := &reader{}
	root := r.object("", raw)
	root.formats("formats", &o.Formats)
	root.number("quality", &o.Quality, 0, 1)
	root.boolean("generateLOD", &o.GenerateLOD)
	root.integer("dracoCompression", &o.DracoCompression, 0, 10)
	root.targets("targetVertices", &o.TargetVertices)
	if f := root.child("filters"); f != nil {
		parseFilters(f, &o.Filters)
		f.finish()
	}
	if c := root.child("crs"); c != nil {
		c.text("source", &o.CRS.Source)
		c.text("target", &o.CRS.Target)
		c.finish()
	}
	if c := root.child("origin"); c != nil {
		o.Origin = &Origin{}
		for _, name := range []string{"lat", "lon"} {
			if _, ok := c.raw[name]; !ok {
				r.fail(c.field(name), "is missing: a place needs both lat and lon")
			}
		}
		c.number("lat", &o.Origin.Lat, -90, 90)
		c.number("lon", &o.Origin.Lon, -180, 180)
		c.number("height", &o.Origin.Height, -1e5, 1e6)
		c.number("heading", &o.Origin.Heading, -360, 360)
		c.finish()
	}
	root.choice("upAxis", &o.UpAxis, UpAxes())
	root.integer("turntable", &o.Turntable, 0, 90)
	root.engines("engines", &o.Engines)
	root.priority("priority", &o.Priority)
	root.finish()
	if r.err != nil {
		return Options{}, nil, r.err
	}
	sort.Strings(r.warnings)
	return o, r.warnings, nil
}

// The greatest distance a filter takes, in metres: beyond the size of any scan,
// so that cell counts stay finite.
const maximalDistance = 1e6

func parseFilters(f *object, v *Filters) {
	if c := f.filter("outlier", &v.Outlier.Off); c != nil {
		c.integer("meanK", &v.Outlier.MeanK, 1, 1000)
		c.number("multiplier", &v.Outlier.Multiplier, 0, 1e6)
		c.finish()
	}
	if c := f.filter("elm", &v.ELM.Off); c != nil {
		c.positive("cell", &v.ELM.Cell, maximalDistance)
		c.positive("threshold", &v.ELM.Threshold, maximalDistance)
		c.finish()
	}
	if c := f.filter("smrf", &v.SMRF.Off); c != nil {
		c.positive("cell", &v.SMRF.Cell, maximalDistance)
		c.number("slope", &v.SMRF.Slope, 0, 1e3)
		c.positive("window", &v.SMRF.Window, maximalDistance)
		c.number("scalar", &v.SMRF.Scalar, 0, 1e6)
		c.number("threshold", &v.SMRF.Threshold, 0, maximalDistance)
		c.finish()
	}
}

func decodeObject(data []byte) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	var raw map[string]json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		var te *json.UnmarshalTypeError
		if errors.As(err, &te) {
			return nil, &OptionError{Msg: fmt.Sprintf("want a JSON object, got a JSON %s", te.Value)}
		}
		return nil, &OptionError{Msg: "not valid JSON: " + err.Error()}
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, &OptionError{Msg: "not valid JSON: text after the object"}
	}
	return raw, nil
}

// reader collects the first error and all warnings of one ParseOptions.
type reader struct {
	warnings []string
	err      error
}

func (r *reader) fail(field, format string, args ...any) {
	if r.err == nil {
		r.err = &OptionError{Field: field, Msg: fmt.Sprintf(format, args...)}
	}
}

// object is one JSON object of which the known members are taken out.
type object struct {
	r    *reader
	path string
	raw  map[string]json.RawMessage
}

func (r *reader) object(path string, raw map[string]json.RawMessage) *object {
	return &object{r: r, path: path, raw: raw}
}

func (o *object) field(name string) string {
	if o.path == "" {
		return name
	}
	return o.path + "." + name
}

// take removes a member and returns its JSON, or nil where it is absent or null.
func (o *object) take(name string) json.RawMessage {
	v, ok := o.raw[name]
	delete(o.raw, name)
	if !ok || string(v) == "null" {
		return nil
	}
	return v
}

// finish warns of all members that nobody took.
func (o *object) finish() {
	for name := range o.raw {
		o.r.warnings = append(o.r.warnings, fmt.Sprintf("option %s is unknown and has no effect", o.field(name)))
	}
}

func (o *object) decode(name, want string, v any) bool {
	raw := o.take(name)
	if raw == nil {
		return false
	}
	if err := json.Unmarshal(raw, v); err != nil {
		o.r.fail(o.field(name), "want %s, got %s", want, shorten(raw))
		return false
	}
	return true
}

// shorten quotes a JSON value in an error without flooding it.
func shorten(raw []byte) string {
	const limit = 60
	if len(raw) > limit {
		return strings.ToValidUTF8(string(raw[:limit]), "") + "…"
	}
	return string(raw)
}

func (o *object) child(name string) *object {
	var raw map[string]json.RawMessage
	if !o.decode(name, "an object", &raw) {
		return nil
	}
	return o.r.object(o.field(name), raw)
}

// filter is child, where false (or "off": true) switches the filter off.
func (o *object) filter(name string, off *bool) *object {
	switch string(o.raw[name]) {
	case "false", "true":
		*off = string(o.take(name)) == "false"
		return nil
	}
	c := o.child(name)
	if c != nil {
		c.boolean("off", off)
	}
	return c
}

func (o *object) number(name string, v *float64, low, high float64) {
	x := *v
	if !o.decode(name, fmt.Sprintf("a number from %g to %g", low, high), &x) {
		return
	}
	if x < low || x > high {
		o.r.fail(o.field(name), "want a number from %g to %g, got %g", low, high, x)
		return
	}
	*v = x
}

func (o *object) choice(name string, v *string, of []string) {
	x := *v
	want := "one of " + strings.Join(of, ", ")
	if !o.decode(name, want, &x) {
		return
	}
	if !slices.Contains(of, x) {
		o.r.fail(o.field(name), "want %s, got %q", want, x)
		return
	}
	*v = x
}

func (o *object) positive(name string, v *float64, high float64) {
	x := *v
	if !o.decode(name, fmt.Sprintf("a number above 0, up to %g", high), &x) {
		return
	}
	if x < smallestDistance || x > high {
		o.r.fail(o.field(name), "want a number from %g to %g, got %g", smallestDistance, high, x)
		return
	}
	*v = x
}

// smallestDistance, in metres, keeps grids of hostile cell sizes finite.
const smallestDistance = 1e-3

func (o *object) integer(name string, v *int, low, high int) {
	x := float64(*v)
	want := fmt.Sprintf("a whole number from %d to %d", low, high)
	if !o.decode(name, want, &x) {
		return
	}
	if x != math.Trunc(x) || x < float64(low) || x > float64(high) {
		o.r.fail(o.field(name), "want %s, got %g", want, x)
		return
	}
	*v = int(x)
}

func (o *object) boolean(name string, v *bool) { o.decode(name, "true or false", v) }

func (o *object) text(name string, v *string) {
	if o.decode(name, "a text", v) {
		*v = strings.TrimSpace(*v)
	}
}

func (o *object) formats(name string, v *[]string) {
	var names []string
	if !o.decode(name, "a list of output types", &names) {
		return
	}
	out := make([]string, 0, len(names))
	for _, n := range names {
		t, ok := NormalizeFormat(n)
		if !ok {
			o.r.fail(o.field(name), "there is no output type %q; there are %s, lod_0 … lod_9", n, strings.Join(OutputTypes(), ", "))
			return
		}
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	*v = out
}

func (o *object) targets(name string, v *[]int) {
	const want = "a list of whole numbers of vertices from 3 up"
	var counts []float64
	if !o.decode(name, want, &counts) {
		return
	}
	if len(counts) > maximalTargets {
		o.r.fail(o.field(name), "want at most %d detail levels, got %d", maximalTargets, len(counts))
		return
	}
	out := make([]int, len(counts))
	for i, c := range counts {
		if c != math.Trunc(c) || c < 3 || c > math.MaxInt32 {
			o.r.fail(o.field(name), "want %s, got %g", want, c)
			return
		}
		out[i] = int(c)
	}
	*v = out
}

func (o *object) engines(name string, v *map[string]string) {
	engines := map[string]string{}
	if o.decode(name, `an object of stage: engine, such as {"smrf": "native"}`, &engines) {
		*v = engines
	}
}

func (o *object) priority(name string, v *Priority) {
	known := []Priority{PriorityLow, PriorityNormal, PriorityHigh, PriorityUrgent}
	p := *v
	if !o.decode(name, "low, normal, high or urgent", &p) {
		return
	}
	if !slices.Contains(known, p) {
		o.r.fail(o.field(name), "want low, normal, high or urgent, got %q", string(p))
		return
	}
	*v = p
}
