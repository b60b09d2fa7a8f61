package bench

import (
	"testing"
	"time"

	"github.com/crier-go/crier/bench/internal/reader"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

var audiences = []int{1, 100, 10_000, 100_000}

// perReader is about how many bytes a reader with a goroutine takes.
const perReader = 8 << 10

// BenchmarkFanoutAsleep publishes one event to sleeping readers, each in a
// goroutine of its own, and waits until each has it and sleeps again.
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

// untilAsleep measures publishing to readers that all sleep.
func untilAsleep(b *testing.B, readers int, t *reader.Tally, publish func()) {
	all := 0
	once := func() {
		publish()
		all += readers
		received(b, t, all)
	}
	once() // the first event allocates buffers and grows stacks
	once()
	warm := all
	m := startMeter(b)
	for b.Loop() {
		once()
	}
	m.report(all - warm)
}

// roundOf is how many events are published in a row to readers that are awake: a
// burst that fits into one batch.
const roundOf = reader.Round

// BenchmarkFanoutAwake publishes to readers that are awake: a round of events,
// then each reader takes them. The cost of a publish must not depend on the number
// of readers.
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
				// One Take returns all. A second would find nothing and put the reader to sleep.
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

// untilTaken measures rounds of publishing and taking, and publishing alone.
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
