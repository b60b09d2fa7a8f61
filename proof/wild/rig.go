package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// A rig is one server, the relay before it, the proxy before that, and the
// clients that connect to the proxy. It leads all clients through the phases
// together, since an outage is one for all.
type rig struct {
	proxy    *proxy
	server   *server
	relay    *relay
	host     string // where clients connect
	seats    []*seat
	progress io.Writer
}

// A seat is where one client sits: its user, what it reported, what was
// published for it.
type seat struct {
	*client
	row     row
	address func(user string) string

	user   uuid.UUID
	ledger *ledger
	stop   func() // nil while the client does not run
	next   int    // the next number to publish
}

// A row is what one client did behind one proxy.
type row struct {
	proxy, client string
	cells         [phaseCount]cell
}

// A cell is the verdict on one phase.
type cell struct {
	verdict string
	took    time.Duration
	story   string
}

// The verdicts. Everything but ok and byBeat is a fault.
const (
	ok         = "ok"
	late       = "late"     // events come with the next only
	refused    = "refused"  // the stream never opened
	stops      = "stops"    // the client did not come back
	lost       = "lost"     // it came back, but events are missing
	doubled    = "doubled"  // events came twice
	disordered = "disorder" // events came in another order
	silent     = "silent"   // no gap was told
	blank      = "blank"    // an event without type or data was handed out
	byBeat     = "beat"     // a closed tab is noticed only when a heartbeat fails
	ghost      = "ghost"    // a closed tab is not noticed within three heartbeats
	notRun     = "-"
)

// A phase is one thing that happens to all clients of a rig.
type phase struct {
	name string
	run  func(r *rig, ctx context.Context, seats []*seat, done func(*seat, cell))
}

const phaseCount = 7

var phases = [phaseCount]phase{
	{"connect", (*rig).connect},
	{"fin", func(r *rig, ctx context.Context, seats []*seat, done func(*seat, cell)) {
		r.cut(ctx, seats, done, func() { r.relay.cutAll(false) })
	}},
	{"rst", func(r *rig, ctx context.Context, seats []*seat, done func(*seat, cell)) {
		r.cut(ctx, seats, done, func() { r.relay.cutAll(true) })
	}},
	{"mid-frame", (*rig).midFrame},
	{"restart", (*rig).restart},
	{"outage", (*rig).outage},
	{"close", (*rig).closeTabs},
}

// How long clients get. The longest backoffs by default are 10 s.
const (
	openTime   = time.Minute     // pages load slowly on a busy machine
	liveTime   = 5 * time.Second // no heartbeat helps a late event within it
	resumeTime = 15 * time.Second
	outage     = 12 * time.Second
	outageTime = 20 * time.Second // after the outage
	settle     = 300 * time.Millisecond
	atOnce     = 5 * time.Second // before the next heartbeat
	pollEvery  = 20 * time.Millisecond
)

// run leads the clients through all phases.
func (r *rig) run(ctx context.Context) error {
	defer func() {
		for _, s := range r.seats {
			s.leave()
		}
	}()
	for i, p := range phases {
		seats := r.seats
		if i > 0 {
			seats = r.seated(ctx, i)
		}
		start := time.Now()
		p.run(r, ctx, seats, func(s *seat, c cell) {
			if c.took == 0 {
				c.took = time.Since(start)
			}
			if f := s.ledger.fault(); f != "" && c.verdict == ok {
				c.verdict = f
			}
			if c.verdict == ok && s.ledger.blankCount() > 0 {
				c.verdict = blank
			}
			if c.verdict != ok {
				c.story = s.ledger.story()
				s.leave()
			}
			s.row.cells[i] = c
		})
		if err := ctx.Err(); err != nil {
			return err
		}
		fmt.Fprintf(r.progress, "%-14s %-9s %4.1f s, %d clients\n", r.proxy.name, p.name, time.Since(start).Seconds(), len(seats))
	}
	return nil
}

// seated starts the clients anew that failed the phase before, and returns
// those that have an open stream.
func (r *rig) seated(ctx context.Context, phase int) []*seat {
	each(r.seats, func(s *seat) {
		if s.stop == nil && s.row.cells[0].verdict != refused {
			s.enter(ctx)
			if s.stop != nil && !r.live(ctx, s) {
				s.leave()
			}
		}
	})
	var ready []*seat
	for _, s := range r.seats {
		if s.stop != nil {
			ready = append(ready, s)
		} else {
			s.row.cells[phase].verdict = notRun
		}
	}
	return ready
}

