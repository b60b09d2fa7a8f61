package stress

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// A reader takes what a user gets.
type reader struct {
	round    *round
	user     uuid.UUID
	topics   []string
	filter   []event.Category // nil for everything
	restless bool             // closes its stream and resumes now and then
	notified bool             // is woken by a function instead of a channel
	since    int              // the phase in which it was opened; zero before the first
	stop     chan struct{}

	poked atomic.Int64 // how often Wake was called
	heard atomic.Int64 // of these, those that a later Take has followed

	mu  sync.Mutex // guards sub, and got while the phase goes on
	sub *hub.Subscription
	got []taken // in this phase
	// last is, by publisher, the n of the newest fact that it got. A restless reader
	// has a second one for ephemeral facts, from before which it may resume.
	last [2]map[int]int

	// after is where it would resume, and safe reports whether the hub must know
	// the place if nothing is evicted: the id of a latest value may be forgotten.
	after string
	safe  bool
	ready <-chan struct{}
}

// A taken is what a reader was given: a fact, or nil for a gap.
type taken struct {
	fact *fact
	time int64 // by round.clock
}

// open opens one more reader and lets it run.
func (r *round) open() {
	x := &reader{
		round:    r,
		user:     r.users[rand.IntN(len(r.users))],
		restless: r.latest || rand.IntN(4) == 0,
		notified: rand.IntN(2) == 0,
		since:    r.phase,
		stop:     make(chan struct{}),
		last:     [2]map[int]int{{}, {}},
	}
	if !r.latest && rand.IntN(2) == 0 {
		x.topics = []string{fixedTopic}
	}
	if !r.latest && rand.IntN(3) == 0 {
		x.filter = []event.Category{"retained", "ephemeral"}
	}
	if x.subscribe() {
		r.readers = append(r.readers, x)
		r.working.Go(x.run)
	}
}

func (x *reader) subscribe() bool {
	q := hub.Request{
		Session: hub.Session{User: x.user, Allowed: hub.Everything(), Topics: []string{fixedTopic, movingTopic}},
		Filter:  hub.Everything(),
		Topics:  x.topics,
		After:   x.after,
	}
	if x.filter != nil {
		q.Filter = hub.Categories(x.filter...)
	}
	signals := make(chan struct{}, 64) // room for more than the one that may be there
	if x.notified {
		q.Notify = func() { signals <- struct{}{} }
	}
	s, err := x.round.hub.Subscribe(q)
	if err != nil {
		x.round.errorf("subscribe: %v", err)
		return false
	}
	if x.ready = signals; !x.notified {
		x.ready = s.Ready()
	}
	x.mu.Lock()
	x.sub = s
	x.mu.Unlock()
	if x.after == "" {
		x.after, x.safe = s.Cursor(), true
	}
	return true
}

// run takes until it is told to stop.
func (x *reader) run() {
	defer func() { x.sub.Close() }()
	var buf []*hub.Message
	for {
		poked := x.poked.Load()
		batch, err := x.sub.Take(buf)
		if err != nil {
			x.round.errorf("take: %v", err)
			return
		}
		x.heard.Store(poked)
		if buf = batch; len(batch) == 0 {
			select {
			case <-x.ready:
			case <-x.stop:
				return
			}
			continue
		}
		if x.notified && len(x.ready) > 0 {
			x.round.errorf("a reader was signalled although it was awake")
		}
		cut := x.restless && rand.IntN(3) == 0
		if cut {
			batch = batch[:rand.IntN(len(batch)+1)]
		}
		for _, m := range batch {
			x.take(m)
		}
		if cut && !x.resume(len(batch) == len(buf)) {
			return
		}
		if rand.IntN(2) == 0 {
			someTime(12) // as a socket takes it
		}
	}
}

// resume closes the stream and opens another from where the reader is. If all of
// the last batch was used, the hub's cursor names that place, too.
func (x *reader) resume(all bool) bool {
	if all && rand.IntN(2) == 0 {
		x.after, x.safe = x.sub.Cursor(), true
	}
	x.sub.Close()
	return x.subscribe()
}

