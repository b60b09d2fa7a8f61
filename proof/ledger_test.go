package proof

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
)

// kinds are what these tests publish. A payload is the number of its event in
// the order of publishing.
var (
	kinds  event.Registry
	posted = event.Define[payload](&kinds, "chat", "chat.posted", "Something was said.")
	raised = event.Define[payload](&kinds, "alerts", "alert.raised", "Something is wrong.")
)

type payload struct {
	N    int    `json:"n"`
	Fill string `json:"fill,omitempty"`
}

// A ledger knows what was published, in order, and for whom; clients' accounts
// are held against it.
type ledger struct {
	mu      sync.Mutex
	changed *sync.Cond
	entries []entry
	endedAt int // how many there were when the schedule was over; zero before
}

type entry struct {
	user     uuid.UUID // nil: everyone
	id       uuid.UUID
	category event.Category
}

func newLedger() *ledger {
	l := &ledger{}
	l.changed = sync.NewCond(&l.mu)
	return l
}

// publish notes an event and publishes it, in one: the ledger's order is the
// hub's.
func (l *ledger) publish(t testing.TB, user uuid.UUID, fill string, send func(*event.Event) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kind := posted
	if len(l.entries)%3 == 0 {
		kind = raised
	}
	e, err := kind.New(user, payload{N: len(l.entries), Fill: fill})
	if err != nil {
		t.Fatal(err)
	}
	if err := send(e); err != nil {
		t.Fatal(err)
	}
	l.entries = append(l.entries, entry{user, e.ID(), e.Category()})
	l.changed.Broadcast()
}

// end says that the schedule is over.
func (l *ledger) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endedAt = len(l.entries)
	l.changed.Broadcast()
}

// await waits until n events have been published, or the schedule is over. It
// is the clock of clients that stall.
func (l *ledger) await(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.entries) < n && l.endedAt == 0 {
		l.changed.Wait()
	}
}

func (l *ledger) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}

// concerns reports whether event n is for the user. Under l.mu.
func (l *ledger) concerns(n int, user uuid.UUID) bool {
	return l.entries[n].user == uuid.Nil || l.entries[n].user == user
}

// An account is what one client has received, over all its connections.
type account struct {
	ledger *ledger
	user   uuid.UUID
	next   int // number of the next event that may be for it
	told   int // a gap that it heard of covers what was published before this
	// hears is what it is sure to hear: every category if nil.
	hears func(event.Category) bool
	counts
}

// counts add up what clients saw. The last four are zero, or a promise is
// broken.
type counts struct {
	Delivered, Declared, Gaps, Connections int
	Lost, Doubled, Disordered, Foreign     int
}

func (c *counts) add(d counts) {
	c.Delivered += d.Delivered
	c.Declared += d.Declared
	c.Gaps += d.Gaps
	c.Connections += d.Connections
	c.Lost += d.Lost
	c.Doubled += d.Doubled
	c.Disordered += d.Disordered
	c.Foreign += d.Foreign
}

// broken says which promises the counts break.
func (c *counts) broken() error {
	if c.Lost+c.Doubled+c.Disordered+c.Foreign > 0 {
		return fmt.Errorf("lost %d, doubled %d, out of order %d, foreign %d", c.Lost, c.Doubled, c.Disordered, c.Foreign)
	}
	return nil
}

// frame is a message as clients decode it, on either transport.
type frame struct {
	ID    string          `json:"id"`
	Event string          `json:"event"`
	Data  json.RawMessage `json:"data"`
}

// book enters what a client has received. Whoever reconnects may have read a
// frame and lost the next: so what counts is the order within all connections.
func (a *account) book(f frame) error {
	switch f.Event {
	case "stream.gap":
		// One gap tells of everything that is gone by now; what is retained
		// in the other log may still come in between.
		a.Gaps++
		a.told = a.ledger.len()
		return nil
	case "stream.cursor", "stream.end", "stream.filter":
		return nil
	}
	var p payload
	if err := json.Unmarshal(f.Data, &p); err != nil {
		return fmt.Errorf("event %s: %w", f.ID, err)
	}
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	switch {
	case p.N >= len(a.ledger.entries) || a.ledger.entries[p.N].id.String() != f.ID || !a.ledger.concerns(p.N, a.user):
		a.Foreign++
		return nil
	case p.N == a.next-1:
		a.Doubled++
		return nil
	case p.N < a.next:
		a.Disordered++
		return nil
	}
	for ; a.next < p.N; a.next++ {
		switch {
		case !a.ledger.concerns(a.next, a.user) || a.hears != nil && !a.hears(a.ledger.entries[a.next].category):
		case a.next < a.told:
			a.Declared++
		default:
			a.Lost++
		}
	}
	a.next = p.N + 1
	a.Delivered++
	return nil
}
