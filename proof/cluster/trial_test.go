package cluster

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
)

var (
	soak     = flag.Bool("soak", false, "the long form: at least a million deliveries for each engine")
	duration = flag.Duration("duration", 0, "how long each engine is tried (default 20s, or 4m with -soak)")
	seed     = flag.Uint64("seed", 0, "of the random choices (default: another each time)")
	pause    = flag.Duration("pause", 30*time.Millisecond, "between two events of a publisher, on average")
)

const (
	processes      = 3
	devices        = 300
	usersCount     = 100
	roomsCount     = 10
	publishers     = 6
	soakDeliveries = 1_000_000
)

// try holds an engine to the promises. Clients listen and move, publishers
// publish, and everything is disturbed; then it is left in peace, and what each
// client received is judged.
func try(t *testing.T, e *engine) {
	began := time.Now()
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	random := func(i int) *rand.Rand { return rand.New(rand.NewPCG(*seed, uint64(i))) }
	long := *duration
	if long == 0 {
		if long = 20 * time.Second; *soak {
			long = 4 * time.Minute
		}
	}

	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()

	var addrs []string
	var children []*child
	for i := range processes {
		addr := fmt.Sprintf("127.0.0.1:%d", freePort(t))
		c := newChild(t, fmt.Sprint("process", i), role{Process: &processRole{Addr: addr, Engine: e.urls[i], Replicas: e.replicas}})
		c.start(t)
		addrs, children = append(addrs, addr), append(children, c)
	}

	l := newLedger(e.lossy)
	direct, err := connect(e.direct, e.replicas)
	if err != nil {
		t.Fatal(err)
	}
	all.Go(func() { l.follow(ctx, direct) })

	var users []uuid.UUID
	for range usersCount {
		users = append(users, uuid.New())
	}
	var rooms []string
	for i := range roomsCount {
		rooms = append(rooms, fmt.Sprint("room:", i))
	}
	var received atomic.Int64
	var clients []*client
	listening, stopListening := context.WithCancel(ctx)
	defer stopListening()
	var listeners sync.WaitGroup
	for i := range devices {
		c := &client{
			id: i, user: users[i%usersCount], room: rooms[i%roomsCount], processes: addrs,
			opened: make(chan struct{}), received: &received, rand: random(1000 + i),
		}
		clients = append(clients, c)
		listeners.Go(func() { c.run(listening) })
	}
	for _, c := range clients {
		select {
		case <-c.opened:
		case <-time.After(patience):
			t.Fatalf("client %d has no stream after %v", c.id, patience)
		}
	}

	publishing, stopPublishing := context.WithCancel(ctx)
	defer stopPublishing()
	var publishersDone sync.WaitGroup
	one := publisher{ledger: l, processes: addrs, users: users, rooms: rooms, pause: *pause}
	for i := range publishers {
		p := one
		p.rand = random(2000 + i)
		publishersDone.Go(func() {
			if err := p.run(publishing); err != nil {
				t.Error(err)
			}
		})
	}

	// What happens, until the time is over.
	h := &history{counts: map[string]int{}}
	r := random(1)
	end := time.Now().Add(long)
	due := 0 // the engine's own faults take turns
	for time.Now().Before(end) || *soak && received.Load() < soakDeliveries && time.Now().Before(end.Add(long)) {
		switch r.IntN(3) {
		case 0:
			c := children[r.IntN(len(children))]
			c.kill()
			time.Sleep(time.Duration(r.Int64N(int64(2 * time.Second))))
			c.start(t)
			h.mu.Lock()
			h.counts["processes killed"]++
			h.mu.Unlock()
		case 1:
			e.links[r.IntN(len(e.links))].disturb(h, r)
		case 2:
			if len(e.faults) == 0 {
				continue
			}
			f := e.faults[due%len(e.faults)]
			due++
			before := received.Load()
			h.happen(f.name, everyone, func() { f.do(t, r) })
			if f.keeps && received.Load() == before {
				t.Errorf("nothing was delivered while: %s", f.name)
			}
		}
		time.Sleep(time.Duration(r.Int64N(int64(2 * time.Second))))
	}

	// In peace again, everything arrives.
	stopPublishing()
	publishersDone.Wait()
	last, err := one.with(random(2)).publish(publication{ID: uuid.Must(uuid.NewV7())})
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for !l.placed(last) || !slices.ContainsFunc(clients, func(c *client) bool { return c.has(last.N) }) {
		if time.Now().After(deadline) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	for _, c := range clients {
		for !c.has(last.N) && time.Now().Before(deadline) {
			time.Sleep(20 * time.Millisecond)
		}
	}
	settled := time.Now()
	stopListening()
	listeners.Wait()

	v := l.judge(clients)
	unexplained, visits, sockets := 0, 0, 0
	for _, c := range clients {
		visits += c.reconnect
		sockets += c.overWS
		for _, i := range c.items {
			if i.gap != "" && !h.explains(i.by, i.at) {
				if unexplained++; unexplained < 5 {
					t.Errorf("client %d was told of a gap (%s) without a reason, by process %d", c.id, i.gap, i.by)
				}
			}
		}
	}
	var happened []string
	for _, name := range slices.Sorted(maps.Keys(h.counts)) {
		happened = append(happened, fmt.Sprintf("%s %d", name, h.counts[name]))
	}
	t.Logf("%d processes, %d clients, %d visits (%d over WebSocket), %d events (%d retried, %d never acknowledged), epochs %d; %v",
		processes, devices, visits, sockets, len(l.entries), v.Retried, v.Unacknowledged, l.epochs, happened)
	t.Logf("%d deliveries in %.0f s: %d lost silently, %d doubled, %d out of order, %d foreign; %d gaps (%d without a reason) cover %d; %d lost by the engine, %d delivered again after that (seed %d)",
		v.Deliveries, settled.Sub(began).Seconds(), v.Lost, v.Doubled, v.Disordered, v.Foreign, v.Gaps, unexplained, v.AfterGap, v.LostByTheEngine, v.RedeliveredAfterLoss, *seed)
	if v.Lost+v.Doubled+v.Disordered+v.Foreign > 0 {
		for _, err := range v.Errors {
			t.Error(err)
		}
	}
	if *soak && *duration == 0 && v.Deliveries < soakDeliveries {
		t.Errorf("%d deliveries are fewer than %d", v.Deliveries, soakDeliveries)
	}
}

func (p publisher) with(r *rand.Rand) *publisher {
	p.rand = r
	return &p
}
