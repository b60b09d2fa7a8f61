package crierotel

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"

	"github.com/crier-go/crier/hub"
)

const (
	transportKey = attribute.Key("crier.transport")
	statusKey    = attribute.Key("crier.connection.status")
	startKey     = attribute.Key("crier.start")
	gapReasonKey = attribute.Key("crier.gap.reason")
)

// metrics are the instruments of one hub.
type metrics struct {
	hub *hub.Hub

	connection, latency, batch        metric.Float64Histogram
	opened, refused, replayed, errors metric.Int64Counter
	sent                              messagingconv.ClientSentMessages
	operation                         messagingconv.ClientOperationDuration

	active, users, retained, size metric.Int64ObservableUpDownCounter
	delivered, gaps               metric.Int64ObservableCounter
	behind, following, lag        metric.Int64ObservableGauge

	registration metric.Registration

	mu         sync.Mutex
	transports map[string]struct{} // every name that was seen
}

func newMetrics(h *hub.Hub, meter metric.Meter) (*metrics, error) {
	m := &metrics{hub: h, transports: map[string]struct{}{"sse": {}, "ws": {}, "poll": {}}}
	var all []error
	note := func(err error) {
		if err != nil {
			all = append(all, err)
		}
	}
	histogram := func(name, unit, what string, bounds ...float64) metric.Float64Histogram {
		i, err := meter.Float64Histogram(name, metric.WithUnit(unit), metric.WithDescription(what), metric.WithExplicitBucketBoundaries(bounds...))
		note(err)
		return i
	}
	counter := func(name, unit, what string) metric.Int64Counter {
		i, err := meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(what))
		note(err)
		return i
	}
	total := func(name, unit, what string) metric.Int64ObservableCounter {
		i, err := meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(what))
		note(err)
		return i
	}
	amount := func(name, unit, what string) metric.Int64ObservableUpDownCounter {
		i, err := meter.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(what))
		note(err)
		return i
	}
	gauge := func(name, unit, what string) metric.Int64ObservableGauge {
		i, err := meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(what))
		note(err)
		return i
	}

	m.active = amount("crier.server.active_connections", "{connection}", "Streams that are open.")
	m.connection = histogram("crier.server.connection.duration", "s", "How long streams were open.",
		1, 10, 60, 300, 900, 3600, 4*3600, 12*3600, 24*3600, 7*24*3600)
	m.opened = counter("crier.server.opened_connections", "{connection}", "Streams that were opened, by where they began to read.")
	m.refused = counter("crier.server.refused_connections", "{connection}", "Streams that were not opened.")
	m.users = amount("crier.server.active_users", "{user}", "Users who have a stream open.")
	m.delivered = total("crier.server.delivered_events", "{event}", "Events handed out to streams.")
	m.replayed = counter("crier.server.replayed_events", "{event}", "Delivered events that were published before their stream was opened.")
	m.gaps = total("crier.server.gaps", "{gap}", "Gaps that streams were told of.")
	m.latency = histogram("crier.server.delivery.duration", "s", "Time from the publish of the oldest event in a write until the write has returned.",
		.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60)
	m.batch = histogram("crier.server.delivery.batch_size", "{event}", "Events in one write to a client.",
		1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
	m.retained = amount("crier.server.retained_events", "{event}", "Events that are retained: entries in all logs.")
	m.size = amount("crier.server.retained_size", "By", "Memory of the retained events.")
	m.behind = gauge("crier.server.behind_events", "{event}", "Events that the furthest stream has yet to look at.")
	m.errors = counter("crier.server.errors", "{error}", "Failures that no caller could be told of.")
	m.following = gauge("crier.backplane.following", "1", "1 while the hub follows its backplane, 0 while it does not.")
	m.lag = gauge("crier.backplane.lag", "{record}", "Records that are known to be in the backplane's sequence and are not applied.")

	var err error
	m.sent, err = messagingconv.NewClientSentMessages(meter)
	note(err)
	m.operation, err = messagingconv.NewClientOperationDuration(meter)
	note(err)
	m.registration, err = meter.RegisterCallback(m.observe,
		m.active, m.users, m.delivered, m.gaps, m.retained, m.size, m.behind, m.following, m.lag)
	note(err)
	return m, errors.Join(all...)
}

// stop ends the callback.
func (m *metrics) stop() error {
	if m.registration == nil {
		return nil
	}
	return m.registration.Unregister()
}

// observer returns what counts as it happens.
func (m *metrics) observer() *hub.Observer {
	return &hub.Observer{
		Subscribed: func(s hub.Stream) {
			m.opened.Add(background, 1, metric.WithAttributes(transportKey.String(s.Transport), startKey.String(string(s.Start))))
		},
		Ended: func(s hub.Stream) {
			m.connection.Record(background, time.Since(s.Started).Seconds(),
				metric.WithAttributes(transportKey.String(s.Transport), statusKey.String(string(s.Reason))))
		},
		Refused: func(r hub.Refusal) {
			m.refused.Add(background, 1, metric.WithAttributes(transportKey.String(r.Transport), statusKey.String(string(r.Reason))))
		},
		Written: m.written,
		Error:   func(error) { m.errors.Add(background, 1) },
	}
}

// written is called for each write. It has no attributes, which would cost more
// than the rest.
func (m *metrics) written(w hub.Write) {
	m.batch.Record(background, float64(w.Events))
	if w.Replayed > 0 {
		m.replayed.Add(background, int64(w.Replayed))
	}
	if w.Replayed < w.Events {
		m.latency.Record(background, w.Latency.Seconds())
	}
}

// observe reports what hub.Stats has.
func (m *metrics) observe(_ context.Context, o metric.Observer) error {
	stats := m.hub.Stats()
	m.mu.Lock()
	defer m.mu.Unlock()
	for transport := range stats.Streams {
		m.transports[transport] = struct{}{}
	}
	for transport := range m.transports { // a series does not vanish with its last stream
		o.ObserveInt64(m.active, int64(stats.Streams[transport]), metric.WithAttributes(transportKey.String(transport)))
	}
	o.ObserveInt64(m.delivered, int64(stats.Delivered))
	for reason, n := range stats.Gaps {
		o.ObserveInt64(m.gaps, int64(n), metric.WithAttributes(gapReasonKey.String(string(reason))))
	}
	o.ObserveInt64(m.users, int64(stats.Users))
	o.ObserveInt64(m.retained, int64(stats.Retained))
	o.ObserveInt64(m.size, stats.Bytes)
	o.ObserveInt64(m.behind, int64(stats.Behind))
	if b := stats.Backplane; b != nil {
		following := int64(0)
		if b.Following {
			following = 1
		}
		o.ObserveInt64(m.following, following)
		o.ObserveInt64(m.lag, int64(b.Lag))
	}
	return nil
}