// live waits until a client that has just been started hands out events.
func (r *rig) live(ctx context.Context, s *seat) bool {
	if !r.opens(ctx, s, 0, openTime) {
		return false
	}
	n := r.publish(s)
	return until(ctx, liveTime, func() bool { return s.ledger.has(n) })
}

// enter starts the client, as a new user.
func (s *seat) enter(ctx context.Context) {
	s.user, s.ledger, s.next = uuid.New(), newLedger(), 0
	stop, err := s.start(ctx, s.address(s.user.String()), s.ledger.add)
	if err != nil {
		s.ledger.add(report{What: "note", Text: err.Error()})
		return
	}
	s.stop = sync.OnceFunc(stop)
}

func (s *seat) leave() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

// opens waits until the server has opened more streams for a client than it
// had, or the client has given up.
func (r *rig) opens(ctx context.Context, s *seat, had int, within time.Duration) bool {
	var opened bool
	until(ctx, within, func() bool {
		t := r.server.tally(s.user)
		opened = t.opened > had && t.open > 0
		return opened || s.ledger.gaveUp()
	})
	return opened
}

// publish publishes the next number to a client and returns it.
func (r *rig) publish(s *seat) int { return r.send(s, payload{}) }

func (r *rig) send(s *seat, p payload) int {
	p.N, p.Text = s.next, text
	s.next++
	if err := r.server.publish(s.user, p); err != nil {
		s.ledger.add(report{What: "note", Text: err.Error()})
	}
	return p.N
}

// publishAway publishes what a client has to catch up with: more than proxies
// and compressors look at before they begin.
func (r *rig) publishAway(s *seat) (away []int) {
	for range 5 {
		away = append(away, r.send(s, payload{Fill: strings.Repeat("fill ", 400)}))
	}
	return away
}

// connect opens all streams and publishes three events, each after the one
// before has arrived.
func (r *rig) connect(ctx context.Context, seats []*seat, done func(*seat, cell)) {
	each(seats, func(s *seat) {
		s.enter(ctx)
		if s.stop == nil || !r.opens(ctx, s, 0, openTime) {
			done(s, cell{verdict: refused})
			return
		}
		start, lates := time.Now(), 0
		for range 3 {
			n := r.publish(s)
			if !until(ctx, liveTime, func() bool { return s.ledger.has(n) }) {
				lates++
			}
		}
		verdict := ok
		if lates >= 2 { // one may be a machine that is busy
			verdict = late
		}
		if lates > 0 && !until(ctx, 2*heartbeat, func() bool { return s.ledger.has(0, 1) }) {
			verdict = lost
		}
		done(s, cell{verdict: verdict, took: time.Since(start)})
	})
}

// cut breaks all connections and publishes while the clients are away.
func (r *rig) cut(ctx context.Context, seats []*seat, done func(*seat, cell), breakAll func()) {
	had := r.tallies(seats)
	breakAll()
	each(seats, func(s *seat) {
		away := r.publishAway(s)
		done(s, r.resumed(ctx, s, had[s], resumeTime, away))
	})
}

// midFrame cuts each connection in the middle of an event, with a FIN.
func (r *rig) midFrame(ctx context.Context, seats []*seat, done func(*seat, cell)) {
	had := r.tallies(seats)
	each(seats, func(s *seat) {
		mark := uuid.NewString()
		r.relay.cutAt(mark)
		broken := r.send(s, payload{Mark: mark})
		done(s, r.resumed(ctx, s, had[s], resumeTime, []int{broken}))
	})
}

// restart replaces the server by a new one, which knows nothing.
func (r *rig) restart(ctx context.Context, seats []*seat, done func(*seat, cell)) {
	had := r.tallies(seats)
	gaps := map[*seat]int{}
	for _, s := range seats {
		gaps[s] = s.ledger.gapCount()
	}
	if err := errors.Join(r.server.stop(), r.server.start()); err != nil {
		fmt.Fprintln(r.progress, "restart:", err)
	}
	r.relay.setTarget(r.server.address)
	each(seats, func(s *seat) {
		c := r.resumed(ctx, s, had[s], resumeTime, nil)
		if c.verdict == ok && !until(ctx, settle, func() bool { return s.ledger.gapCount() > gaps[s] }) {
			c.verdict = silent
		}
		done(s, c)
	})
}

