// Package crierprom exports the numbers of a hub to Prometheus.
//
//	h := hub.New(&registry, nil)
//	prometheus.MustRegister(crierprom.NewCollector(h))
//	http.Handle("/metrics", promhttp.Handler())
//
// The hub keeps its own observer, see [hub.Hub.Observe]. For several hubs in one
// process, register each collector with prometheus.WrapRegistererWith and a label
// that tells them apart.
//
// # Metrics
//
// All names begin with crier_. The values of all labels are fixed by the program:
// the number of time series does not depend on users, topics or clients. Every
// series is present from the first scrape, so that rate() sees the first event. A
// transport of the application's own is the exception: it appears with its first
// stream.
//
//	streams                     gauge     transport          streams that are open
//	users                       gauge                        users who have a stream open
//	streams_opened_total        counter   transport          streams that were opened
//	streams_ended_total         counter   transport, reason  streams that have ended; reason is a hub.Reason
//	streams_refused_total       counter   transport, reason  streams that were not opened
//	stream_starts_total         counter   start              where streams began to read; start is a hub.Start
//	stream_duration_seconds     histogram transport          how long streams were open; observed when they end
//	published_events_total      counter   kind               events published by this process; kind is the event's type
//	delivered_events_total      counter                      events handed out to streams
//	replayed_events_total       counter                      delivered events that were published before the stream was opened
//	gaps_total                  counter   reason             gaps that streams were told of; reason is a hub.GapReason
//	delivery_latency_seconds    histogram                    from publish to write
//	batch_events                histogram                    events in one write
//	retained_events             gauge                        entries in all logs
//	retained_bytes              gauge                        memory of the retained events
//	slowest_stream_behind_events gauge                       events that the furthest stream has yet to look at
//	errors_total                counter                      failures that no caller could be told of
//
// A hub with a backplane has these besides:
//
//	backplane_following         gauge     1 while the hub follows its backplane, 0 while it does not
//	backplane_lag_records       gauge     records that are known to be in the sequence and are not applied
//	backplane_applied_records   gauge     position of the last record that was applied
//
// A slow client shows in streams_ended_total with reason "slow", if a write made
// no progress, and in gaps_total with reason "evicted", if it reads more slowly
// than events are published.
//
// delivery_latency_seconds has one observation for each write: the time from the
// publish of the oldest event in it until the write has returned. Replayed events
// do not count. With a backplane, it includes the engine and the difference between
// the clocks of two processes.
//
// # Histograms
//
// The histograms are native histograms with a resolution of 10 %, and have classic
// buckets as well. A server that scrapes native histograms takes those. Any other
// takes the buckets.
//
// # Cost
//
// A write to a client costs two observations, about 0.1 µs, and allocates nothing.
// A delivery costs less, since a write has one event or more. A scrape visits every
// stream once, and takes about 20 ms for 100,000 streams.
//
// # Dashboard and alerts
//
// dashboard.json is a Grafana dashboard. alerts.yml has alert rules, each with what
// it means and what to do about it. Both are next to this package's source, and are
// tested with a real Prometheus.
package crierprom
