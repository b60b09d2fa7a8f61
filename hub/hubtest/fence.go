package hubtest

import (
	"sync"
	"testing"
	"time"

	"github.com/crier-go/crier/hub"
)

// A Fence knows how many streams of a hub have opened and ended, so that a
// test with real clients can publish once they are there:
//
//	var fence hubtest.Fence
//	h := hub.New(registry, &hub.Options{Observer: fence.Observe(nil)})
//	... // start the client
//	fence.Opened(t, 1)
//	h.Publish(...)
//
// The zero value is ready for use, by one hub.
type Fence struct {
	mu            sync.Mutex
	opened, ended int
	changed       chan struct{}
}

// Observe returns an observer that counts, and passes everything on to o,
// which may be nil.
func (f *Fence) Observe(o *hub.Observer) *hub.Observer {
	var both hub.Observer
	if o != nil {
		both = *o
	}
	subscribed, ended := both.Subscribed, both.Ended
	both.Subscribed = func(s hub.Stream) {
		if subscribed != nil {
			subscribed(s)
		}
		f.count(&f.opened) // last: whoever waits may look at what the other saw
	}
	both.Ended = func(s hub.Stream) {
		if ended != nil {
			ended(s)
		}
		f.count(&f.ended)
	}
	return &both
}

// Opened waits until n streams have opened since the hub began.
func (f *Fence) Opened(t testing.TB, n int) {
	t.Helper()
	f.wait(t, "opened", &f.opened, n)
}

// Ended waits until n streams have ended since the hub began.
func (f *Fence) Ended(t testing.TB, n int) {
	t.Helper()
	f.wait(t, "ended", &f.ended, n)
}

func (f *Fence) count(n *int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*n++
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

func (f *Fence) wait(t testing.TB, what string, count *int, n int) {
	t.Helper()
	timeout := time.NewTimer(Patience)
	defer timeout.Stop()
	for {
		f.mu.Lock()
		have := *count
		if f.changed == nil {
			f.changed = make(chan struct{})
		}
		changed := f.changed
		f.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-changed:
		case <-timeout.C:
			t.Fatalf("hubtest: waited %v for %d streams to have %s; %d have", Patience, n, what, have)
		}
	}
}
