package crierotel_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/crier-go/crier/client"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	crierotel "github.com/crier-go/crier/observe/otel"
	"github.com/crier-go/crier/transport/sse"
	"github.com/crier-go/crier/transport/ws"
)

type message struct {
	Text string `json:"text"`
	crierotel.TraceContext
}

var (
	kinds  event.Registry
	posted = event.Define[message](&kinds, "chat", "chat.message.posted", "Somebody wrote a message.")
	alice  = uuid.MustParse("00000000-0000-4000-8000-00000000000a")
)

// A kit is a hub whose spans and metrics are kept.
type kit struct {
	hub    *hub.Hub
	spans  *tracetest.SpanRecorder
	tracer trace.Tracer
	reader *sdkmetric.ManualReader
	stop   func() error
}

func newKit(tb testing.TB, ho *hub.Options) *kit {
	tb.Helper()
	var options hub.Options
	if ho != nil {
		options = *ho
	}
	options.Logger = slog.New(slog.DiscardHandler)
	k := &kit{hub: hub.New(&kinds, &options), spans: tracetest.NewSpanRecorder(), reader: sdkmetric.NewManualReader()}
	traces := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(k.spans))
	k.tracer = traces.Tracer("test")
	var err error
	k.stop, err = crierotel.Instrument(k.hub, &crierotel.Options{
		TracerProvider: traces,
		MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(k.reader)),
		StreamSpans:    true,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func session() hub.Session { return hub.Session{User: alice, ID: "s1", Allowed: hub.Everything()} }

// publish publishes a message that carries the trace of ctx.
func (k *kit) publish(tb testing.TB, ctx context.Context, text string) (*event.Event, error) {
	tb.Helper()
	e, err := posted.New(alice, message{text, crierotel.Capture(ctx)})
	if err != nil {
		tb.Fatal(err)
	}
	return e, k.hub.Publish(ctx, e)
}

// numbers returns every value by its name and attributes; of a histogram, the count.
func (k *kit) numbers(tb testing.TB) map[string]float64 {
	tb.Helper()
	var all metricdata.ResourceMetrics
	if err := k.reader.Collect(tb.Context(), &all); err != nil {
		tb.Fatal(err)
	}
	got := map[string]float64{}
	for _, s := range all.ScopeMetrics {
		for _, m := range s.Metrics {
			put := func(set attribute.Set, v float64) {
				got[strings.TrimSpace(m.Name+" "+set.Encoded(attribute.DefaultEncoder()))] += v
			}
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					put(p.Attributes, float64(p.Value))
				}
			case metricdata.Gauge[int64]:
				for _, p := range d.DataPoints {
					put(p.Attributes, float64(p.Value))
				}
			case metricdata.Histogram[float64]:
				for _, p := range d.DataPoints {
					put(p.Attributes, float64(p.Count))
				}
			default:
				tb.Errorf("%s is a %T", m.Name, d)
			}
		}
	}
	return got
}

