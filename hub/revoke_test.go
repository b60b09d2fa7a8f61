package hub

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
)

func request(user uuid.UUID, session string) Request {
	return Request{Session: Session{User: user, ID: session, Allowed: Everything()}, Filter: Everything()}
}

func TestRevoke(t *testing.T) {
	h := New(&kinds, nil)
	open := func(user uuid.UUID, session string) *Subscription {
		s := must(h.Subscribe(request(user, session)))
		t.Cleanup(s.Close)
		return s
	}
	laptop, phone, other := open(alice, "laptop"), open(alice, "phone"), open(bob, "laptop")
	if n := must(h.RevokeSession(t.Context(), alice, "laptop")); n != 1 {
		t.Errorf("%d streams of the session ended", n)
	}
	if n := must(h.RevokeSession(t.Context(), alice, "laptop")) + must(h.RevokeSession(t.Context(), alice, "")) + must(h.RevokeSession(t.Context(), uuid.New(), "laptop")); n != 0 {
		t.Errorf("%d streams ended that were over, or are not the session's", n)
	}
	publish(t, h, made(note, alice, "1"))
	broadcast(t, h, made(note, alice, "2"))
	expect(t, taken(t, laptop), ReasonRevoked.Error())
	expect(t, taken(t, phone), "1", "2")
	expect(t, taken(t, other), "2")
	if n := must(h.RevokeUser(t.Context(), alice)); n != 1 {
		t.Errorf("%d streams of the user ended", n)
	}
	expect(t, taken(t, phone), ReasonRevoked.Error())
}

// A request that was authenticated before a revocation must not subscribe
// after it; nor one that was authenticated so long ago that nobody remembers.
func TestSubscribeRefusedWhenRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(&kinds, nil)
		subscribe := func(authenticated time.Time, session string) error {
			r := request(alice, session)
			r.Authenticated = authenticated
			s, err := h.Subscribe(r)
			if err == nil {
				s.Close()
			}
			return err
		}
		for range 3 { // the records turn over in between
			before := time.Now()
			h.RevokeSession(context.Background(), alice, "laptop")
			time.Sleep(59 * time.Second)
			if err := subscribe(before, "laptop"); err != error(ReasonRevoked) {
				t.Errorf("authenticated before the revocation: %v", err)
			}
			if err := subscribe(before, "phone"); err != nil {
				t.Errorf("another session: %v", err)
			}
			if err := subscribe(time.Time{}, "laptop"); err != nil {
				t.Errorf("authenticated now: %v", err)
			}
			time.Sleep(2 * time.Second)
			if err := subscribe(before, "phone"); err != error(ReasonUnavailable) {
				t.Errorf("authenticated over a minute ago: %v", err)
			}
			time.Sleep(time.Hour)
		}
		h.RevokeSession(context.Background(), alice, "tablet") // begins a generation
		time.Sleep(30 * time.Second)
		before := time.Now()
		h.RevokeSession(context.Background(), alice, "laptop")
		time.Sleep(40 * time.Second)
		h.RevokeSession(context.Background(), alice, "tablet") // begins the next
		if err := subscribe(before, "laptop"); err != error(ReasonRevoked) {
			t.Errorf("authenticated before the revocation, a generation ago: %v", err)
		}
		time.Sleep(time.Hour)
		h.RevokeSession(context.Background(), alice, "tablet")
		if n := len(h.revocations.now) + len(h.revocations.past); n > 1 {
			t.Errorf("%d revocations are remembered after an hour", n)
		}
	})
}

// However a revocation and a subscription interleave, the stream is over when
// both have returned.
func TestRevokeRace(t *testing.T) {
	h := New(&kinds, nil)
	for range 5000 {
		r := request(alice, "laptop")
		r.Authenticated = time.Now()
		var both sync.WaitGroup
		var s *Subscription
		var err error
		both.Go(func() { s, err = h.Subscribe(r) })
		both.Go(func() { h.RevokeSession(context.Background(), alice, "laptop") })
		both.Wait()
		if err == nil {
			_, err = s.Take(nil)
			s.Close()
		}
		if !errors.Is(err, ReasonRevoked) {
			t.Fatalf("the stream goes on after the revocation: %v", err)
		}
	}
}

// The same at the one point where it matters: the request is on its way into
// the hub when the revocation comes and finds no stream yet.
func TestRevokeWhileSubscribing(t *testing.T) {
	h := New(&kinds, nil)
	h.mu.Lock() // holds the subscription up before it can be found
	result := make(chan error)
	go func() {
		_, err := h.Subscribe(request(alice, "laptop"))
		result <- err
	}()
	for h.ids.Load() == 0 {
		runtime.Gosched()
	}
	for range 10_000 { // until it waits for h.mu, which cannot be seen
		runtime.Gosched()
	}
	h.RevokeSession(context.Background(), alice, "laptop")
	h.mu.Unlock()
	if err := <-result; err != error(ReasonRevoked) {
		t.Errorf("the stream goes on after the revocation: %v", err)
	}
}

