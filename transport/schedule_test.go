package transport

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// Streams are woken when their heartbeats are due, and up to a step later. Those
// that were removed are not.
func TestSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(&event.Registry{}, &hub.Options{StreamsPerUser: 1000, OpenRate: -1})
		o := (&Options{Heartbeat: 10 * time.Second}).WithDefaults()
		c := newSchedule(o, steps)
		r := rand.New(rand.NewPCG(1, 1))
		type entry struct {
			*Stream
			due     time.Duration
			removed bool
		}
		var all []*entry
		for range 500 {
			sub, err := h.Subscribe(hub.Request{Session: hub.Session{User: uuid.New(), Allowed: hub.Everything()}, Filter: hub.Everything(), Notify: func() {}})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, &entry{Stream: &Stream{group: &group{options: o, schedule: c}, sub: sub}})
		}
		began := time.Now()
		add := func(e *entry) {
			d := time.Duration(r.Int64N(int64(o.Heartbeat)))
			e.due, e.removed = time.Since(began)+d, false
			c.add(e.Stream, d)
		}
		for _, e := range all {
			add(e)
		}
		heard := 0
		for time.Since(began) < time.Minute {
			time.Sleep(time.Millisecond)
			synctest.Wait()
			now := time.Since(began)
			for _, e := range all {
				switch due := e.beatDue.Swap(false); {
				case due && (e.removed || now < e.due || now > e.due+c.step+2*time.Millisecond):
					t.Fatalf("woken after %v; due after %v, removed: %v", now, e.due, e.removed)
				case due:
					heard++
					add(e)
				case !e.removed && now > e.due+c.step+2*time.Millisecond:
					t.Fatalf("not woken after %v; due after %v", now, e.due)
				case r.IntN(100_000) == 0:
					c.remove(e.Stream)
					c.remove(e.Stream) // does nothing
					if e.removed = true; r.IntN(2) == 0 {
						add(e)
					}
				}
			}
		}
		if heard < 1000 {
			t.Errorf("%d heartbeats", heard)
		}
		for _, e := range all {
			c.remove(e.Stream)
			e.sub.Close()
		}
		if c.count != 0 || c.armed != 0 || c.timer.Stop() {
			t.Errorf("%d streams are left, and the timer is armed for step %d", c.count, c.armed)
		}
	})
}
