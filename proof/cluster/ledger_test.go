package cluster

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
)

// A place is where a record stands in the sequence: in the n-th epoch that the
// ledger has seen, at a position. If the engine keeps its data, a new epoch has
// the records of the one before at their positions, and all count as one.
type place struct {
	epoch    int
	position uint64
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.epoch, q.epoch), cmp.Compare(p.position, q.position))
}

// An entry is what the ledger knows of one publication.
type entry struct {
	publication
	attempts     int
	acknowledged bool
	places       []place // in order, at most one for each epoch
}

// A ledger is what was published, and the order of it: it follows the engine's
// sequence itself, beside the processes.
type ledger struct {
	// Lossy says that the engine loses records on purpose.
	lossy bool

	mu      sync.Mutex
	entries []*entry
	byID    map[uuid.UUID]*entry // by the record's id
	epochs  int
}

func newLedger(lossy bool) *ledger {
	return &ledger{lossy: lossy, byID: map[uuid.UUID]*entry{}}
}

// begin notes a publication before it is published, and gives it its number.
func (l *ledger) begin(p publication) (*entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.N = len(l.entries)
	id, err := p.record()
	if err != nil {
		return nil, err
	}
	e := &entry{publication: p}
	l.entries = append(l.entries, e)
	l.byID[id] = e
	return e, nil
}

func (l *ledger) attempted(e *entry, acknowledged bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.attempts++
	e.acknowledged = e.acknowledged || acknowledged
}

// follow follows the sequence until ctx ends.
func (l *ledger) follow(ctx context.Context, b hub.Backplane) {
	var epoch string
	var last uint64
	for ctx.Err() == nil {
		err := func() error {
			try, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			tail, err := b.Tail(try)
			if err != nil {
				return err
			}
			if tail.Epoch != epoch {
				epoch, last = tail.Epoch, tail.First-1
				l.mu.Lock()
				l.epochs++
				l.mu.Unlock()
			}
			return b.Follow(ctx, last, func(batch []hub.SequencedRecord) error {
				l.mu.Lock()
				defer l.mu.Unlock()
				for _, r := range batch {
					last = r.Position
					p := place{position: r.Position}
					if l.lossy {
						p.epoch = l.epochs
					}
					l.place(r.ID, p)
				}
				return nil
			})
		}()
		if err != nil {
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// place notes where a record stands. The caller holds l.mu.
func (l *ledger) place(id uuid.UUID, p place) {
	e := l.byID[id]
	if e == nil {
		return
	}
	if n := len(e.places); n == 0 || e.places[n-1].epoch < p.epoch {
		e.places = append(e.places, p)
	}
}

// placed reports whether an entry stands in the sequence.
func (l *ledger) placed(e *entry) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(e.places) > 0
}

// A verdict counts what clients received.
type verdict struct {
	Deliveries, Gaps                      int
	Lost, Doubled, Disordered, Foreign    int // what must not be
	Unacknowledged, Retried, AfterGap     int // publications; events that only a gap explains
	RedeliveredAfterLoss, LostByTheEngine int
	Errors                                []string // the first few
}

func (v *verdict) errorf(format string, args ...any) {
	if len(v.Errors) < 10 {
		v.Errors = append(v.Errors, fmt.Sprintf(format, args...))
	}
}

// judge holds what clients received against what was published. It must not be
// called while anything is published. Nothing was published before the clients
// had begun.
func (l *ledger) judge(clients []*client) (v verdict) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		if e.attempts > 1 {
			v.Retried++
		}
		switch {
		case !e.acknowledged:
			v.Unacknowledged++
		case len(e.places) == 0 && l.lossy:
			v.LostByTheEngine++
		case len(e.places) == 0:
			v.Lost++
			v.errorf("publication %d was acknowledged and is not in the sequence", e.N)
		}
	}
	type placed struct {
		place
		*entry
	}
	var all []placed
	for _, e := range l.entries {
		for _, p := range e.places {
			all = append(all, placed{p, e})
		}
	}
	slices.SortFunc(all, func(a, b placed) int { return a.place.compare(b.place) })

	for _, c := range clients {
		received := map[int]int{} // times, by number
		for _, i := range c.items {
			if i.gap == "" {
				received[i.n]++
			}
		}
		wanted := make([]placed, 0, len(all)/2)
		for _, p := range all {
			if c.wants(&p.publication) {
				wanted = append(wanted, p)
			}
		}
		var now place // of the last event
		next := 0     // the first of wanted that is behind it
		gap := ""     // told since
		seen := map[int]place{}
		for k, i := range c.items {
			if i.gap != "" {
				v.Gaps++
				gap = i.gap
				continue
			}
			v.Deliveries++
			if i.n < 0 || i.n >= len(l.entries) || !c.wants(&l.entries[i.n].publication) {
				v.Foreign++
				v.errorf("client %d received %d, which is not for it", c.id, i.n)
				continue
			}
			e := l.entries[i.n]
			if before, again := seen[i.n]; again {
				// Published once more after the engine had lost it, or might have.
				if l.lossy && e.attempts > 1 && len(e.places) > 1 && before.epoch < e.places[len(e.places)-1].epoch {
					v.RedeliveredAfterLoss++
				} else {
					v.Doubled++
					v.errorf("client %d received %d twice (item %d, places %v)", c.id, i.n, k, e.places)
					continue
				}
			}
			if len(e.places) == 0 {
				if !l.lossy {
					v.Foreign++
					v.errorf("client %d received %d, which is not in the sequence", c.id, i.n)
				}
				seen[i.n] = now
				continue
			}
			at := slices.IndexFunc(e.places, func(p place) bool { return p.compare(now) > 0 })
			if at < 0 {
				v.Disordered++
				v.errorf("client %d received %d at %v after %v", c.id, i.n, e.places, now)
				continue
			}
			now = e.places[at]
			seen[i.n] = now
			for ; next < len(wanted) && wanted[next].place.compare(now) <= 0; next++ {
				switch w := wanted[next]; {
				case received[w.N] > 0:
				case gap != "":
					v.AfterGap++
				default:
					v.Lost++
					v.errorf("client %d did not receive %d at %v, and was told of no gap before %d at %v", c.id, w.N, w.place, i.n, now)
				}
			}
			// Of an event that was published again after a loss, nobody knows which
			// one the client received: the gap may lie behind the first.
			if !l.lossy || e.attempts < 2 || len(e.places) < 2 {
				gap = ""
			}
		}
		for ; next < len(wanted); next++ {
			if w := wanted[next]; received[w.N] == 0 && gap == "" {
				v.Lost++
				v.errorf("client %d did not receive %d at %v, at the end", c.id, w.N, w.place)
			}
		}
		if l.lossy {
			for _, e := range l.entries {
				if e.acknowledged && len(e.places) == 0 && c.wants(&e.publication) && received[e.N] == 0 && c.gaps() == 0 {
					v.Lost++
					v.errorf("client %d did not receive %d, which the engine lost, and was told of no gap", c.id, e.N)
				}
			}
		}
	}
	return v
}
