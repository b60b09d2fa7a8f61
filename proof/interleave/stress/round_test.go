package stress

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// The kinds that are published, one of each class.
var (
	kinds     event.Registry
	retained  = event.Define[string](&kinds, "retained", "test.retained", "Retained.")
	short     = event.Define[string](&kinds, "short", "test.short", "Short-lived.", event.RetainFor(time.Minute))
	ephemeral = event.Define[string](&kinds, "ephemeral", "test.ephemeral", "Ephemeral.", event.Ephemeral())
	latest    = event.Define[string](&kinds, "latest", "test.latest", "The latest value.", event.Latest(func(key string) string { return key }))
)

// A shape says what a round is like.
type shape struct {
	name       string
	readers    int  // opened before the first phase
	ghosts     int  // streams of each user that are closed before the first phase
	newcomers  int  // readers that are opened while the first phase goes on
	publishers int  //
	events     int  // of each publisher in each phase
	phases     int  //
	visitors   int  // goroutines that open and close logs
	quiet      bool // nobody is woken for another reason than an event
	tiny       bool // the hub evicts all the time
	latest     bool // most events are latest values in one log, and all readers are restless
}

// A fact is an event that is published, and to whom.
type fact struct {
	event        *event.Event
	kind         event.Kind[string]
	publisher, n int // n counts what the publisher publishes
	phase        int
	to           []hub.Audience
	time         atomic.Int64 // right before it was published, by round.clock
}

// A round is one hub and those who use it.
type round struct {
	shape
	t          *testing.T
	hub        *hub.Hub
	users      []uuid.UUID
	readers    []*reader
	phase      int
	clock      atomic.Int64        // counts what happens
	published  [][]*fact           // in this phase, by publisher
	facts      map[uuid.UUID]*fact // of all phases, by id
	superseded map[*fact]bool      // a later fact of the same publisher takes its place
	counts     map[int]int         // of facts, by publisher
	working    sync.WaitGroup      // readers
	latestOf   map[string]*fact    // by key, in this phase
}

const (
	fixedTopic  = "fixed"  // readers follow it from the beginning to the end, or never
	movingTopic = "moving" // users join and leave it
)

func newRound(t *testing.T, s shape) *round {
	o := &hub.Options{StreamsPerUser: 1000}
	if s.tiny {
		o.Bytes, o.UserEvents, o.BroadcastEvents = 32<<10, 10, 20
	}
	r := &round{shape: s, t: t, hub: hub.New(&kinds, o), counts: map[int]int{}, facts: map[uuid.UUID]*fact{}}
	for i := range 3 {
		r.users = append(r.users, uuid.UUID{15: byte(i + 1)})
	}
	return r
}

func (r *round) errorf(format string, args ...any) {
	r.t.Helper()
	r.t.Errorf("phase %d: "+format, append([]any{r.phase}, args...)...)
}

func (r *round) play() {
	r.haunt()
	for range r.shape.readers {
		r.open()
	}
	for r.phase = 1; r.phase <= r.phases && !r.t.Failed(); r.phase++ {
		r.prepare()
		before := r.readers // newcomers are not poked
		var working sync.WaitGroup
		for _, facts := range r.published {
			working.Go(func() {
				someTime(15)
				r.publish(facts)
			})
		}
		if r.phase == 1 {
			working.Go(func() {
				someTime(15)
				for range r.newcomers {
					r.open()
				}
			})
		}
		for range r.visitors {
			working.Go(r.visit)
		}
		if !r.quiet {
			working.Go(func() { r.poke(before) })
			working.Go(r.move)
		}
		working.Wait()
		rest()
		r.checkOrder()
		for _, reader := range r.readers {
			reader.check()
		}
	}
	for _, reader := range r.readers {
		close(reader.stop)
	}
	r.working.Wait()
	rest()
	if err := r.hub.Shutdown(context.Background()); err != nil {
		r.errorf("shutdown: %v", err)
	}
}

// rest waits until nobody can go on. By the bubble's clock, a yield takes
// microseconds.
func rest() {
	time.Sleep(100 * time.Millisecond)
	synctest.Wait()
}

// someTime waits for less than 1<<most ns, each order of magnitude as likely as
// the next.
func someTime(most int) { time.Sleep(1 << rand.IntN(most)) }

// haunt opens streams and closes them, so that the logs have an index from then
// on, however few readers follow them.
func (r *round) haunt() {
	var ghosts []*hub.Subscription
	for i := range r.ghosts * len(r.users) {
		s, err := r.hub.Subscribe(hub.Request{Session: hub.Session{User: r.users[i%len(r.users)], Allowed: hub.Everything()}, Filter: hub.Everything()})
		if err != nil {
			r.t.Fatal(err)
		}
		ghosts = append(ghosts, s)
	}
	for _, s := range ghosts {
		s.Close()
	}
}

