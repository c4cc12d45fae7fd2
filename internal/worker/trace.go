package worker

import (
	"context"
	"encoding/json"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"slate360.ai/worker/internal/job"
)

// spans are those of one run: its own, and one of each stage under way. Names and
// attributes follow OpenTelemetry's conventions for messaging.
type spans struct {
	ctx context.Context // with the span of the run
	run trace.Span

	mu     sync.Mutex
	stages map[string]trace.Span
}

// producerContext adds the producer's context, which BullMQ carries as metadata:
// the JSON object of a W3C trace context ({"traceparent": …}).
func producerContext(ctx context.Context, telemetry string) context.Context {
	carrier := propagation.MapCarrier{}
	if telemetry == "" || json.Unmarshal([]byte(telemetry), &carrier) != nil {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, carrier)
}

// startSpan begins the span of a run.
func (r *run) startSpan(ctx context.Context) context.Context {
	j := r.task.Job()
	ctx, span := r.w.o.Tracer.Start(producerContext(ctx, j.Telemetry), "process "+QueueJobName, trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(
			attribute.String("messaging.system", "bullmq"), attribute.String("messaging.operation.type", "process"),
			attribute.String("messaging.message.id", j.ID), attribute.String("slate360.job.id", r.jobID()),
			attribute.Int("slate360.job.attempt", j.AttemptsMade+1), attribute.String("slate360.worker", r.w.o.Run.Name),
		))
	r.spans.ctx, r.spans.run, r.spans.stages = ctx, span, map[string]trace.Span{}
	return ctx
}

// endSpan ends the span of a run, and those of stages that did not come to their end.
func (r *run) endSpan(err error) {
	r.spans.mu.Lock()
	defer r.spans.mu.Unlock()
	for name, span := range r.spans.stages {
		endWith(span, err)
		delete(r.spans.stages, name)
	}
	r.spans.run.SetAttributes(attribute.String("slate360.job.kind", r.kind))
	endWith(r.spans.run, err)
}

func endWith(span trace.Span, err error) {
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}

// trace begins and ends the spans of stages.
func (r *run) trace(p job.Progress) {
	r.spans.mu.Lock()
	defer r.spans.mu.Unlock()
	if r.spans.run == nil {
		return
	}
	switch p.Event {
	case job.EventStageStarted:
		_, span := r.w.o.Tracer.Start(r.spans.ctx, "stage "+p.Stage, trace.WithAttributes(
			attribute.String("slate360.stage", p.Stage), attribute.String("slate360.engine", p.Engine),
			attribute.String("slate360.job.id", r.jobID()), attribute.String("slate360.job.kind", r.kind)))
		r.spans.stages[p.Stage] = span
	case job.EventStageFinished:
		span := r.spans.stages[p.Stage]
		if span == nil {
			return
		}
		delete(r.spans.stages, p.Stage)
		if p.Result != nil {
			span.SetAttributes(attribute.Int64("slate360.stage.peak_bytes", p.Result.PeakBytes))
		}
		span.End()
	}
}

// step makes a span of a step around the pipeline.
func (r *run) stepSpan(ctx context.Context, name string) (context.Context, func(error)) {
	ctx, span := r.w.o.Tracer.Start(ctx, name, trace.WithAttributes(attribute.String("slate360.job.id", r.jobID())))
	return ctx, func(err error) { endWith(span, err) }
}
