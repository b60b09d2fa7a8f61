package crierprom_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	crierprom "github.com/crier-go/crier/observe/prometheus"
)

// BenchmarkDelivery measures a delivery without a socket: publish, take, report
// the write. With a socket a delivery of one event takes about 11 µs of the
// server's processor time, of a batch less; see BENCHMARKS.md. The difference
// between the two is what the collector costs.
func BenchmarkDelivery(b *testing.B) {
	for _, with := range []string{"nothing", "collector"} {
		for _, events := range []int{1, 64} {
			b.Run(fmt.Sprintf("events=%d/with=%s", events, with), func(b *testing.B) {
				deliver := delivery(b, with == "collector", events)
				b.ReportAllocs()
				for b.Loop() {
					deliver()
				}
				b.ReportMetric(float64(b.Elapsed())/float64(b.N*events), "ns/delivery")
			})
		}
	}
}

// BenchmarkWrite measures the report of a write alone, from one goroutine and from
// one for each processor, which contend for the histograms.
func BenchmarkWrite(b *testing.B) {
	for _, with := range []string{"nothing", "collector"} {
		h := newHub(b, nil)
		if with == "collector" {
			crierprom.NewCollector(h)
		}
		s, batch := subscribe(b, h, alice, ""), []*hub.Message(nil)
		publish(b, h, note, alice)
		batch, err := s.Take(batch)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("goroutines=1/with="+with, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Wrote(batch, time.Now())
			}
		})
		b.Run("goroutines=all/with="+with, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					s.Wrote(batch, time.Now())
				}
			})
		})
	}
}

// BenchmarkScrape measures what a scrape of a hub with many streams costs.
func BenchmarkScrape(b *testing.B) {
	for _, streams := range []int{100, 10_000, 100_000} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			h := newHub(b, nil)
			c := crierprom.NewCollector(h)
			for i := range streams {
				subscribe(b, h, uuid.NewSHA1(uuid.Nil, fmt.Append(nil, i)), "")
			}
			b.ReportAllocs()
			for b.Loop() {
				collect(b, c)
			}
		})
	}
}

// delivery returns a function that publishes so many events, takes them, and
// reports the write.
func delivery(tb testing.TB, collected bool, events int) func() {
	h := newHub(tb, nil)
	if collected {
		crierprom.NewCollector(h)
	}
	s := subscribe(tb, h, alice, "")
	made := make([]*event.Event, events)
	for i := range made {
		e, err := note.New(alice, "hello")
		if err != nil {
			tb.Fatal(err)
		}
		made[i] = e
	}
	var buf []*hub.Message
	return func() {
		for _, e := range made {
			if err := h.Publish(tb.Context(), e); err != nil {
				tb.Fatal(err)
			}
		}
		for n := 0; n < events; {
			batch, err := s.Take(buf)
			if err != nil {
				tb.Fatal(err)
			}
			n += len(batch)
			s.Wrote(batch, time.Now())
			buf = batch
		}
	}
}
