package cluster

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/crier-go/crier/hub/backplanetest"
)

// An engine is what the processes share, and what can happen to it.
type engine struct {
	urls     []string // for each process
	direct   string   // past the proxies
	replicas int
	lossy    bool // faults lose records
	links    []link
	faults   []fault
}

// A link is a connection to the engine that can be broken.
type link struct {
	proxy   *backplanetest.Proxy
	process int // whose it is; everyone: that of all
}

const everyone = -1

// A fault is something that happens to the engine itself, and ends before do
// returns. While an exclusive one lasts, nothing else happens.
type fault struct {
	name string
	do   func(t testing.TB, r *rand.Rand)
	// keeps says that events are delivered meanwhile.
	keeps bool
}

// newLink returns a proxy in front of an address.
func newLink(t testing.TB, target string, process int) link {
	t.Helper()
	p, err := backplanetest.NewProxy(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return link{p, process}
}

// A window is a time in which a process may not have been able to catch up.
type window struct {
	process  int
	from, to time.Time
}

// A history is what has happened, so that gaps can be explained.
type history struct {
	mu      sync.Mutex
	windows []window
	counts  map[string]int
}

// happen notes that something happens as long as f lasts.
func (h *history) happen(name string, process int, f func()) {
	from := time.Now()
	f()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.windows = append(h.windows, window{process, from, time.Now()})
	h.counts[name]++
}

// recovery is how long after a fault a process may still be catching up: it
// notices a dead connection within 10 seconds, and waits up to 5 before it
// connects again.
const recovery = 20 * time.Second

// explains reports whether a gap that a process told of can have had a reason.
func (h *history) explains(process int, at time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.windows {
		if (w.process == everyone || w.process == process) && at.After(w.from) && at.Before(w.to.Add(recovery)) {
			return true
		}
	}
	return false
}

// disturb lets something happen to a link.
func (l link) disturb(h *history, r *rand.Rand) {
	short := 200*time.Millisecond + time.Duration(r.Int64N(int64(4*time.Second)))
	switch r.IntN(4) {
	case 0:
		h.happen("connections cut", l.process, l.proxy.Cut)
	case 1:
		h.happen("connections half-open", l.process, func() {
			l.proxy.SetSilent(true)
			time.Sleep(short)
			l.proxy.SetSilent(false)
		})
	case 2:
		h.happen("connections slow", l.process, func() {
			l.proxy.SetDelay(20*time.Millisecond + time.Duration(r.Int64N(int64(300*time.Millisecond))))
			time.Sleep(short)
			l.proxy.SetDelay(0)
		})
	case 3:
		h.happen("engine out of reach", l.process, func() {
			l.proxy.SetAway(true)
			time.Sleep(short)
			l.proxy.SetAway(false)
		})
	}
}
