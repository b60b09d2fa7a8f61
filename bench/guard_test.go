package bench

import (
	"runtime/debug"
	"testing"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// These tests count what must not get worse: allocations, system calls, wake-ups.
// None of them measures time.

// perDelivery returns how many allocations each delivery makes: the difference
// between many readers and few, divided by the number of readers. What a publish
// allocates cancels out.
func perDelivery(t *testing.T, publish func(readers int) func()) float64 {
	t.Helper()
	// A collection would empty the pools, and refilling them would be counted.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	const more, runs = 64, 200
	few := testing.AllocsPerRun(runs, publish(1))
	many := testing.AllocsPerRun(runs, publish(1+more))
	return (many - few) / more
}

// TestTakeAllocatesNothing: being woken, taking an event and going back to sleep
// allocates nothing.
func TestTakeAllocatesNothing(t *testing.T) {
	if n := perDelivery(t, func(readers int) func() {
		h := newHub(t, nil)
		e := newEvent(t, kinds[0])
		type reader struct {
			sub *hub.Subscription
			buf []*hub.Message
		}
		all := make([]reader, readers)
		woken := 0
		for i := range all {
			all[i] = reader{sub: subscribe(t, h, i, hub.Everything(), func() { woken++ }), buf: make([]*hub.Message, 0, 1)}
			t.Cleanup(all[i].sub.Close)
			takes(t, all[i].sub, all[i].buf, 0)
		}
		return func() {
			woken = 0
			broadcast(t, h, e)
			if woken != readers {
				t.Fatalf("%d of %d sleepers were woken", woken, readers)
			}
			for _, r := range all {
				takes(t, r.sub, r.buf, 1)
				takes(t, r.sub, r.buf, 0)
			}
		}
	}); n != 0 {
		t.Errorf("a delivery makes %v allocations, want none", n)
	}
}

// takes fails unless Take returns exactly this many messages.
func takes(t *testing.T, s *hub.Subscription, buf []*hub.Message, want int) {
	batch, err := s.Take(buf)
	if err != nil || len(batch) != want {
		t.Fatalf("Take returned %d messages, %v; want %d", len(batch), err, want)
	}
}

// TestSendAllocatesNothing: a delivery, from wake-up to write, allocates nothing on
// any transport.
func TestSendAllocatesNothing(t *testing.T) {
	most := 0.0
	if raceDetector {
		// The race detector makes pools drop a quarter of their items on purpose.
		// Each time a buffer is allocated again.
		most = 1.5
	}
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			if n := perDelivery(t, func(readers int) func() {
				h := newHub(t, &hub.Options{StreamsPerUser: readers})
				e := newEvent(t, kinds[0])
				q := serveQuietly(t, h, transport, readers)
				all := 0
				return func() {
					broadcast(t, h, e)
					all += readers
					received(t, q.tally, all)
				}
			}); n > most {
				t.Errorf("a delivery makes %v allocations, want at most %v", n, most)
			}
		})
	}
}

// TestAwakeReadersAreNotVisited: a publish wakes each sleeping reader once, and no
// reader that is awake. (That it does not visit readers that are awake cannot be
// counted here; BenchmarkFanoutAwake shows it: its ns/publish must be the same for
// 1 and 100,000.)
func TestAwakeReadersAreNotVisited(t *testing.T) {
	for _, readers := range []int{1, 100, 10_000} {
		t.Run("readers="+count(readers), func(t *testing.T) {
			reported := 0
			h := newHub(t, &hub.Options{Observer: &hub.Observer{Published: countWoken(&reported)}})
			e := newEvent(t, kinds[0])
			woken := 0
			subs := make([]*hub.Subscription, readers)
			for i := range subs {
				subs[i] = subscribe(t, h, i, hub.Everything(), func() { woken++ })
				t.Cleanup(subs[i].Close)
			}
			const events = 50
			for range events {
				broadcast(t, h, e)
			}
			if woken != 0 || reported != 0 {
				t.Errorf("%d wake-ups, %d reported, while all were awake; want none", woken, reported)
			}
			for _, s := range subs {
				takes(t, s, nil, events) // in one batch
				takes(t, s, nil, 0)
			}
			broadcast(t, h, e)
			broadcast(t, h, e)
			if woken != readers || reported != readers {
				t.Errorf("%d wake-ups, %d reported, for two events while all slept; want %d: one each", woken, reported, readers)
			}
			for _, s := range subs {
				takes(t, s, nil, 2)
			}
		})
	}
}

// TestPublishAllocatesTheSame: allocations of a publish do not depend on the number
// of readers that are awake.
func TestPublishAllocatesTheSame(t *testing.T) {
	if n := perDelivery(t, func(readers int) func() {
		h := newHub(t, nil)
		e := newEvent(t, kinds[0])
		for i := range readers {
			t.Cleanup(subscribe(t, h, i, hub.Everything(), nil).Close)
		}
		return func() { broadcast(t, h, e) }
	}); n != 0 {
		t.Errorf("each reader that is awake makes a publish allocate %v times more, want 0", n)
	}
}

// TestBatchIsFewWrites: events that arrive during a write are written together. 64
// events must take fewer system calls than 4 events one by one.
func TestBatchIsFewWrites(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			h := newHub(t, nil)
			e := newEvent(t, kinds[0])
			q := serveQuietly(t, h, transport, 1)
			c := q.conns[0]
			all := 0
			publish := func(events int) {
				for range events {
					broadcast(t, h, e)
				}
				all += events
			}
			before := c.count()
			publish(1)
			received(t, q.tally, all)
			single := c.count() - before
			if single != 1 {
				t.Errorf("one event was %d writes, want 1", single)
			}

			c.hold()
			publish(1)
			c.awaitWrite()
			before = c.count()
			const batch = 64
			publish(batch)
			c.release()
			received(t, q.tally, all)
			got := c.count() - before
			t.Logf("%d events in %d writes", batch, got)
			if got >= 4*single {
				t.Errorf("%d events were %d writes, want less than four times those of one (%d)", batch, got, single)
			}
		})
	}
}

// TestEncodedOnce: each transport encodes an event once, however many streams
// write it.
func TestEncodedOnce(t *testing.T) {
	h := newHub(t, nil)
	counts := map[string]int{}
	var encodings []*hub.Encoding
	for _, name := range []string{"a", "b"} {
		encodings = append(encodings, hub.NewEncoding(func(dst []byte, m *hub.Message) []byte {
			counts[name]++
			return append(dst, m.Data()...)
		}))
	}
	var subs []*hub.Subscription
	for i := range 10 {
		subs = append(subs, subscribe(t, h, i, hub.Everything(), nil))
		t.Cleanup(subs[i].Close)
	}
	events := []*event.Event{newEvent(t, kinds[0]), newEvent(t, kinds[1])}
	for _, e := range events {
		broadcast(t, h, e)
	}
	for _, s := range subs {
		batch, err := s.Take(nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range batch {
			for _, enc := range encodings {
				m.Frame(enc)
			}
		}
	}
	if counts["a"] != len(events) || counts["b"] != len(events) {
		t.Errorf("%d events were encoded %v times; want once for each encoding", len(events), counts)
	}
}
