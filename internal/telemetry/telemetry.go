// Package telemetry sends traces to where OpenTelemetry's own variables say: OTLP
// over HTTP, to OTEL_EXPORTER_OTLP_ENDPOINT (https://opentelemetry.io/docs/specs/otel/protocol/exporter).
// Without it nothing is made and nothing sent.
package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Scope is the name of the instrumentation.
const Scope = "slate360.ai/worker"

// Options of Start.
type Options struct {
	Version string
	// Instance tells processes apart: the name of the worker.
	Instance string
	Logger   *slog.Logger
}

// Start returns the tracer, and what sends the rest and ends.
func Start(ctx context.Context, o Options) (trace.Tracer, func(context.Context) error, error) {
	if !wanted() {
		return noop.NewTracerProvider().Tracer(Scope), func(context.Context) error { return nil }, nil
	}
	exporter, err := otlptracehttp.New(ctx) // endpoint, headers, certificates: as the variables say
	if err != nil {
		return nil, nil, fmt.Errorf("traces: %w", err)
	}
	res, err := resource.New(ctx,
		resource.WithAttributes(
			attribute.String("service.name", "slate360-worker"), attribute.String("service.version", o.Version),
			attribute.String("service.instance.id", o.Instance),
		),
		resource.WithHost(), resource.WithFromEnv())
	if err != nil {
		o.Logger.Debug("traces: not all is known of this machine", "error", err)
	}
	// Collectors that are away are no reason to stop, and said once in a while only.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { o.Logger.Warn("traces", "error", err) }))
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(res))
	return provider.Tracer(Scope, trace.WithInstrumentationVersion(o.Version)), provider.Shutdown, nil
}

// wanted tells whether the variables name a collector.
func wanted() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}
