package crierotel

import (
	"context"
	"net"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"
	"go.opentelemetry.io/otel/trace"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

const (
	system    = messagingconv.SystemAttr("crier")
	operation = "publish"
)

// traces make the spans of one hub, and the metrics of a publish, which have the
// same attributes.
type traces struct {
	tracer      trace.Tracer
	sent        messagingconv.ClientSentMessages
	duration    messagingconv.ClientOperationDuration
	streamSpans bool
	streams     sync.Map // uint64 to trace.Span
}

func (t *traces) observer() *hub.Observer {
	o := &hub.Observer{Publishing: t.publishing}
	if t.streamSpans {
		o.Subscribed, o.Ended, o.Gap = t.subscribed, t.ended, t.gap
	}
	return o
}

func (t *traces) publishing(ctx context.Context, e *event.Event, audiences int) (context.Context, func(error)) {
	began := time.Now()
	kind := string(e.Type())
	destination := semconv.MessagingDestinationName(kind)
	ctx, span := t.tracer.Start(ctx, operation+" "+kind, trace.WithSpanKind(trace.SpanKindProducer), trace.WithTimestamp(began))
	if span.IsRecording() {
		span.SetAttributes(
			semconv.MessagingSystemKey.String(string(system)),
			semconv.MessagingOperationName(operation),
			semconv.MessagingOperationTypeSend,
			destination,
			semconv.MessagingMessageID(e.ID().String()),
			semconv.MessagingMessageBodySize(len(e.Data())),
			attribute.Int("crier.audiences", audiences),
		)
	}
	return ctx, func(err error) {
		attributes := []attribute.KeyValue{destination}
		if err != nil {
			attributes = append(attributes, semconv.ErrorTypeKey.String(errorType(err)))
			span.SetAttributes(attributes[1])
			span.SetStatus(codes.Error, err.Error())
		}
		span.End()
		t.sent.Add(ctx, 1, operation, system, attributes...)
		attributes = append(attributes, semconv.MessagingOperationTypeSend)
		t.duration.Record(ctx, time.Since(began).Seconds(), operation, system, attributes...)
	}
}

func (t *traces) subscribed(s hub.Stream) {
	ctx := s.Context
	if ctx == nil {
		ctx = background
	}
	attributes := []attribute.KeyValue{
		transportKey.String(s.Transport),
		startKey.String(string(s.Start)),
		semconv.UserID(s.User.String()),
	}
	if host, _, err := net.SplitHostPort(s.RemoteAddr); err == nil {
		attributes = append(attributes, semconv.ClientAddress(host))
	}
	if s.UserAgent != "" {
		attributes = append(attributes, semconv.UserAgentOriginal(s.UserAgent))
	}
	_, span := t.tracer.Start(ctx, "stream "+s.Transport, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithTimestamp(s.Started), trace.WithAttributes(attributes...))
	t.streams.Store(s.ID, span)
}

func (t *traces) gap(g hub.Gap) {
	if span, ok := t.streams.Load(g.Stream.ID); ok {
		span.(trace.Span).AddEvent("crier.gap", trace.WithAttributes(gapReasonKey.String(string(g.Reason))))
	}
}

func (t *traces) ended(s hub.Stream) {
	v, ok := t.streams.LoadAndDelete(s.ID)
	if !ok {
		return // it was opened before Instrument
	}
	span := v.(trace.Span)
	span.SetAttributes(
		statusKey.String(string(s.Reason)),
		attribute.Int64("crier.delivered_events", int64(s.Delivered)),
		attribute.Int64("crier.gaps", int64(s.Gaps)),
	)
	switch s.Reason {
	case hub.ReasonSlow, hub.ReasonAbusive, hub.ReasonOverloaded, hub.ReasonUnavailable:
		span.SetAttributes(semconv.ErrorTypeKey.String(string(s.Reason)))
		span.SetStatus(codes.Error, "the stream ended as "+string(s.Reason))
	}
	span.End()
}

// endStreams ends the spans of streams that are open.
func (t *traces) endStreams() {
	t.streams.Range(func(id, span any) bool {
		t.streams.Delete(id)
		span.(trace.Span).End()
		return true
	})
}
