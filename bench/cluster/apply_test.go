//go:build unix

package cluster

import (
	"context"
	"testing"
	"time"

	"github.com/crier-go/crier/hub"
)

// A free backplane costs nothing: it hands over records that were made before.
type free struct {
	last   uint64
	batch  chan []hub.SequencedRecord
	taken  chan struct{}
	retain []hub.SequencedRecord
}

func (f *free) Append(context.Context, hub.Record) error { return nil }

func (f *free) Tail(context.Context) (hub.Tail, error) {
	return hub.Tail{Epoch: "free", First: 1, Last: f.last}, nil
}

const atOnce = 256 // records in a batch, as engines hand them over

func (f *free) Follow(ctx context.Context, after uint64, apply func([]hub.SequencedRecord) error) error {
	for rest := f.retain; len(rest) > 0; {
		n := min(atOnce, len(rest))
		if err := apply(rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	for {
		select {
		case batch := <-f.batch:
			if err := apply(batch); err != nil {
				return err
			}
			f.taken <- struct{}{}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// records returns n records for audiences that to chooses.
func records(b testing.TB, n int, to func(n int) hub.Audience) []hub.SequencedRecord {
	all := make([]hub.SequencedRecord, n)
	for i := range all {
		r, err := hub.NewRecord(newEvent(b, i), to(i))
		if err != nil {
			b.Fatal(err)
		}
		all[i] = hub.SequencedRecord{Position: uint64(i + 1), Record: r}
	}
	return all
}

var audiences = map[string]func(n int) hub.Audience{
	"user":      func(n int) hub.Audience { return hub.User(userIDs[n%users]) },
	"broadcast": func(int) hub.Audience { return hub.Everyone() },
	"topic":     func(n int) hub.Audience { return hub.Topic("room") },
}

// BenchmarkApply is what a hub adds to the cost of the client library for each
// record, with nobody who listens and with a stream that reads each.
func BenchmarkApply(b *testing.B) {
	for name, to := range audiences {
		for _, listening := range []bool{false, true} {
			if listening && name != "user" {
				continue // that would be the cost of a fan-out
			}
			b.Run(name+map[bool]string{true: "-listening"}[listening], func(b *testing.B) {
				const made = 1 << 17 // more than the ids that a hub remembers
				all := records(b, made, to)
				f := &free{batch: make(chan []hub.SequencedRecord), taken: make(chan struct{})}
				h := open(b, f)
				if listening {
					listen(b, h)
				}
				next, n := 0, 0
				before := cpu(b)
				for b.Loop() {
					batch := all[next : next+atOnce]
					for i := range batch {
						n++
						batch[i].Position = uint64(n)
					}
					f.batch <- batch
					<-f.taken
					next = (next + atOnce) % made
				}
				for listening && h.Stats().Delivered < uint64(n) {
					time.Sleep(time.Millisecond)
				}
				b.ReportMetric(float64(cpu(b)-before)/float64(n), "cpu-ns/record")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// listen opens a stream for each user, and takes what it has.
func listen(b *testing.B, h *hub.Hub) {
	for _, id := range userIDs {
		awake := make(chan struct{}, 1)
		s, err := h.Subscribe(hub.Request{
			Session: hub.Session{User: id, Allowed: hub.Everything()},
			Filter:  hub.Everything(),
			Notify: func() {
				select {
				case awake <- struct{}{}:
				default:
				}
			},
		})
		if err != nil {
			b.Fatal(err)
		}
		done := make(chan struct{})
		b.Cleanup(func() { s.Close(); close(done) })
		go func() {
			var buf []*hub.Message
			for {
				batch, err := s.Take(buf)
				if err != nil {
					return
				}
				if len(batch) > 0 {
					buf = batch
					continue
				}
				select {
				case <-awake:
				case <-done:
					return
				}
			}
		}()
	}
}

// retained is how many records a process finds when it starts.
const retained = 50_000

// BenchmarkStart opens a hub on an engine that retains 50,000 records, until it
// serves.
func BenchmarkStart(b *testing.B) {
	b.Run("free", func(b *testing.B) {
		f := &free{last: retained, retain: records(b, retained, audiences["user"])}
		start(b, func(testing.TB) hub.Backplane { return f })
	})
	engines(b, func(b *testing.B, engineOf func(*testing.B) engine) {
		e := engineOf(b)
		first := open(b, e.connect(b))
		fill(b, first, retained)
		b.Run("start", func(b *testing.B) { start(b, e.connect) })
	})
}

func start(b *testing.B, connect func(testing.TB) hub.Backplane) {
	before := cpu(b)
	n := 0
	for b.Loop() {
		h := open(b, connect(b))
		if got := h.Stats().Backplane.Applied; got < retained {
			b.Fatalf("it serves after %d records", got)
		}
		n++
		b.StopTimer()
		h.Shutdown(context.Background())
		b.StartTimer()
	}
	b.ReportMetric(float64(cpu(b)-before)/float64(n)/1e6, "cpu-ms/start")
	b.ReportMetric(b.Elapsed().Seconds()*1e3/float64(n), "ms/start")
	b.ReportMetric(0, "ns/op")
}

// fill publishes n events through a hub.
func fill(b testing.TB, h *hub.Hub, n int) {
	const publishers = 64
	done := make(chan error, publishers)
	for p := range publishers {
		go func() {
			for i := p; i < n; i += publishers {
				if err := h.Publish(context.Background(), newEvent(b, i)); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range publishers {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	applied(b, h, uint64(n))
}
