package viewer

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"slate360.ai/worker/internal/format"
	"slate360.ai/worker/internal/job"
)

const pageStyle = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
img { max-width: 100%; border-radius: .5rem; }
.warning { border-left: .25rem solid #d90; padding-left: .75rem; }
td.v { overflow-wrap: anywhere; }
`

// pageSecurity lets the page have its own style and pictures, and nothing else.
var pageSecurity = contentSecurity()

func contentSecurity() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return "default-src 'none'; img-src 'self'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// The style goes in as it is, so that its hash is the one that is announced.
const pageText = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Title}}</title><style>` + pageStyle + `</style></head>
<body>
<h1>{{.Title}}</h1>
{{with .Problem}}<p class="warning">{{.}}</p>{{end}}
{{with .Thumbnail}}<p><img src="{{.}}" alt="thumbnail"></p>{{end}}
{{range .Warnings}}<p class="warning">{{.}}</p>{{end}}
{{with .Outputs}}<h2>Outputs</h2>
<table><tr><th>type</th><th>file</th><th class="n">size</th><th class="n">holds</th></tr>
{{range .}}<tr><td>{{.Type}}</td><td><a href="{{.Link}}">{{.Path}}</a></td><td class="n">{{.Size}}</td><td class="n">{{.Holds}}</td></tr>
{{end}}</table>{{end}}
{{with .Analysis}}<h2>Analysis</h2>
<table>{{range .}}<tr><td>{{.Key}}</td><td class="v">{{.Value}}</td></tr>
{{end}}</table>{{end}}
{{with .Stages}}<h2>Stages</h2>
<table><tr><th>stage</th><th>engine</th><th class="n">time</th><th class="n">memory</th></tr>
{{range .}}<tr><td>{{.Name}}</td><td>{{.Engine}}</td><td class="n">{{.Time}}</td><td class="n">{{.Memory}}</td></tr>
{{end}}</table>{{end}}
</body></html>
`

var pageTemplate = template.Must(template.New("page").Parse(pageText))

type page struct {
	Title, Problem, Thumbnail string
	Warnings                  []string
	Outputs                   []pageOutput
	Analysis                  []pageValue
	Stages                    []pageStage
}

type pageOutput struct{ Type, Path, Link, Size, Holds string }

type pageValue struct{ Key, Value string }

type pageStage struct{ Name, Engine, Time, Memory string }

func (h *Handler) servePage(w http.ResponseWriter) {
	p := page{Title: "Slate360 result"}
	result, err := h.loadResult()
	if err != nil {
		p.Problem = err.Error()
	} else {
		p.fill(result)
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		http.Error(w, "the page cannot be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // a browser that went away is no error
}

func (p *page) fill(r job.Result) {
	p.Warnings = r.Warnings
	if r.Status != job.StatusCompleted {
		p.Problem = fmt.Sprintf("the job is %s: %s", r.Status, r.Error)
	}
	for _, o := range r.Outputs {
		p.Outputs = append(p.Outputs, pageOutput{o.Type, o.Path, link(o.Path), format.Bytes(o.Size), holds(o)})
		if o.Type == job.TypeThumbnail && (p.Thumbnail == "" || o.ContentType == "image/png") {
			p.Thumbnail = link(o.Path)
		}
	}
	flatten("", r.Analysis, &p.Analysis)
	for _, s := range r.Stages {
		p.Stages = append(p.Stages, pageStage{s.Name, s.Engine, format.Seconds(s.Seconds), format.Bytes(s.PeakBytes)})
	}
}

// holds says what an output counts.
func holds(o job.Output) string {
	switch {
	case o.Tiles > 0:
		return format.Count(o.Tiles) + " tiles"
	case o.Points > 0:
		return format.Count(o.Points) + " points"
	case o.Triangles > 0:
		return format.Count(o.Triangles) + " triangles"
	case o.Width > 0:
		return fmt.Sprintf("%d × %d", o.Width, o.Height)
	case o.Files > 0:
		return format.Count(o.Files) + " files"
	}
	return ""
}

// The rows and the characters of a value that the page shows of an analysis.
const (
	shownRows  = 500
	shownValue = 400
)

// flatten makes rows of nested objects, "crs.name" for name in crs.
func flatten(prefix string, v any, rows *[]pageValue) {
	if len(*rows) >= shownRows {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			name := key
			if prefix != "" {
				name = prefix + "." + key
			}
			flatten(name, v[key], rows)
		}
	case []any:
		if len(v) > 0 && isNested(v[0]) {
			for i, item := range v {
				flatten(fmt.Sprintf("%s[%d]", prefix, i), item, rows)
			}
			return
		}
		text := ""
		for i, item := range v {
			if i > 0 {
				text += ", "
			}
			text += valueText(item)
		}
		*rows = append(*rows, pageValue{prefix, shorten(text)})
	case nil:
	default:
		*rows = append(*rows, pageValue{prefix, shorten(valueText(v))})
	}
}

func isNested(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

func valueText(v any) string {
	if f, ok := v.(float64); ok {
		if f == float64(int64(f)) {
			return format.Count(int64(f))
		}
		return strconv.FormatFloat(f, 'g', 12, 64)
	}
	return fmt.Sprint(v)
}

func shorten(s string) string {
	if r := []rune(s); len(r) > shownValue {
		return string(r[:shownValue]) + "…"
	}
	return s
}
