package crierprom

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/crier-go/crier/hub"
)

const namespace = "crier"

// What is read from hub.Stats at each scrape.
var (
	streams            = desc("streams", "Streams that are open, by transport.", "transport")
	users              = desc("users", "Users who have a stream open.")
	delivered          = desc("delivered_events_total", "Events handed out to streams.")
	gaps               = desc("gaps_total", "Gaps that streams were told of, by reason.", "reason")
	retainedEvents     = desc("retained_events", "Events that are retained: entries in all logs.")
	retainedBytes      = desc("retained_bytes", "Memory of the retained events, in bytes.")
	behind             = desc("slowest_stream_behind_events", "Events that the furthest stream has yet to look at.")
	backplaneFollowing = desc("backplane_following", "1 while the hub follows its backplane, 0 while it does not.")
	backplaneLag       = desc("backplane_lag_records", "Records that are known to be in the backplane's sequence and are not applied.")
	backplaneApplied   = desc("backplane_applied_records", "Position of the last record of the backplane that was applied.")
)

// Describe implements [prometheus.Collector].
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		streams, users, delivered, gaps, retainedEvents, retainedBytes, behind,
		backplaneFollowing, backplaneLag, backplaneApplied,
	} {
		ch <- d
	}
	for _, m := range c.observed() {
		m.Describe(ch)
	}
}

// Collect implements [prometheus.Collector].
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	for _, m := range c.observed() {
		m.Collect(ch)
	}
	stats := c.hub.Stats()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	total := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	for transport, n := range c.streams(stats) {
		gauge(streams, float64(n), transport)
	}
	gauge(users, float64(stats.Users))
	total(delivered, stats.Delivered)
	for reason, n := range stats.Gaps {
		total(gaps, n, string(reason))
	}
	gauge(retainedEvents, float64(stats.Retained))
	gauge(retainedBytes, float64(stats.Bytes))
	gauge(behind, float64(stats.Behind))
	if b := stats.Backplane; b != nil {
		following := 0.0
		if b.Following {
			following = 1
		}
		gauge(backplaneFollowing, following)
		gauge(backplaneLag, float64(b.Lag))
		gauge(backplaneApplied, float64(b.Applied))
	}
}

// observed returns what the observer counts.
func (c *Collector) observed() []prometheus.Collector {
	return []prometheus.Collector{
		c.opened, c.ended, c.refused, c.starts, c.published,
		c.replayed, c.errors, c.latency, c.batch, c.duration,
	}
}

// streams returns the number of open streams of every transport that was seen, so
// that a series does not vanish with its last stream.
func (c *Collector) streams(stats hub.Stats) map[string]int {
	for transport := range stats.Streams {
		c.know(transport)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := make(map[string]int, len(c.transports))
	for transport := range c.transports {
		n[transport] = stats.Streams[transport]
	}
	return n
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

// histogram returns the options of a native histogram that has classic buckets
// as well.
func histogram(name, help string, buckets ...float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help, Buckets: buckets,
		NativeHistogramBucketFactor:    1.1,
		NativeHistogramMaxBucketNumber: 160,
	}
}
