package bench

import (
	"testing"
	"time"

	"github.com/crier-go/crier/bench/internal/reader"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

var audiences = []int{1, 100, 10_000, 100_000}

// perReader is about what a reader with a goroutine takes.
const perReader = 8 << 10

// BenchmarkFanoutAsleep publishes one event to readers who all sleep, each in a
// goroutine of its own, until each has it and sleeps again.
func BenchmarkFanoutAsleep(b *testing.B) {
	ways := []struct {
		name string
		run  func(b *testing.B, readers int, e *event.Event)
	}{
		{"crier", func(b *testing.B, readers int, e *event.Event) {
			h := newHub(b, nil)
			a := newAudience(b, h, readers, everything)
			a.listen(b)
			defer a.close()
			untilAsleep(b, readers, a.tally, func() { broadcast(b, h, e) })
			wantNoGaps(b, h)
		}},
		{"channel", func(b *testing.B, readers int, e *event.Event) {
			c := newChannels(readers)
			c.listen()
			defer c.close()
			untilAsleep(b, readers, c.tally, func() { c.publishAll(e) })
		}},
		{"wake", func(b *testing.B, readers int, e *event.Event) {
			t := reader.NewTally(patience)
			s := reader.NewSleepers[*event.Event](readers, false)
			s.Listen(t)
			defer s.Close()
			await(b, "the readers to sleep", s.Asleep)
			untilAsleep(b, readers, t, func() { s.PublishAll(e) })
		}},
	}
	for _, readers := range audiences {
		for _, way := range ways {
			b.Run("readers="+count(readers)+"/way="+way.name, func(b *testing.B) {
				needs(b, uint64(readers)*perReader)
				way.run(b, readers, newEvent(b, kinds[0]))
			})
		}
	}
}

// untilAsleep measures publishing to readers who all sleep.
func untilAsleep(b *testing.B, readers int, t *reader.Tally, publish func()) {
	all := 0
	once := func() {
		publish()
		all += readers
		received(b, t, all)
	}
	once() // the first finds buffers to be made and stacks that must grow
	once()
	warm := all
	m := startMeter(b)
	for b.Loop() {
		once()
	}
	m.report(all - warm)
}

// roundOf is how many events are published in a row where readers do not sleep:
// a burst that fits into one batch.
const roundOf = reader.Round

// BenchmarkFanoutAwake publishes to readers who have something to do already: a
// round of events, then everybody takes what is there. What a publish costs
// must not depend on how many they are.
func BenchmarkFanoutAwake(b *testing.B) {
	ways := []struct {
		name string
		run  func(b *testing.B, readers int, e *event.Event)
	}{
		{"crier", func(b *testing.B, readers int, e *event.Event) {
			h := newHub(b, nil)
			a := newAudience(b, h, readers, everything)
			defer a.close()
			var buf []*hub.Message
			untilTaken(b, readers, func() { broadcast(b, h, e) }, func(i int) int {
				// One Take has it all. Another would find nothing, and sleep.
				batch, err := a.subs[i].Take(buf)
				if err != nil {
					b.Fatal(err)
				}
				buf = batch
				return len(batch)
			})
			wantNoGaps(b, h)
		}},
		{"channel", func(b *testing.B, readers int, e *event.Event) {
			c := newChannels(readers)
			defer c.close()
			untilTaken(b, readers, func() { c.publishAll(e) }, func(i int) (n int) {
				for range len(c.each[i]) {
					<-c.each[i]
					n++
				}
				return n
			})
		}},
		{"wake", func(b *testing.B, readers int, e *event.Event) {
			s := reader.NewSleepers[*event.Event](readers, false)
			untilTaken(b, readers, func() { s.PublishAll(e) }, s.Take)
		}},
	}
	for _, readers := range audiences {
		for _, way := range ways {
			b.Run("readers="+count(readers)+"/way="+way.name, func(b *testing.B) {
				needs(b, uint64(readers)*perReader)
				way.run(b, readers, newEvent(b, kinds[0]))
			})
		}
	}
}

// untilTaken measures rounds of publishing and taking, and the publishing also
// by itself.
func untilTaken(b *testing.B, readers int, publish func(), take func(reader int) int) {
	var publishing time.Duration
	rounds := 0
	m := startMeter(b)
	for b.Loop() {
		began := time.Now()
		for range roundOf {
			publish()
		}
		publishing += time.Since(began)
		rounds++
		for i := range readers {
			if n := take(i); n != roundOf {
				b.Fatalf("reader %d got %d of %d events", i, n, roundOf)
			}
		}
	}
	m.report(rounds * roundOf * readers)
	b.ReportMetric(float64(publishing)/float64(rounds*roundOf), "ns/publish")
}
