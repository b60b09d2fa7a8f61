package dashtam_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/redis/dashtam"
	"github.com/crier-go/crier/backplane/redis/internal/redistest"
	"github.com/crier-go/crier/hub"
)

// BenchmarkHear publishes events of about 300 bytes to one user in pipelines,
// and waits until the hub has them all.
func BenchmarkHear(b *testing.B) {
	r := &rig{server: redistest.Start(b), hub: newHub()} // without a proxy
	r.direct = r.server.Client(b)
	r.run(b, r.direct, nil)
	var messages [1000][]byte
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for i := range messages {
			e, err := posted.New(ada, strings.Repeat("x", 100))
			if err != nil {
				b.Fatal(err)
			}
			if messages[i], err = e.MarshalJSON(); err != nil {
				b.Fatal(err)
			}
		}
		want := r.bridge.Stats().Published + uint64(len(messages))
		b.StartTimer()
		if _, err := r.direct.Pipelined(ctx, func(p goredis.Pipeliner) error {
			for _, m := range messages {
				p.Publish(ctx, "sse:user:"+ada.String(), m)
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
		for r.bridge.Stats().Published < want {
			<-time.After(50 * time.Microsecond)
		}
	}
	b.ReportMetric(float64(len(messages)*b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkLatency measures from before Bridge.Publish until a stream of the hub
// has the event, with both forms written, and the round trip of a PING.
func BenchmarkLatency(b *testing.B) {
	r := &rig{server: redistest.Start(b), hub: newHub(ada)} // without a proxy
	r.direct = r.server.Client(b)
	r.run(b, r.direct, &dashtam.Options{Retention: true})
	s, err := r.hub.Subscribe(hub.Request{Session: hub.Session{User: ada, Allowed: hub.Everything()}, Filter: hub.Everything()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var latencies, trips []time.Duration
	for b.Loop() {
		e, err := posted.New(ada, strings.Repeat("x", 100))
		if err != nil {
			b.Fatal(err)
		}
		begin := time.Now()
		if err := r.bridge.Publish(ctx, e); err != nil {
			b.Fatal(err)
		}
		if _, data := next(s); data != string(e.Data()) {
			b.Fatalf("got %s", data)
		}
		latencies = append(latencies, time.Since(begin))
		begin = time.Now()
		if err := r.direct.Ping(ctx).Err(); err != nil {
			b.Fatal(err)
		}
		trips = append(trips, time.Since(begin))
	}
	p50 := func(d []time.Duration) float64 {
		slices.Sort(d)
		return float64(d[len(d)/2].Microseconds())
	}
	b.ReportMetric(p50(latencies), "p50-us")
	b.ReportMetric(p50(trips), "ping-p50-us")
}