// prepare makes the events of a phase.
func (r *round) prepare() {
	r.superseded, r.latestOf = map[*fact]bool{}, map[string]*fact{}
	r.published = make([][]*fact, r.publishers)
	for p := range r.publishers {
		for range r.events {
			r.counts[p]++
			f := &fact{publisher: p, n: r.counts[p], phase: r.phase, kind: r.anyKind(), to: r.anyAudience()}
			text := fmt.Sprint(p, "/", f.n)
			if f.kind == latest {
				f.to = f.to[:1]
				text = fmt.Sprint(p, " to ", f.to[0])
				if old := r.latestOf[text]; old != nil {
					r.superseded[old] = true
				}
				r.latestOf[text] = f
			}
			e, err := f.kind.New(uuid.Nil, text)
			if err != nil {
				r.t.Fatal(err)
			}
			f.event = e
			r.facts[e.ID()] = f
			r.published[p] = append(r.published[p], f)
		}
	}
}

func (r *round) anyKind() event.Kind[string] {
	if r.shape.latest {
		return []event.Kind[string]{retained, latest, latest}[rand.IntN(3)]
	}
	return []event.Kind[string]{retained, retained, short, ephemeral, latest}[rand.IntN(5)]
}

func (r *round) anyAudience() []hub.Audience {
	user := func() hub.Audience { return hub.User(r.users[rand.IntN(len(r.users))]) }
	if r.shape.latest {
		return []hub.Audience{hub.Everyone()}
	}
	switch rand.IntN(7) {
	case 0, 1:
		return []hub.Audience{user()}
	case 2:
		return []hub.Audience{user(), hub.Topic(fixedTopic), user()}
	case 3:
		return []hub.Audience{hub.Topic(fixedTopic)}
	case 4:
		return []hub.Audience{hub.Topic(movingTopic)}
	case 5:
		return []hub.Audience{user(), hub.Everyone()}
	}
	return []hub.Audience{hub.Everyone()}
}

func (r *round) publish(facts []*fact) {
	for _, f := range facts {
		f.time.Store(r.clock.Add(1))
		if err := r.hub.PublishTo(context.Background(), f.event, f.to...); err != nil {
			r.errorf("publish: %v", err)
		}
	}
}

// poke wakes some readers for no reason, and once more when they may be about to
// sleep.
func (r *round) poke(readers []*reader) {
	for _, i := range rand.Perm(len(readers))[:min(4, len(readers))] {
		readers[i].poke()
		someTime(8)
		readers[i].poke()
	}
}

// move lets a user join and leave a topic.
func (r *round) move() {
	user := r.users[rand.IntN(len(r.users))]
	for i := range 2 + rand.IntN(2) {
		move := r.hub.Join
		if i%2 == 1 {
			move = r.hub.Leave
		}
		if _, err := move(context.Background(), user, movingTopic); err != nil {
			r.errorf("move: %v", err)
		}
	}
}

// visit opens streams of users whose logs are mostly empty, and publishes to
// them: what was published after a stream was opened must be there when Publish
// has returned.
func (r *round) visit() {
	for range 10 {
		user := uuid.UUID{0: 1, 15: byte(rand.IntN(3))}
		s, err := r.hub.Subscribe(hub.Request{Session: hub.Session{User: user, Allowed: hub.Everything()}, Filter: hub.Everything()})
		if err != nil {
			r.errorf("visit: %v", err)
			return
		}
		if rand.IntN(2) == 0 {
			e, err := retained.New(user, "to a visitor")
			if err != nil {
				r.t.Fatal(err)
			}
			if err := r.hub.Publish(context.Background(), e); err != nil {
				r.errorf("publish to a visitor: %v", err)
			}
			r.expect(s, e)
		}
		s.Close()
	}
}

// expect takes e, or a gap.
func (r *round) expect(s *hub.Subscription, e *event.Event) {
	for {
		batch, err := s.Take(nil)
		if err != nil || len(batch) == 0 {
			r.errorf("lost without a gap: a visitor does not get its event: %v", err)
			return
		}
		for _, m := range batch {
			if m.Event() == e || m.Type() == hub.TypeGap {
				return
			}
		}
	}
}

// checkOrder checks that there is one order in which everybody got what they got
// in this phase. (A reader that resumes from before an ephemeral event and then
// joins a topic may get an older event of that.)
func (r *round) checkOrder() {
	after := map[*fact][]*fact{}
	before := map[*fact]int{} // how many come right before it
	for _, x := range r.readers {
		var last *fact
		for _, one := range x.got {
			f := one.fact
			if f == nil || x.restless && f.kind == ephemeral {
				continue
			}
			if before[f] += 0; last != nil {
				after[last] = append(after[last], f)
				before[f]++
			}
			last = f
		}
	}
	var next []*fact
	for f, n := range before {
		if n == 0 {
			next = append(next, f)
		}
	}
	placed := 0
	for ; len(next) > 0; placed++ {
		f := next[len(next)-1]
		next = next[:len(next)-1]
		for _, g := range after[f] {
			if before[g]--; before[g] == 0 {
				next = append(next, g)
			}
		}
	}
	if placed < len(before) {
		r.errorf("two readers got %d events in different orders", len(before)-placed)
	}
}
