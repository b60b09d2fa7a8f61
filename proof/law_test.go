package proof

import (
	"context"
	"flag"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/internal/memnet"
)

var (
	lawSeed   = flag.Uint64("seed", 0, "run only this schedule of the law")
	schedules = flag.Int("schedules", 150, "how many schedules the law is held to")
)

// TestLaw is the promises in one: random schedules of publishing to users, topics
// and everyone, of events of every sort; of clients that connect by every
// transport, are cut at any byte, stall, and change what they follow; of Join,
// Leave, revocations, expiry and evictions; and of hubs that are shut down, saved
// and restored, or lost. They run through the real handlers, over connections in
// memory and in fake time.
//
// Every event meant for a client is delivered once and in order, or was superseded,
// or lies in a gap that the client was told of. No gap is told where nothing can be
// missing, nothing else reaches anybody, and nothing waits while its way is free.
func TestLaw(t *testing.T) {
	from, to := uint64(1), uint64(*schedules)
	if *soak {
		to = 5000
	}
	if *lawSeed != 0 {
		from, to = *lawSeed, *lawSeed
	}
	var total lawCounts
	ends, restarts := map[hub.Reason]uint64{}, [2]int{}
	for seed := from; seed <= to && !t.Failed(); seed++ {
		synctest.Test(t, func(t *testing.T) {
			l := newLaw(t, seed)
			for range 60 {
				l.step()
			}
			l.settle()
			l.shutdown()
			for _, c := range l.clients {
				if err := c.account.broken(); err != nil {
					t.Errorf("seed %d: a client of %s: %v", seed, c.path, err)
				}
				total.add(c.account.lawCounts)
			}
			for reason, n := range l.ends {
				ends[reason] += n
			}
			restarts[0] += l.saved
			restarts[1] += l.lost
		})
	}
	t.Logf("%d schedules: %+v; ends %v; %d restarts with a saved hub and %d without", to-from+1, total, ends, restarts[0], restarts[1])
	if *lawSeed == 0 && !t.Failed() {
		for _, r := range []hub.Reason{hub.ReasonGone, hub.ReasonSlow, hub.ReasonRevoked, hub.ReasonExpired, hub.ReasonShutdown} {
			if ends[r] == 0 {
				t.Errorf("no stream ended as %q: the schedules do not try what they are for", r)
			}
		}
		if total.Ephemeral == 0 || total.Superseded == 0 || total.Declared == 0 || total.Gaps == 0 || total.Unknown == 0 || total.Changes == 0 || total.Forbidden == 0 || restarts[0] == 0 || restarts[1] == 0 {
			t.Errorf("the schedules do not try what they are for: %+v", total)
		}
	}
}

// A law is one schedule.
type law struct {
	t       *testing.T
	seed    uint64
	rand    *rand.Rand
	options *hub.Options
	users   []uuid.UUID
	topics  []string
	clients []*lawClient
	running sync.WaitGroup
	stopped chan struct{}

	ends        map[hub.Reason]uint64
	saved, lost int // restarts with and without a saved hub

	mu      sync.Mutex // what follows, and what every client has
	history *history
	hub     *hub.Hub
	server  *memnet.Server    // nil while it is down
	witness *hub.Subscription // its cursors say where the hub stands
	rights  map[right]permission
	leftAt  map[right]time.Time
}

func newLaw(t *testing.T, seed uint64) *law {
	r := rand.New(rand.NewPCG(seed, 7))
	l := &law{
		t: t, seed: seed, rand: r,
		users:   []uuid.UUID{{1}, {2}, {3}},
		topics:  []string{"room:a", "room:b", "room:c", "document:1"},
		stopped: make(chan struct{}),
		ends:    map[hub.Reason]uint64{},
		rights:  map[right]permission{}, leftAt: map[right]time.Time{},
	}
	tight := r.IntN(4) == 0
	l.options = &hub.Options{
		UserEvents:      5 + r.IntN(60),
		BroadcastEvents: 5 + r.IntN(60),
		MaxAge:          time.Duration(1+r.IntN(600)) * time.Second,
		Bytes:           64 << 20,
		Authorize:       l.authorize,
	}
	if tight {
		l.options.Bytes = 1 << 20
	}
	l.history = newHistory(l.options, tight)
	for _, user := range l.users {
		for _, topic := range l.topics {
			l.rights[right{user, topic}] = permission(r.IntN(3))
		}
	}
	l.serve(nil)
	for i := range 5 {
		c := &lawClient{
			law: l, user: l.users[i%len(l.users)],
			path: []string{"/events", "/lean", "/lean-reactor", "/ws", "/ws-reactor", "/ws-reactor", "/poll"}[r.IntN(7)],
			rand: rand.New(rand.NewPCG(seed, uint64(i))),
		}
		c.account = lawAccount{history: l.history, last: l.hub.Cursor(), got: map[int]bool{}}
		c.topics = l.anyTopics(c.user)
		l.clients = append(l.clients, c)
		l.running.Go(c.run)
	}
	synctest.Wait()
	return l
}

