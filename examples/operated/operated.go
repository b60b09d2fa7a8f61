package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/crier-go/crier/debug"
	"github.com/crier-go/crier/examples/chat/chat"
	"github.com/crier-go/crier/examples/operated/load"
	"github.com/crier-go/crier/hub"
	crierotel "github.com/crier-go/crier/observe/otel"
	crierprom "github.com/crier-go/crier/observe/prometheus"
	"github.com/crier-go/crier/transport"
)

// options say how to run the program.
type options struct {
	listener  net.Listener
	keyFile   string
	people    int
	speed     float64 // of the people; usually 1
	telemetry io.Writer
	sampled   float64
	every     time.Duration
	announce  func(url string)
	log       *slog.Logger
}

// run serves the chat and its load until ctx is over. It ends them in the order in
// which they depend on each other: the people, the chat and its hub, what observes
// the hub, and what exports that.
func run(ctx context.Context, o options) (err error) {
	t, err := newTelemetry(o.telemetry, o.sampled, o.every)
	if err != nil {
		return errors.Join(err, o.listener.Close())
	}
	defer func() { err = errors.Join(err, t.close()) }()

	var observers observers
	defer func() { err = errors.Join(err, observers.close()) }()

	url := "http://" + reachable(o.listener.Addr().(*net.TCPAddr))
	o.announce(url)

	// The chat outlives the people, so that each of them can leave.
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	ctx, failed := context.WithCancel(ctx)
	var served sync.WaitGroup
	served.Go(func() {
		defer failed()
		err = chat.Run(serving, chat.Options{
			Listener:  o.listener,
			KeyFile:   o.keyFile,
			StateFile: chat.NoState, // simulated people are not worth keeping
			Logger:    o.log,
			Configure: o.configure,
			Extend: func(h *hub.Hub, served http.Handler) http.Handler {
				return observers.observe(h, served, t, o.log)
			},
		})
	})
	load.Run(ctx, load.Options{URL: url, People: o.people, Speed: o.speed, Logger: o.log})
	<-ctx.Done()
	stopServing()
	served.Wait()
	return err
}

// spanName names the span of a request by its method and the pattern that it
// matches, of which there are only a few.
func spanName(_ string, r *http.Request) string {
	if r.Pattern == "" || r.Pattern == "/" {
		return r.Method
	}
	return r.Pattern
}

// configure sets bounds that the load reaches within a minute or two. A real program
// has no need of it.
func (o options) configure(h *hub.Options, t *transport.Options) {
	h.UserEvents, h.BroadcastEvents = 50, 1000
	h.StreamsPerUser = 4
	t.WriteTimeout = time.Duration(float64(2*time.Second) / o.speed)
	t.Retry = t.WriteTimeout
}

// observers are what observes a hub.
type observers struct {
	page      *debug.Handler
	collector *crierprom.Collector
	stopOtel  func() error
}

// observe adds metrics, traces and the debug page to a hub and to what is served.
func (x *observers) observe(h *hub.Hub, served http.Handler, t *telemetry, log *slog.Logger) http.Handler {
	// Prometheus takes the native histograms if it is started with
	// --enable-feature=native-histograms, and classic buckets otherwise.
	registry := prometheus.NewRegistry()
	x.collector = crierprom.NewCollector(h)
	registry.MustRegister(x.collector, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	// What could be made works, so an error is no reason not to serve.
	var err error
	x.stopOtel, err = crierotel.Instrument(h, &crierotel.Options{
		TracerProvider: t.traces, MeterProvider: t.metrics, StreamSpans: true,
	})
	if err != nil {
		log.Error("some metrics of OpenTelemetry are missing", "error", err)
	}

	x.page = debug.NewHandler(h, fromThisMachine, debug.WithUserIDs(chat.UserID))

	mux := http.NewServeMux()
	// A request that may publish is a span, and its publish is a child of it.
	mux.Handle("/", otelhttp.NewHandler(served, "chat",
		otelhttp.WithTracerProvider(t.traces), otelhttp.WithMeterProvider(t.metrics),
		otelhttp.WithFilter(func(r *http.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }),
		otelhttp.WithSpanNameFormatter(spanName)))
	// Nothing in the metrics names a user. Still, most programs serve them at an
	// address of their own, which only Prometheus can reach.
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.Handle("/debug/crier/", x.page)
	return mux
}

// close ends the observation of a hub that is shut down.
func (x *observers) close() error {
	if x.page == nil {
		return nil // the chat did not start
	}
	x.page.Close()
	x.collector.Close()
	return x.stopOtel()
}
