package api_test

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/server/api"
	"slate360.ai/worker/internal/telemetry"
)

// A trace that a client began goes on through the queue to each stage.
func TestTrace(t *testing.T) {
	var mu sync.Mutex
	spans := map[string]*otlp.Span{}
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		var batch collector.ExportTraceServiceRequest
		if err != nil || proto.Unmarshal(body, &batch) != nil || req.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", req.URL.Path, err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, resource := range batch.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				for _, span := range scope.Spans {
					spans[span.Name] = span
				}
			}
		}
	}))
	defer sink.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.URL)
	var tracer trace.Tracer
	tracer, flush, err := telemetry.Start(t.Context(), telemetry.Options{Version: "test", Instance: "test", Logger: discard()})
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, settings{api: func(o *api.Options) { o.Tracer = tracer }})
	r.tracer = tracer
	r.work()
	const traceID, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	s := r.submitText("1 2 3\n", "traceparent", "00-"+traceID+"-"+parent+"-01")
	r.until(s.JobID, job.StatusCompleted)
	r.eventually("the span of the run has ended", func() bool {
		q, err := r.queue.Get(t.Context(), s.JobID)
		return err == nil && q.State == "completed"
	})
	if err := flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	parents := map[string]string{
		"submit job": "", "process process-model": "submit job", "fetch": "process process-model", "stage copy": "process process-model", "publish": "process process-model",
	}
	for name, above := range parents {
		span := spans[name]
		if span == nil {
			t.Errorf("there is no span %s in %v", name, spans)
			continue
		}
		want := parent
		if above != "" && spans[above] != nil {
			want = hex.EncodeToString(spans[above].SpanId)
		}
		if hex.EncodeToString(span.TraceId) != traceID || hex.EncodeToString(span.ParentSpanId) != want {
			t.Errorf("%s: trace %x, parent %x, want %s", name, span.TraceId, span.ParentSpanId, want)
		}
	}
}