func (l *law) step() {
	c := l.clients[l.rand.IntN(len(l.clients))]
	switch n := l.rand.IntN(100); {
	case n < 52:
		l.publishSome(10)
	case n < 60:
		c.cut(l.rand.IntN(2000))
	case n < 66:
		c.stall(time.Duration(l.rand.IntN(25)) * time.Second)
	case n < 69: // what a client follows changes while it has much to take
		c.stall(time.Duration(l.rand.IntN(10)) * time.Second)
		l.publishSome(100)
		synctest.Wait()
		for range 1 + l.rand.IntN(3) {
			l.change(c)
			l.publishSome(2)
		}
	case n < 82:
		l.change(c)
	case n < 85:
		l.revoke(c.user)
	case n < 87:
		c.cut(0) // it comes again, perhaps with a session that soon expires
	case n < 89:
		l.restart(l.rand.IntN(4) > 0)
	default:
		time.Sleep(time.Duration(l.rand.IntN(5000)) * time.Millisecond)
	}
	if l.rand.IntN(2) == 0 {
		synctest.Wait()
		l.checkIdle()
	}
}

// change changes what a client follows, by itself or by the server.
func (l *law) change(c *lawClient) {
	topic := l.topics[l.rand.IntN(len(l.topics))]
	switch l.rand.IntN(4) {
	case 0:
		l.join(c.user, topic)
	case 1:
		l.leave(c.user, topic)
	default:
		c.change(l.anyFilter(), l.anyTopics(c.user))
	}
}

func (l *law) anyFilter() []event.Category {
	all := []event.Category{"chat", "alerts", "money"}
	l.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:1+l.rand.IntN(len(all))]
}

// anyTopics returns topics for a client to ask for: nearly always such that it
// may have.
func (l *law) anyTopics(user uuid.UUID) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	topics := []string{}
	for _, topic := range l.topics {
		if l.rand.IntN(3) > 0 && (!l.forbids(user, []string{topic}) || l.rand.IntN(15) == 0) {
			topics = append(topics, topic)
		}
	}
	return topics
}

func (l *law) publishSome(most int) {
	for range 1 + l.rand.IntN(most) {
		l.publish()
	}
}

// publish publishes an event of any kind to any audiences.
func (l *law) publish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	kinds := []event.Kind[lawPayload]{lawPosted, lawPosted, lawRaised, lawTyping, lawChunk, lawBalance, lawBalance, lawProgress}
	var to []hub.Audience
	switch l.rand.IntN(8) {
	case 0:
		to = []hub.Audience{hub.Everyone()}
	case 1, 2, 3:
		to = []hub.Audience{hub.User(l.users[l.rand.IntN(len(l.users))])}
	case 4, 5:
		to = []hub.Audience{hub.Topic(l.topics[l.rand.IntN(len(l.topics))])}
	default: // several, to which one stream may belong
		all := []hub.Audience{hub.Everyone()}
		for _, user := range l.users {
			all = append(all, hub.User(user))
		}
		for _, topic := range l.topics {
			all = append(all, hub.Topic(topic))
		}
		for _, i := range l.rand.Perm(len(all))[:2+l.rand.IntN(3)] {
			to = append(to, all[i])
		}
	}
	l.send(kinds[l.rand.IntN(len(kinds))], strings.Repeat("x", l.rand.IntN(3000)), to...)
}

// send publishes an event, and notes where the hub stands afterwards. The caller
// holds l.mu: the history's order is the hub's.
func (l *law) send(kind event.Kind[lawPayload], fill string, to ...hub.Audience) {
	e, err := kind.New(uuid.Nil, lawPayload{N: len(l.history.facts), Key: []string{"", "eur", "usd"}[l.rand.IntN(3)], Fill: fill})
	if err == nil {
		err = l.hub.PublishTo(context.Background(), e, to...)
	}
	if err != nil {
		l.t.Errorf("seed %d: publish: %v", l.seed, err)
		return
	}
	l.history.add(e, to)
	l.mark()
}

// mark notes the hub's position. The caller holds l.mu.
func (l *law) mark() {
	for {
		batch, err := l.witness.Take(nil)
		if err != nil {
			l.t.Errorf("seed %d: the witness: %v", l.seed, err)
		}
		if len(batch) == 0 {
			break
		}
	}
	l.history.mark(l.witness.Cursor())
	l.history.mark(l.hub.Cursor())
}

// checkIdle holds every client to which nothing is in the way to having got
// everything. Nothing moves any more.
func (l *law) checkIdle() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.clients {
		// A client that polls has an open stream, too, from which no frame has come.
		s := c.stream
		if s == nil || !s.open && c.path != "/poll" || s.unknown || len(s.owed) > 0 || !c.conn.healthy() {
			continue
		}
		c.account.idle(s)
	}
}

// settle lets every client catch up.
func (l *law) settle() {
	for _, c := range l.clients {
		c.heal()
	}
	for range 100 {
		l.mu.Lock()
		l.send(lawPosted, "", hub.Everyone())
		l.mu.Unlock()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		l.mu.Lock()
		behind := slices.ContainsFunc(l.clients, func(c *lawClient) bool { return c.account.next < len(l.history.facts) })
		l.mu.Unlock()
		if !behind {
			return
		}
	}
	l.t.Errorf("seed %d: a client does not catch up; %+v", l.seed, l.hub.Stats())
}

func (l *law) shutdown() {
	close(l.stopped)
	if err := l.stopServing(); err != nil {
		l.t.Errorf("seed %d: shutdown: %v", l.seed, err)
	}
	l.running.Wait()
}
