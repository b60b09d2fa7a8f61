package hub

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A stream ends when its session does, and Renew moves that, either way.
func TestRenew(t *testing.T) {
	minutes := func(n int) time.Duration { return time.Duration(n) * time.Minute }
	for name, c := range map[string]struct {
		expires time.Duration // zero means never
		renewed []time.Duration
		ends    time.Duration // since the subscription, which is renewed a minute later
	}{
		"to later":              {minutes(10), []time.Duration{minutes(20)}, minutes(20)},
		"to earlier":            {minutes(10), []time.Duration{minutes(5)}, minutes(5)},
		"to never":              {minutes(10), []time.Duration{0}, 0},
		"from never":            {0, []time.Duration{minutes(5)}, minutes(5)},
		"to never and back":     {minutes(10), []time.Duration{0, minutes(3)}, minutes(3)},
		"to the same":           {minutes(10), []time.Duration{minutes(10)}, minutes(10)},
		"to now":                {minutes(10), []time.Duration{minutes(1)}, minutes(1)},
		"to what has passed":    {minutes(10), []time.Duration{time.Second}, minutes(1)},
		"after it has expired":  {time.Second, []time.Duration{minutes(5)}, time.Second},
		"from never, to passed": {0, []time.Duration{time.Second}, minutes(1)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ended time.Duration
				began := time.Now()
				h := New(&kinds, nil)
				at := func(d time.Duration) time.Time {
					if d == 0 {
						return time.Time{}
					}
					return began.Add(d)
				}
				r := request(alice, "laptop")
				r.Session.Expires = at(c.expires)
				s := must(h.Subscribe(r))
				defer s.Close()
				s.OnEnd(func() { ended = time.Since(began) })
				time.Sleep(time.Minute)
				synctest.Wait()
				for _, d := range c.renewed {
					before := ended
					s.Renew(at(d))
					if got := s.Session().Expires; before == 0 && !got.Equal(at(d)) {
						t.Errorf("the session expires at %v, want %v", got, at(d))
					}
					if d != 0 && d <= time.Minute && ended == 0 {
						t.Error("Renew returned before the stream had ended")
					}
				}
				publish(t, h, made(note, alice, "1"))
				over := c.ends > 0 && c.ends <= time.Minute
				if over {
					expect(t, taken(t, s), ReasonExpired.Error())
				} else {
					expect(t, taken(t, s), "1")
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				if ended != c.ends {
					t.Errorf("ended after %v, want %v", ended, c.ends)
				}
				if c.ends > 0 && !over {
					expect(t, taken(t, s), ReasonExpired.Error())
				}
			})
		})
	}
}

// Nothing that Renew does races with the timer, with Close or with a revocation:
// a stream has one end, and a timer that has been moved ends nothing.
func TestRenewConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(&kinds, nil)
		for i := range 50 {
			r := request(alice, "laptop")
			r.Session.Expires = time.Now().Add(time.Second)
			s := must(h.Subscribe(r))
			ends := 0
			s.OnEnd(func() { ends++ })
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for range 10 {
						time.Sleep(time.Second / 5)
						s.Renew(time.Now().Add(time.Second/5 + rand.N(time.Second)))
						s.Session()
						s.Change(t.Context(), Change{})
					}
				})
			}
			wg.Wait()
			switch i % 3 {
			case 0:
				h.RevokeUser(context.Background(), alice)
				time.Sleep(time.Second) // a new session is newer than that
			case 1:
				time.Sleep(2 * time.Second)
			}
			s.Close()
			synctest.Wait()
			if ends != 1 {
				t.Errorf("ended %d times", ends)
			}
		}
		if n := len(h.Stats().Streams); n > 0 {
			t.Errorf("%d streams are open", n)
		}
	})
}

func TestChangeOfNothing(t *testing.T) {
	h := New(&kinds, nil)
	s := must(h.Subscribe(request(alice, "laptop")))
	publish(t, h, made(note, alice, "1"))
	s.Change(t.Context(), Change{})
	s.Change(t.Context(), Change{})
	got := must(s.Take(nil))
	if len(got) != 2 || got[0].Type() != TypeFilter || text(got[1]) != "1" {
		t.Errorf("got %d messages", len(got))
	}
	s.Close()
	s.Change(t.Context(), Change{})
	expect(t, taken(t, s), ReasonGone.Error())
}

func TestFilterCategories(t *testing.T) {
	if cs, everything := Everything().Categories(); cs != nil || !everything {
		t.Errorf("everything: %v, %v", cs, everything)
	}
	f := Categories("b", "a", "b")
	cs, everything := f.Categories()
	if len(cs) != 2 || cs[0] != "a" || cs[1] != "b" || everything {
		t.Errorf("got %v, %v", cs, everything)
	}
	cs[0] = "changed"
	if !f.Includes("a") {
		t.Error("the filter shares its categories")
	}
}