// What happens in a hub shows in its metrics.
func TestMetrics(t *testing.T) {
	k := newKit(t, &hub.Options{UserEvents: 1, MaxEvent: 300})
	cursor := k.hub.Cursor()
	for range 2 { // the second evicts the first
		if _, err := k.publish(t, t.Context(), "hello"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := k.publish(t, t.Context(), strings.Repeat("x", 300)); err == nil {
		t.Error("a large event was published")
	}
	s, err := k.hub.Subscribe(hub.Request{Session: session(), Filter: hub.Everything(), After: cursor, Transport: "ws"})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := s.Take(nil)
	for ; err == nil && len(batch) > 0; batch, err = s.Take(nil) {
		s.Wrote(batch, time.Now())
	}
	k.hub.Report(context.Canceled)
	open := k.numbers(t)["crier.server.active_connections crier.transport=ws"]
	s.Close()
	got := k.numbers(t)
	const sent = "messaging.client.sent.messages %smessaging.destination.name=chat.message.posted,messaging.operation.name=publish,messaging.system=crier"
	for name, want := range map[string]float64{
		"crier.server.active_connections crier.transport=ws":                               0,
		"crier.server.active_connections crier.transport=sse":                              0,
		"crier.server.connection.duration crier.connection.status=gone,crier.transport=ws": 1,
		"crier.server.opened_connections crier.start=evicted,crier.transport=ws":           1,
		"crier.server.delivered_events":                                                    1,
		"crier.server.replayed_events":                                                     1,
		"crier.server.gaps crier.gap.reason=evicted":                                       1,
		"crier.server.gaps crier.gap.reason=unknown":                                       0,
		"crier.server.delivery.batch_size":                                                 1,
		"crier.server.retained_events":                                                     1,
		"crier.server.errors":                                                              1,
		fmt.Sprintf(sent, ""):                                                              2,
		fmt.Sprintf(sent, "error.type=too_large,"):                                         1,
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s is %v (%v), want %v", name, value, ok, want)
		}
	}
	if open != 1 {
		t.Errorf("%v open connections, want 1", open)
	}
	if t.Failed() {
		t.Log(got)
	}
}

// A publish is a span of kind producer, a child of the caller's.
func TestPublishSpan(t *testing.T) {
	k := newKit(t, &hub.Options{MaxEvent: 400})
	ctx, parent := k.tracer.Start(t.Context(), "request")
	e, err := k.publish(t, ctx, "hello")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.publish(t, ctx, strings.Repeat("x", 400)); err == nil {
		t.Error("a large event was published")
	}
	spans := k.spans.Ended()
	if len(spans) != 2 {
		t.Fatalf("%d spans", len(spans))
	}
	good, bad := spans[0], spans[1]
	if good.Name() != "publish chat.message.posted" || good.SpanKind() != trace.SpanKindProducer || good.Parent().SpanID() != parent.SpanContext().SpanID() {
		t.Errorf("%s, %s, child of %s", good.Name(), good.SpanKind(), good.Parent().SpanID())
	}
	set := attribute.NewSet(good.Attributes()...)
	for key, want := range map[attribute.Key]string{
		"messaging.system": "crier", "messaging.operation.name": "publish", "messaging.operation.type": "send",
		"messaging.destination.name": "chat.message.posted", "messaging.message.id": e.ID().String(), "crier.audiences": "1",
	} {
		if v, _ := set.Value(key); v.String() != want {
			t.Errorf("%s is %q, want %q", key, v.String(), want)
		}
	}
	set = attribute.NewSet(bad.Attributes()...)
	if v, _ := set.Value("error.type"); v.AsString() != "too_large" || bad.Status().Description == "" {
		t.Errorf("the failed publish: %v, %v", bad.Attributes(), bad.Status())
	}
}

// A client continues the trace in which an event was made, over both transports,
// and each stream is one span, until Instrument is undone.
func TestTraceReachesClient(t *testing.T) {
	for _, name := range []string{"sse", "ws"} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t, nil)
			auth := func(*http.Request) (hub.Session, error) { return session(), nil }
			handler := sse.NewHandler(k.hub, auth, nil)
			if name == "ws" {
				handler = ws.NewHandler(k.hub, auth, nil)
			}
			srv := httptest.NewServer(handler)
			defer srv.Close()
			url := srv.URL
			if name == "ws" {
				url = strings.Replace(url, "http", "ws", 1)
			}
			stream, err := client.Dial(t.Context(), url, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer stream.Close()
			ctx, parent := k.tracer.Start(t.Context(), "request")
			if _, err := k.publish(t, ctx, "hello"); err != nil {
				t.Fatal(err)
			}
			for e, err := range stream.Events() {
				if err != nil {
					t.Fatal(err)
				}
				m, err := client.Payload(posted, e)
				if err != nil {
					t.Fatal(err)
				}
				got := trace.SpanContextFromContext(m.TraceContext.Context(t.Context()))
				if got.TraceID() != parent.SpanContext().TraceID() || got.SpanID() != parent.SpanContext().SpanID() || !got.IsRemote() {
					t.Errorf("got %v, want that of %v", got, parent.SpanContext())
				}
				break
			}
			k.stop()
			spans := k.spans.Ended()
			if last := spans[len(spans)-1]; last.Name() != "stream "+name || last.SpanKind() != trace.SpanKindServer {
				t.Errorf("the last span is %s, %s", last.Name(), last.SpanKind())
			}
		})
	}
}

// A context without a trace takes no bytes, and one that is not valid is no trace.
func TestTraceContext(t *testing.T) {
	k := newKit(t, nil)
	e, err := k.publish(t, t.Context(), "hello")
	if err != nil || string(e.Data()) != `{"text":"hello"}` {
		t.Errorf("%s, %v", e.Data(), err)
	}
	ctx := crierotel.TraceContext{Traceparent: "00-garbage"}.Context(t.Context())
	if trace.SpanContextFromContext(ctx).IsValid() {
		t.Error("garbage is a trace")
	}
}

// BenchmarkWrite measures what the report of a write costs.
func BenchmarkWrite(b *testing.B) {
	k := newKit(b, nil)
	s, err := k.hub.Subscribe(hub.Request{Session: session(), Filter: hub.Everything(), Transport: "ws"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if _, err := k.publish(b, b.Context(), "hello"); err != nil {
		b.Fatal(err)
	}
	batch, err := s.Take(nil)
	if err != nil || len(batch) != 1 {
		b.Fatal(batch, err)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Wrote(batch, time.Now())
	}
}
