package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
)

// TestConcurrent publishes from several goroutines to readers that sleep, wake,
// close and resume as fast as they can. Each must get all that is its own, once
// and in one order; a lost wake-up would leave it asleep for ever.
func TestConcurrent(t *testing.T) {
	const publishers, readersPerUser, events = 4, 8, 2000
	h := New(&kinds, &Options{UserEvents: 4 * publishers * events, BroadcastEvents: 4 * publishers * events, MaxEvent: 1 << 10, UserBytes: 1 << 30, Bytes: 1 << 33})
	users := []uuid.UUID{{1}, {2}}

	var readers sync.WaitGroup
	start := h.Cursor()
	heard := make([][]string, len(users)*readersPerUser)
	for i := range heard {
		readers.Go(func() { heard[i] = hear(t, h, users[i%len(users)], start, i%readersPerUser < 2) })
	}
	var publishing sync.WaitGroup
	for p := range publishers {
		publishing.Go(func() {
			for n := range events {
				var err error
				switch e := made(note, users[n%2], fmt.Sprintf("%d/%d", p, n)); n % 4 {
				case 0, 1:
					err = h.Publish(context.Background(), e)
				case 2:
					err = h.PublishTo(context.Background(), e, Users(users...)...)
				case 3:
					err = h.Broadcast(context.Background(), e)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	publishing.Wait()
	if err := h.Broadcast(context.Background(), made(note, uuid.Nil, "end")); err != nil {
		t.Fatal(err)
	}
	readers.Wait()
	for i, got := range heard {
		// Per publisher: 1000 of its own events come to a user by turns, 500 to both, 500 to all.
		if want := publishers*events*3/4 + 1; len(got) != want {
			t.Errorf("reader %d heard %d events, not %d", i, len(got), want)
		}
		if first := heard[i%len(users)]; !slices.Equal(got, first) {
			t.Errorf("reader %d heard another order than reader %d of the same user", i, i%len(users))
		}
	}
	sameOrder(t, heard[0], heard[1])
}

// hear reads until "end", closing and resuming from the last id now and then if
// it is a restless reader.
func hear(t *testing.T, h *Hub, user uuid.UUID, after string, restless bool) []string {
	var got []string
	var buf []*Message
	var err error
	for {
		s := must(h.Subscribe(Request{Session: Session{User: user, Allowed: Everything()}, Filter: Everything(), After: after}))
		for takes := 0; !restless || takes < 50; takes++ {
			if buf, err = s.Take(buf); err != nil {
				t.Error(err)
				return got
			}
			if len(buf) == 0 {
				select {
				case <-s.Ready():
				case <-time.After(20 * time.Second):
					t.Errorf("asleep for ever after %d events; %+v", len(got), h.Stats())
					return got
				}
			}
			for _, m := range buf {
				got = append(got, text(m))
				after = m.ID().String()
			}
			if n := len(got); n > 0 && got[n-1] == "end" {
				s.Close()
				return got
			}
		}
		s.Close()
	}
}

// sameOrder checks that two users heard what both of them heard in one order.
func sameOrder(t *testing.T, a, b []string) {
	place := map[string]int{}
	for i, e := range a {
		place[e] = i
	}
	last := -1
	for _, e := range b {
		i, both := place[e]
		if !both {
			continue
		}
		if i < last {
			t.Fatalf("%s came in another order to another user", e)
		}
		last = i
	}
}

// TestPingPong publishes the next event as soon as the last has been taken, and
// then waits: a wake-up that is lost while the reader lies down is made up for
// by no other.
func TestPingPong(t *testing.T) {
	const rounds = 20_000
	h := New(&kinds, nil)
	s := must(h.Subscribe(request(alice, "")))
	taken := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		defer s.Close()
		for {
			batch, err := s.Take(nil)
			if err != nil {
				return
			}
			if len(batch) == 0 {
				<-s.Ready()
			}
			for range batch {
				taken <- struct{}{}
			}
		}
	})
	for n := range rounds {
		if e := made(note, alice, "x"); n%2 == 0 {
			publish(t, h, e)
		} else {
			broadcast(t, h, e)
		}
		select {
		case <-taken:
		case <-time.After(10 * time.Second):
			t.Errorf("asleep for ever after %d events", n)
			s.Wake()
			<-taken
		}
		if t.Failed() {
			break
		}
	}
	s.End(ReasonGone)
	reader.Wait()
}

// TestBroadcastWakesEveryReader broadcasts the next event when everybody has the last one.
// Meanwhile readers are woken for their own events, so that many a broadcast
// finds them awake, about to lie down, or gone and another in their place.
func TestBroadcastWakesEveryReader(t *testing.T) {
	const readers, rounds = 150, 1000 // three words of the bitmap
	h := New(&kinds, &Options{UserEvents: 10})
	users := make([]uuid.UUID, readers)
	for i := range users {
		users[i] = uuid.UUID{1, byte(i)}
	}
	var working sync.WaitGroup
	var got atomic.Int64
	all := make(chan struct{}, 1)
	for i, user := range users {
		restless := i%10 == 0
		s := subscribed(t, h, user, "")
		working.Go(func() {
			defer func() { s.Close() }()
			var buf []*Message
			for n := 0; n < rounds; {
				var err error
				if buf, err = s.Take(buf); err != nil {
					t.Error(err)
					return
				}
				if len(buf) == 0 {
					<-s.Ready()
				}
				for _, m := range buf {
					if m.Event() == nil || m.Event().Type() != "alert.raised" {
						continue
					}
					if restless {
						s.Close()
						s = must(h.Subscribe(Request{Session: s.Session(), Filter: Everything(), After: m.ID().String()}))
					}
					n++
					if got.Add(1)%readers == 0 {
						all <- struct{}{}
					}
				}
			}
		})
	}
	for n := range rounds {
		var others sync.WaitGroup
		others.Go(func() {
			for i := range readers / 4 {
				if err := h.Publish(context.Background(), made(note, users[(n*31+i*7)%readers], "your own")); err != nil {
					t.Error(err)
				}
			}
		})
		broadcast(t, h, made(alert, uuid.Nil, "x"))
		others.Wait() // from here on nothing makes up for a wake-up that was lost
		select {
		case <-all:
		case <-time.After(10 * time.Second):
			t.Fatalf("asleep for ever: %d of %d readers got event %d", got.Load()%readers, readers, n)
		}
	}
	working.Wait()
}

// TestConcurrentFilter wakes sleepers that hear different categories while
// broadcasts of all categories race: the walk that passes a sleeper over must
// not hide it from the next.
func TestConcurrentFilter(t *testing.T) {
	const rounds = 3000
	h := New(&kinds, &Options{BroadcastEvents: 4 * rounds})
	var readers, publishers sync.WaitGroup
	for i := range 12 {
		c := []event.Category{"notes", "alerts"}[i%2]
		s := must(h.Subscribe(Request{Session: Session{User: uuid.UUID{byte(i + 1)}, Allowed: Everything()}, Filter: Categories(c)}))
		readers.Go(func() {
			defer s.Close()
			for n := 0; n < rounds; {
				batch, err := s.Take(nil)
				if err != nil {
					t.Error(err)
					return
				}
				n += len(batch)
				if len(batch) == 0 {
					select {
					case <-s.Ready():
					case <-time.After(20 * time.Second):
						t.Errorf("reader of %s: asleep for ever after %d", c, n)
						return
					}
				}
			}
		})
	}
	for _, k := range []event.Kind[string]{note, alert} {
		publishers.Go(func() {
			for range rounds {
				if err := h.Broadcast(context.Background(), made(k, uuid.Nil, "x")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	publishers.Wait()
	readers.Wait()
}

// TestReadsWhileEvicting reads, without a lock, rings from which entries go
// while they are looked at, and whose slots are used again: whatever a reader
// gets is the next event, or a later one behind a gap.
func TestReadsWhileEvicting(t *testing.T) {
	const events = 20_000
	for name, publish := range map[string]func(*Hub, *event.Event) error{
		"everyone": func(h *Hub, e *event.Event) error { return h.Broadcast(context.Background(), e) },
		"user":     func(h *Hub, e *event.Event) error { return h.Publish(context.Background(), e) },
	} {
		for _, size := range []int{1, 3, 8, 100} {
			t.Run(fmt.Sprintf("%s/%d", name, size), func(t *testing.T) {
				h := New(&kinds, &Options{UserEvents: size, BroadcastEvents: size})
				var readers sync.WaitGroup
				var gaps, got atomic.Int64
				for range 4 {
					s := subscribed(t, h, alice, "")
					readers.Go(func() {
						var buf []*Message
						last, gap := 0, false
						for last < events {
							batch, err := s.Take(buf)
							if err != nil {
								t.Error(err)
								return
							}
							if buf = batch; len(batch) == 0 {
								<-s.Ready()
							}
							for _, m := range batch {
								if m.Event() == nil {
									gap = true
									gaps.Add(1)
									continue
								}
								var n int
								if err := json.Unmarshal(m.Data(), &n); err != nil {
									t.Error(err)
									return
								}
								if n <= last || n > last+1 && !gap {
									t.Errorf("event %d after %d; a gap was told: %v", n, last, gap)
									return
								}
								last, gap = n, false
								got.Add(1)
							}
						}
					})
				}
				for n := range events {
					if err := publish(h, must(number.New(alice, n+1))); err != nil {
						t.Fatal(err)
					}
				}
				readers.Wait()
				t.Logf("%d events read, %d gaps", got.Load(), gaps.Load())
			})
		}
	}
}