// outage takes the application off the network for a while.
func (r *rig) outage(ctx context.Context, seats []*seat, done func(*seat, cell)) {
	had := r.tallies(seats)
	r.relay.down()
	away := map[*seat][]int{}
	for _, s := range seats {
		away[s] = r.publishAway(s)
	}
	sleep(ctx, outage)
	if err := r.relay.up(); err != nil {
		fmt.Fprintln(r.progress, "outage:", err)
	}
	start := time.Now()
	each(seats, func(s *seat) {
		c := r.resumed(ctx, s, had[s], outageTime, away[s])
		c.took = time.Since(start)
		done(s, c)
	})
}

// closeTabs ends the clients and waits until the server notices.
func (r *rig) closeTabs(ctx context.Context, seats []*seat, done func(*seat, cell)) {
	each(seats, func(s *seat) {
		n := r.publish(s) // so that the next heartbeat is far
		until(ctx, liveTime, func() bool { return s.ledger.has(n) })
		s.leave()
		start := time.Now() // a browser may take a while to close a tab
		c := cell{verdict: ghost}
		if until(ctx, 3*heartbeat+time.Second, func() bool { return r.server.tally(s.user).open == 0 }) {
			c.took = r.server.tally(s.user).closed.Sub(start)
			if c.verdict = byBeat; c.took < atOnce {
				c.verdict = ok
			}
		}
		done(s, c)
	})
}

// resumed waits until a client has come back, publishes one more event, and
// judges what has arrived.
func (r *rig) resumed(ctx context.Context, s *seat, had int, within time.Duration, away []int) cell {
	start := time.Now()
	if !r.opens(ctx, s, had, within) {
		return cell{verdict: stops}
	}
	c := cell{verdict: ok, took: time.Since(start)}
	n := r.publish(s)
	if !until(ctx, liveTime, func() bool { return s.ledger.has(n) }) {
		// Some come back more than once before they rest.
		n = r.publish(s)
		if !until(ctx, within-time.Since(start), func() bool { return s.ledger.has(n) }) {
			return cell{verdict: stops}
		}
		away = append(away, n-1)
	}
	sleep(ctx, settle) // for what may come twice
	if !s.ledger.has(away...) {
		c.verdict = lost
	}
	return c
}

func (r *rig) tallies(seats []*seat) map[*seat]int {
	had := map[*seat]int{}
	for _, s := range seats {
		had[s] = r.server.tally(s.user).opened
	}
	return had
}

// each runs f for all seats at once.
func each(seats []*seat, f func(*seat)) {
	var all sync.WaitGroup
	for _, s := range seats {
		all.Go(func() { f(s) })
	}
	all.Wait()
}

// until waits for a condition and reports whether it came to hold in time.
func until(ctx context.Context, within time.Duration, holds func() bool) bool {
	deadline := time.Now().Add(within)
	for !holds() {
		if time.Now().After(deadline) || ctx.Err() != nil {
			return false
		}
		time.Sleep(pollEvery)
	}
	return true
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// newRig starts everything but the clients.
func newRig(ctx context.Context, p *proxy, clients []*client, pages *pages, progress io.Writer) (*rig, func(), error) {
	s, err := newServer(pages)
	if err != nil {
		return nil, nil, err
	}
	rel, err := newRelay(s.address)
	if err != nil {
		s.stop()
		return nil, nil, err
	}
	r := &rig{proxy: p, server: s, relay: rel, progress: progress}
	host, stopProxy, err := p.start(ctx, rel.address)
	if err != nil {
		rel.down()
		s.stop()
		return nil, nil, fmt.Errorf("%s: %w", p.name, err)
	}
	r.host = host
	for _, c := range clients {
		r.seats = append(r.seats, &seat{
			client: c, ledger: newLedger(),
			address: func(user string) string { return c.address(host, user) },
			row:     row{proxy: p.name, client: c.name},
		})
	}
	return r, func() {
		stopProxy()
		rel.down()
		s.stop()
	}, nil
}
