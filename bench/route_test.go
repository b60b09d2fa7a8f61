package bench

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/crier-go/crier/bench/internal/reader"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

var populations = []int{1_000, 100_000, 1_000_000}

// BenchmarkRoute publishes to one of many users, picked at random. Each user has
// one sleeping stream, whose memory is mostly not in the cache. A few publishes are
// in flight at a time, as in an application. With way=crier-notify a stream has a
// goroutine only while there is something to take, as on WebSocket; otherwise each
// reader has one.
func BenchmarkRoute(b *testing.B) {
	ways := []struct {
		name string
		run  func(b *testing.B, users int, e *event.Event)
	}{
		{"crier", func(b *testing.B, users int, e *event.Event) {
			h := newHub(b, nil)
			warm := fill(b, h)
			a := newAudience(b, h, users, everything)
			a.listen(b)
			defer a.close()
			a.greet(b, e)
			oneOf(b, users, warm, a.tally, func(user int) { publishTo(b, h, e, user) })
			wantNoGaps(b, h)
		}},
		{"crier-notify", func(b *testing.B, users int, e *event.Event) {
			h := newHub(b, nil)
			warm := fill(b, h)
			a := notified(b, h, users)
			defer a.close()
			a.greet(b, e)
			oneOf(b, users, warm, a.tally, func(user int) { publishTo(b, h, e, user) })
			wantNoGaps(b, h)
		}},
		{"channel", func(b *testing.B, users int, e *event.Event) {
			c := newChannels(users)
			c.listen()
			defer c.close()
			oneOf(b, users, 1000, c.tally, func(user int) { c.publish(e, user) })
		}},
		{"wake", func(b *testing.B, users int, e *event.Event) {
			t := reader.NewTally(patience)
			s := reader.NewSleepers[*event.Event](users, true)
			s.Listen(t)
			defer s.Close()
			await(b, "the readers to sleep", s.Asleep)
			oneOf(b, users, 1000, t, func(user int) { s.Publish(e, user) })
		}},
	}
	for _, users := range populations {
		for _, way := range ways {
			b.Run("users="+count(users)+"/way="+way.name, func(b *testing.B) {
				needs(b, uint64(users)*perReader)
				way.run(b, users, newEvent(b, kinds[0]))
			})
		}
	}
}

// oneOf measures publishing to users at random, a few at a time, until all events
// have arrived. It warms up first.
func oneOf(b *testing.B, users, warm int, t *reader.Tally, publish func(user int)) {
	random := rand.New(rand.NewPCG(1, 2))
	all := t.N()
	warm += all
	once := func() {
		for range roundOf {
			publish(random.IntN(users))
		}
		all += roundOf
		received(b, t, all)
	}
	for all < warm {
		once()
	}
	warm = all
	m := startMeter(b)
	for b.Loop() {
		once()
	}
	m.report(all - warm)
}

// fill returns how many events of the typical size a hub retains before each new
// one evicts another, as in a hub that has run for a while.
func fill(b *testing.B, h *hub.Hub) int {
	s := h.Stats()
	publishTo(b, h, newEvent(b, kinds[0]), 0)
	each := h.Stats().Bytes - s.Bytes
	const bytes = 64 << 20 // hub.Options.Bytes, of which retained events may fill three quarters
	b.Cleanup(func() {
		if got := h.Stats().Bytes; got < bytes*5/8 {
			b.Errorf("the hub was not full: it retained %d bytes", got)
		}
	})
	return bytes / int(each)
}

// BenchmarkPublishTo publishes one event to many users without streams, which is
// the cost of appending to their logs.
func BenchmarkPublishTo(b *testing.B) {
	for _, n := range []int{64, 10_000} {
		b.Run("users="+count(n), func(b *testing.B) {
			h := newHub(b, nil)
			e := newEvent(b, kinds[0])
			cursor := h.Cursor()
			users := make([]hub.Audience, n)
			for i := range users {
				users[i] = hub.User(userID(i))
			}
			turns := 0
			for b.Loop() {
				if err := h.PublishTo(context.Background(), e, users...); err != nil {
					b.Fatal(err)
				}
				turns++
			}
			b.ReportMetric(float64(b.Elapsed())/float64(turns*n), "ns/user")
			// The last of them has it.
			s, err := h.Subscribe(hub.Request{Session: session(n - 1), Filter: hub.Everything(), After: cursor})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			got := 0
			for {
				batch, err := s.Take(nil)
				if err != nil {
					b.Fatal(err)
				}
				if len(batch) == 0 {
					break
				}
				for _, m := range batch {
					if m.Event() == e {
						got++
					}
				}
			}
			// Less what its log could not hold.
			if retained := h.Stats().Retained / n; got < min(turns, retained) {
				b.Fatalf("the last user has %d events of %d, of which some %d are retained", got, turns, retained)
			}
		})
	}
}
