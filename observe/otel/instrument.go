package crierotel

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/crier-go/crier/hub"
)

const scope = "github.com/crier-go/crier/observe/otel"

// Options say where metrics and traces go. Nil options are the zero value.
type Options struct {
	// TracerProvider makes the tracer. Default: otel.GetTracerProvider().
	TracerProvider trace.TracerProvider
	// MeterProvider makes the meter. Default: otel.GetMeterProvider().
	MeterProvider metric.MeterProvider
	// StreamSpans makes a span of each stream, which is exported when the stream
	// ends, maybe after days. The span names the user. Default: streams are no
	// spans.
	StreamSpans bool
}

// Instrument begins to observe h. Call it before the hub serves its first stream:
// what has happened before is missing in the counters of the observer. It panics
// if h is nil. An error is one of the meter provider; what could be made works.
//
// The returned function ends the observation, and ends the spans of streams that
// are still open. Call it after Hub.Shutdown and before the providers are shut
// down.
func Instrument(h *hub.Hub, o *Options) (stop func() error, err error) {
	if h == nil {
		panic("crierotel: Instrument needs a hub")
	}
	var options Options
	if o != nil {
		options = *o
	}
	if options.TracerProvider == nil {
		options.TracerProvider = otel.GetTracerProvider()
	}
	if options.MeterProvider == nil {
		options.MeterProvider = otel.GetMeterProvider()
	}
	meter := options.MeterProvider.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL))
	m, err := newMetrics(h, meter)
	t := &traces{
		tracer:      options.TracerProvider.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL)),
		sent:        m.sent,
		duration:    m.operation,
		streamSpans: options.StreamSpans,
	}
	remove := []func(){h.Observe(m.observer()), h.Observe(t.observer())}
	var once sync.Once
	return func() (err error) {
		once.Do(func() {
			for _, f := range remove {
				f()
			}
			t.endStreams()
			err = m.stop()
		})
		return err
	}, err
}

// background is the context of measurements that belong to no request.
var background = context.Background()

// errorType returns a value of error.type: a word for the errors that a hub is
// known to return, else the error's Go type.
func errorType(err error) string {
	var (
		reason   hub.Reason
		tooLarge *hub.EventTooLargeError
		record   *hub.RecordTooLargeError
	)
	switch {
	case errors.Is(err, hub.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, hub.ErrClosed):
		return "closed"
	case errors.As(err, &tooLarge), errors.As(err, &record):
		return "too_large"
	case errors.As(err, &reason):
		return string(reason)
	}
	return semconv.ErrorType(err).Value.AsString()
}
