package hub

import (
	"sync"
	"testing"
)

// What was delivered never goes back, whoever closes streams meanwhile: exporters
// take a counter that goes back for a restart.
func TestDeliveredNeverGoesBack(t *testing.T) {
	h := New(&kinds, nil)
	const closers, rounds = 4, 300
	var wg sync.WaitGroup
	for range closers {
		wg.Go(func() {
			for range rounds {
				s := must(h.Subscribe(request(alice, "")))
				publish(t, h, made(note, alice, "x"))
				s.Take(nil)
				s.Close()
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	var last uint64
	for over := false; !over; {
		select {
		case <-done:
			over = true
		default:
		}
		now := h.Stats().Delivered
		if now < last {
			t.Fatalf("%d were delivered, and then %d", last, now)
		}
		last = now
	}
	if last == 0 {
		t.Error("nothing was delivered")
	}
}