// take notes what the reader was given, and checks that it was meant for it.
func (x *reader) take(m *hub.Message) {
	x.mu.Lock()
	defer x.mu.Unlock()
	r := x.round
	if m.Event() == nil {
		x.after = m.ID().String()
		if m.Type() == hub.TypeGap {
			x.got = append(x.got, taken{nil, r.clock.Add(1)})
			if !r.tiny && x.safe {
				r.errorf("a gap although nothing is missing: %s", m.Data())
			}
		}
		x.safe = true
		return
	}
	f := r.facts[m.ID()]
	ephemeral := f.kind == ephemeral
	last := x.last[0]
	if ephemeral && x.restless {
		last = x.last[1]
	}
	switch {
	case !x.meant(f):
		r.errorf("foreign: %v got an event to %v", x, f.to)
	case f.n <= last[f.publisher]:
		r.errorf("doubled or out of order: %v got event %d of publisher %d, %s to %v, after %d", x, f.n, f.publisher, f.event.Type(), f.to, last[f.publisher])
	case f.phase < r.phase && f.to[0] != hub.Topic(movingTopic):
		r.errorf("late: %v got event %d of publisher %d, %s to %v, of phase %d", x, f.n, f.publisher, f.event.Type(), f.to, f.phase)
	}
	last[f.publisher] = f.n
	x.got = append(x.got, taken{f, r.clock.Add(1)})
	if !ephemeral {
		x.after, x.safe = m.ID().String(), f.kind != latest && f.to[0] != hub.Topic(movingTopic)
	}
}

// meant reports whether a fact may reach the reader.
func (x *reader) meant(f *fact) bool {
	if x.filter != nil && !slices.Contains(x.filter, f.event.Category()) {
		return false
	}
	return slices.ContainsFunc(f.to, func(a hub.Audience) bool {
		return a == hub.Everyone() || a == hub.User(x.user) || a == hub.Topic(movingTopic) ||
			a == hub.Topic(fixedTopic) && slices.Contains(x.topics, fixedTopic)
	})
}

// due reports whether a fact must reach the reader, or be covered by a gap.
func (x *reader) due(f *fact) bool {
	switch {
	case !x.meant(f), x.since == x.round.phase, x.round.superseded[f]:
		return false
	case f.kind == ephemeral && (x.restless || x.round.tiny):
		return false
	}
	return f.to[0] != hub.Topic(movingTopic)
}

func (x *reader) poke() {
	x.mu.Lock()
	s := x.sub
	x.mu.Unlock()
	if x.restless {
		return // the stream may be closed by now
	}
	x.poked.Add(1)
	s.Wake()
}

// check checks, when nobody works, that the reader got what was due to it in this
// phase.
func (x *reader) check() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if poked, heard := x.poked.Load(), x.heard.Load(); poked != heard {
		x.round.errorf("asleep for ever: Wake was called %d times, the last Take followed %d", poked, heard)
	}
	place := map[*fact]int{}
	gaps := false
	for i, one := range x.got {
		gaps = gaps || one.fact == nil
		place[one.fact] = i
	}
	for _, facts := range x.round.published {
		end := len(x.got) // place of the publisher's next event that came
		for _, f := range slices.Backward(facts) {
			if i, ok := place[f]; ok {
				end = i
				continue
			}
			if x.due(f) && !(f.kind == ephemeral && gaps) && !covered(f, x.got[:end]) {
				x.lacks(f)
				return
			}
		}
	}
	x.got = nil
}

// covered reports whether one of the gaps may be that of f: it was told after f
// was published and before a later event of the same publisher.
func covered(f *fact, before []taken) bool {
	return slices.ContainsFunc(before, func(one taken) bool {
		return one.fact == nil && one.time > f.time.Load()
	})
}

func (x *reader) lacks(f *fact) {
	x.round.errorf("lost without a gap, or asleep for ever: %v lacks event %d of publisher %d, %s to %v; it got %d messages",
		x, f.n, f.publisher, f.event.Type(), f.to, len(x.got))
}

// String describes the reader.
func (x *reader) String() string {
	return fmt.Sprintf("a reader (user %v, topics %v, filter %v, restless %v, notified %v)", x.user, x.topics, x.filter, x.restless, x.notified)
}
