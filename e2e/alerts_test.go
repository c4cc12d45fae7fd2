package e2e

import (
	"bytes"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// rule is an alert of deploy/prometheus/alerts.yml, which has each field on one line.
type rule struct{ alert, expr, runbook string }

func alertRules(t *testing.T) []rule {
	t.Helper()
	data, err := os.ReadFile("../deploy/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var rules []rule
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch name {
		case "- alert":
			rules = append(rules, rule{alert: value})
		case "expr":
			rules[len(rules)-1].expr = value
		case "runbook_url":
			rules[len(rules)-1].runbook = value
		}
	}
	return rules
}

// selector is a metric with the matchers of its labels.
var (
	selector = regexp.MustCompile(`((?:slate360|process)_[a-z0-9_]+|\bup\b)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`([a-z_]+)(?:=~|!=|!~|=)"([^"]*)"`)
	sampled  = regexp.MustCompile(`^([a-z0-9_]+)(?:\{(.*)\})? `)
)

// Each metric and label that an alert asks for is one that a worker tells, and each
// alert has its part of the runbook, which has none beside.
func TestAlerts(t *testing.T) {
	rules := alertRules(t)
	if len(rules) < 15 {
		t.Fatalf("%d alerts", len(rules))
	}
	metrics := workerMetrics(t)
	book, err := os.ReadFile("../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	headings := map[string]bool{}
	for line := range strings.Lines(string(book)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "## Slate360"); ok {
			headings["Slate360"+name] = true
		}
	}
	for _, r := range rules {
		found := selector.FindAllStringSubmatch(r.expr, -1)
		if len(found) == 0 {
			t.Errorf("%s asks for nothing: %s", r.alert, r.expr)
		}
		for _, m := range found {
			labels, ok := metrics[m[1]]
			if !ok && m[1] != "up" { // up is Prometheus' own
				t.Errorf("%s: no worker tells %s; they tell %v", r.alert, m[1], slices.Sorted(maps.Keys(metrics)))
			}
			for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
				if !labels[l[1]] && l[1] != "job" {
					t.Errorf("%s: %s has no label %s", r.alert, m[1], l[1])
				}
			}
		}
		if want := "docs/runbook.md#" + strings.ToLower(r.alert); r.runbook != want || !headings[r.alert] {
			t.Errorf("%s: runbook %s, want %s, a heading: %v", r.alert, r.runbook, want, headings[r.alert])
		}
		delete(headings, r.alert)
	}
	for name := range headings {
		t.Errorf("the runbook has %s, which is no alert", name)
	}
	if promtool, err := exec.LookPath("promtool"); err == nil {
		if out, err := exec.Command(promtool, "check", "rules", "../deploy/prometheus/alerts.yml").CombinedOutput(); err != nil {
			t.Errorf("promtool: %v\n%s", err, out)
		}
	}
}

// workerMetrics are the metrics that a worker on a machine with a graphics card tells
// after a job, with their labels.
func workerMetrics(t *testing.T) map[string]map[string]bool {
	t.Helper()
	dir := t.TempDir()
	card := "#!/bin/sh\necho '0, Tesla T4, 550.54.15, 37, 15360, 1024, 41, 70.0'\n"
	if err := os.WriteFile(filepath.Join(dir, "nvidia-smi"), []byte(card), 0o755); err != nil {
		t.Fatal(err)
	}
	address := serve(t, dir, "metrics", []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "SLATE360_PRICE_HOUR=0.5", "SLATE360_COST_BUDGET=10"}, "run", "--addr", "127.0.0.1:0")
	client := http.Client{Timeout: 20 * time.Second}
	metrics := map[string]map[string]bool{}
	// The second look counts the first.
	for range 2 {
		resp, err := client.Get(address + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		_, err = text.ReadFrom(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(text.String()) {
			m := sampled.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			if metrics[m[1]] == nil {
				metrics[m[1]] = map[string]bool{}
			}
			for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
				metrics[m[1]][l[1]] = true
			}
		}
	}
	return metrics
}
