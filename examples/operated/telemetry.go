package main

import (
	"context"
	"errors"
	"io"
	"time"

	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// telemetry is the SDK of OpenTelemetry with exporters that write JSON.
type telemetry struct {
	traces  *trace.TracerProvider
	metrics *metric.MeterProvider
}

// newTelemetry returns providers that write to w: a share of the traces, and the
// metrics every so often.
func newTelemetry(w io.Writer, sampled float64, every time.Duration) (*telemetry, error) {
	spans, err := stdouttrace.New(stdouttrace.WithWriter(w))
	if err != nil {
		return nil, err
	}
	numbers, err := stdoutmetric.New(stdoutmetric.WithWriter(w))
	if err != nil {
		return nil, err
	}
	service := resource.NewSchemaless(semconv.ServiceName("crier-operated"))
	return &telemetry{
		traces: trace.NewTracerProvider(trace.WithResource(service), trace.WithBatcher(spans),
			trace.WithSampler(trace.ParentBased(trace.TraceIDRatioBased(sampled)))),
		metrics: metric.NewMeterProvider(metric.WithResource(service),
			metric.WithReader(metric.NewPeriodicReader(numbers, metric.WithInterval(every)))),
	}, nil
}

// closeTime is how long the last spans and metrics may take.
const closeTime = 5 * time.Second

// close writes what is left.
func (t *telemetry) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	return errors.Join(t.traces.Shutdown(ctx), t.metrics.Shutdown(ctx))
}
