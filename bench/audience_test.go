package bench

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/crier-go/crier/bench/internal/reader"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// An audience is a hub's readers, with a tally of what they receive.
type audience struct {
	hub   *hub.Hub
	tally *reader.Tally
	subs  []*hub.Subscription
	work  sync.WaitGroup
}

// newAudience opens a stream for each user. The readers have no goroutine yet.
func newAudience(tb testing.TB, h *hub.Hub, readers int, filter func(i int) hub.Filter) *audience {
	tb.Helper()
	a := &audience{hub: h, tally: reader.NewTally(patience)}
	for i := range readers {
		a.subs = append(a.subs, subscribe(tb, h, i, filter(i), nil))
	}
	return a
}

func everything(int) hub.Filter { return hub.Everything() }

// listen gives each reader a goroutine, as net/http does, and returns once all
// of them sleep.
func (a *audience) listen(tb testing.TB) {
	asleep := reader.NewTally(patience)
	for _, s := range a.subs {
		a.work.Go(func() {
			var buf []*hub.Message
			got, first := 0, true
			for {
				batch, err := s.Take(buf)
				if err != nil {
					return
				}
				if len(batch) > 0 {
					got += len(batch)
					buf = batch
					continue
				}
				if first {
					first = false
					asleep.Got(1)
				}
				a.tally.Got(got)
				got = 0
				<-s.Ready()
			}
		})
	}
	received(tb, asleep, len(a.subs))
}

// greet sends everybody one event. The first event of a stream allocates a buffer
// and grows a stack, which the opening does for a real stream.
func (a *audience) greet(tb testing.TB, e *event.Event) {
	broadcast(tb, a.hub, e)
	received(tb, a.tally, len(a.subs))
}

// close closes all streams. The hub must have none left when it is shut down.
func (a *audience) close() {
	for _, s := range a.subs {
		s.End(hub.ReasonGone)
	}
	a.work.Wait()
	for _, s := range a.subs {
		s.Close()
	}
}

// notified opens streams that have a goroutine only while there is something to
// take, like WebSocket and lean SSE, and lets them sleep.
func notified(tb testing.TB, h *hub.Hub, readers int) *audience {
	tb.Helper()
	return notifiedBy(tb, h, readers, func(i int, notify func()) *hub.Subscription {
		return subscribe(tb, h, i, hub.Everything(), notify)
	})
}

// notifiedBy is notified for streams that open opens.
func notifiedBy(tb testing.TB, h *hub.Hub, readers int, open func(i int, notify func()) *hub.Subscription) *audience {
	tb.Helper()
	a := &audience{hub: h, tally: reader.NewTally(patience), subs: make([]*hub.Subscription, readers)}
	for i := range readers {
		take := func() {
			var room [4]*hub.Message
			for got, buf := 0, room[:]; ; {
				batch, err := a.subs[i].Take(buf)
				if err != nil {
					return
				}
				if len(batch) == 0 {
					a.tally.Got(got)
					return
				}
				got += len(batch)
				buf = batch
			}
		}
		a.subs[i] = open(i, func() { go take() })
	}
	for _, s := range a.subs {
		if batch, err := s.Take(nil); len(batch) > 0 || err != nil {
			tb.Fatalf("a new stream begins with %d messages, %v", len(batch), err)
		}
	}
	return a
}

// await waits until a condition holds. It checks again after other goroutines
// have run.
func await(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	for end := time.Now().Add(patience); !cond(); runtime.Gosched() {
		if time.Now().After(end) {
			tb.Fatalf("waited %v for %s", patience, what)
		}
	}
}