// A stream that ends while it still takes what was published before: a second
// soft end gives it no more, and a hard one ends it at once.
func TestEndWhileDraining(t *testing.T) {
	h := New(&kinds, nil)
	open := func() *Subscription {
		s := subscribed(t, h, alice, "")
		publish(t, h, made(note, alice, "before"))
		must(h.RevokeUser(context.Background(), alice))
		publish(t, h, made(note, alice, "after"))
		return s
	}
	s := open()
	s.end(ReasonShutdown, true)
	expect(t, taken(t, s), "before", ReasonRevoked.Error())
	s = open()
	s.End(ReasonSlow)
	expect(t, taken(t, s), ReasonSlow.Error())
}

// A stream that is refused at the last moment has been in the hub for a while. It
// leaves nothing behind.
func TestRefusedStreamsLeave(t *testing.T) {
	for name, refuse := range map[string]func(*Hub, Request) error{
		"revoked": func(h *Hub, r Request) error {
			h.RevokeUser(context.Background(), alice)
			_, err := h.Subscribe(r)
			return err
		},
		"topic taken": func(h *Hub, r Request) error {
			h.Leave(context.Background(), alice, "room")
			_, err := h.Subscribe(r)
			return err
		},
	} {
		h := New(&kinds, nil)
		r := request(alice, "laptop")
		r.Authenticated = time.Now()
		r.Session.Topics, r.Topics = []string{"room"}, []string{"room"}
		if err := refuse(h, r); err == nil {
			t.Fatalf("%s: the stream was not refused", name)
		}
		if n := h.store.Usage().Logs; n != 1 {
			t.Errorf("%s: %d logs are left for nobody", name, n-1)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := h.Shutdown(ctx); err != nil {
			t.Errorf("%s: the hub does not shut down: %v", name, err)
		}
		cancel()
	}
}

// A stream that is closed is collected, although its session expires much later.
func TestClosedStreamIsCollected(t *testing.T) {
	collected := make(chan struct{})
	h := New(&kinds, nil)
	func() {
		r := request(alice, "laptop")
		r.Session.Expires = time.Now().Add(time.Hour)
		s := must(h.Subscribe(r))
		runtime.AddCleanup(s, func(struct{}) { close(collected) }, struct{}{})
		s.Close()
	}()
	for range 100 {
		runtime.GC()
		select {
		case <-collected:
			runtime.KeepAlive(h)
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Error("a closed stream is held by its timer")
}

func TestStreamEndsWhenSessionExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(&kinds, nil)
		r := request(alice, "")
		r.Session.Expires = time.Now().Add(time.Minute)
		s := must(h.Subscribe(r))
		defer s.Close()
		expect(t, taken(t, s))
		began := time.Now()
		<-s.Ready()
		if late := time.Since(began) - time.Minute; late < 0 || late > time.Second {
			t.Errorf("woken %v after the session had expired", late)
		}
		expect(t, taken(t, s), ReasonExpired.Error())
		if _, err := h.Subscribe(r); err != error(ReasonExpired) {
			t.Errorf("an expired session subscribes: %v", err)
		}
	})
}

func TestStreamLimits(t *testing.T) {
	h := New(&kinds, &Options{StreamsPerUser: 2, Streams: 3, RefuseNewest: true})
	a, b := must(h.Subscribe(request(alice, "1"))), must(h.Subscribe(request(alice, "2")))
	if _, err := h.Subscribe(request(alice, "3")); err != error(ReasonOverloaded) {
		t.Errorf("a user's third: %v", err)
	}
	must(h.Subscribe(request(bob, "4"))).Close()
	c := must(h.Subscribe(request(bob, "4")))
	if _, err := h.Subscribe(request(uuid.New(), "5")); err != error(ReasonOverloaded) {
		t.Errorf("the hub's fourth: %v", err)
	}
	for _, s := range []*Subscription{a, b, c} {
		s.Close()
	}
	if n := h.store.Usage().Logs; n != 1 {
		t.Errorf("%d logs for nobody", n-1)
	}
}

// Three tabs and a limit of two: the newest tab ends the oldest, which comes
// back with its last id and is refused. So it settles. A page that begins from
// the cursor that it was rendered with is a new stream, too.
func TestNewestStreamEndsTheOldest(t *testing.T) {
	h := New(&kinds, &Options{StreamsPerUser: 2})
	third := request(alice, "3")
	third.After = h.Cursor()
	tabs := []*Subscription{must(h.Subscribe(request(alice, "1"))), must(h.Subscribe(request(alice, "2"))), must(h.Subscribe(third))}
	expect(t, taken(t, tabs[0]), ReasonOverloaded.Error())
	expect(t, taken(t, tabs[1]))
	again := request(alice, "1")
	again.After = tabs[0].Cursor()
	if _, err := h.Subscribe(again); err != error(ReasonOverloaded) {
		t.Errorf("the oldest tab ended another one: %v", err)
	}
	expect(t, taken(t, tabs[1]))
	expect(t, taken(t, tabs[2]))
	for _, s := range tabs {
		s.Close()
	}
}

// With RefuseNewest, it is the new stream that is refused.
func TestRefuseNewest(t *testing.T) {
	h := New(&kinds, &Options{StreamsPerUser: 1, RefuseNewest: true})
	s := must(h.Subscribe(request(alice, "1")))
	defer s.Close()
	if _, err := h.Subscribe(request(alice, "2")); err != error(ReasonOverloaded) {
		t.Errorf("a second stream: %v", err)
	}
	expect(t, taken(t, s))
}
