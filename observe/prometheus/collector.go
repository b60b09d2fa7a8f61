package crierprom

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// A Collector collects the metrics of one hub. It implements
// [prometheus.Collector] and is safe for concurrent use.
type Collector struct {
	hub    *hub.Hub
	remove func()

	opened, ended, refused, starts *prometheus.CounterVec
	replayed, errors               prometheus.Counter
	published                      *prometheus.CounterVec
	byKind                         map[event.Type]prometheus.Counter // of published
	latency, batch                 prometheus.Histogram
	duration                       *prometheus.HistogramVec

	mu         sync.Mutex
	transports map[string]struct{} // every name that was seen
}

// NewCollector returns a collector for h and begins to observe the hub. Register
// it before the hub serves its first stream: what has happened before is missing
// in the counters of streams and kinds. It panics if h is nil.
func NewCollector(h *hub.Hub) *Collector {
	if h == nil {
		panic("crierprom: NewCollector needs a hub")
	}
	c := &Collector{
		hub:        h,
		opened:     counters("streams_opened_total", "Streams that were opened, by transport.", "transport"),
		ended:      counters("streams_ended_total", "Streams that have ended, by transport and reason.", "transport", "reason"),
		refused:    counters("streams_refused_total", "Streams that were not opened, by transport and reason.", "transport", "reason"),
		starts:     counters("stream_starts_total", "Where streams began to read: new, page, cursor, event, evicted or unknown.", "start"),
		published:  counters("published_events_total", "Events that this process has published, by kind.", "kind"),
		replayed:   counter("replayed_events_total", "Delivered events that were published before their stream was opened."),
		errors:     counter("errors_total", "Failures that no caller could be told of."),
		byKind:     map[event.Type]prometheus.Counter{},
		transports: map[string]struct{}{},
		latency: prometheus.NewHistogram(histogram("delivery_latency_seconds",
			"Time from the publish of the oldest event in a write until the write has returned. Replayed events do not count.",
			.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60)),
		batch: prometheus.NewHistogram(histogram("batch_events", "Events in one write to a client.",
			prometheus.ExponentialBuckets(1, 2, 11)...)),
		duration: prometheus.NewHistogramVec(histogram("stream_duration_seconds",
			"How long streams were open, by transport. Observed when they end.",
			1, 10, 60, 300, 900, 3600, 4*3600, 12*3600, 24*3600, 7*24*3600), []string{"transport"}),
	}
	for info := range h.Registry().All() {
		c.byKind[info.Type] = c.published.WithLabelValues(string(info.Type))
	}
	for _, s := range hub.Starts() {
		c.starts.WithLabelValues(string(s))
	}
	for _, transport := range []string{"sse", "ws", "poll"} {
		c.know(transport)
	}
	c.remove = h.Observe(&hub.Observer{
		Subscribed: c.subscribed,
		Ended:      c.streamEnded,
		Refused:    c.streamRefused,
		Published:  func(_ context.Context, p hub.Publication) { c.byKind[p.Event.Type()].Inc() },
		Written:    c.written,
		Error:      func(error) { c.errors.Inc() },
	})
	return c
}

// Close ends the collector's observation of the hub. What it has counted stays.
// Unregister the collector first.
func (c *Collector) Close() { c.remove() }

// know makes every series of a transport present.
func (c *Collector) know(transport string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.transports[transport]; ok {
		return
	}
	c.transports[transport] = struct{}{}
	c.opened.WithLabelValues(transport)
	c.duration.WithLabelValues(transport)
	for _, r := range hub.Reasons() {
		c.ended.WithLabelValues(transport, string(r))
		c.refused.WithLabelValues(transport, string(r))
	}
}

func (c *Collector) subscribed(s hub.Stream) {
	c.know(s.Transport)
	c.opened.WithLabelValues(s.Transport).Inc()
	c.starts.WithLabelValues(string(s.Start)).Inc()
}

func (c *Collector) streamEnded(s hub.Stream) {
	c.know(s.Transport)
	c.ended.WithLabelValues(s.Transport, string(s.Reason)).Inc()
	c.duration.WithLabelValues(s.Transport).Observe(time.Since(s.Started).Seconds())
}

func (c *Collector) streamRefused(r hub.Refusal) {
	c.know(r.Transport)
	c.refused.WithLabelValues(r.Transport, string(r.Reason)).Inc()
}

// written is called for each write. It does nothing but observe.
func (c *Collector) written(w hub.Write) {
	c.batch.Observe(float64(w.Events))
	if w.Replayed > 0 {
		c.replayed.Add(float64(w.Replayed))
	}
	if w.Replayed < w.Events {
		c.latency.Observe(w.Latency.Seconds())
	}
}
