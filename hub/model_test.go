package hub

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub/internal/eventlog"
)

var (
	modelSeed = flag.Uint64("seed", 0, "run only this schedule of the model test")
	schedules = flag.Int("schedules", 2000, "how many schedules the model test runs")
)

// TestModel runs random schedules of everything that a hub can be asked for,
// with tight bounds, and holds each Take against a history that forgets
// nothing. It is single-threaded, so that a seed repeats exactly; what is left
// to interleavings is in TestConcurrent.
func TestModel(t *testing.T) {
	from, to := uint64(1), uint64(*schedules)
	if *modelSeed != 0 {
		from, to = *modelSeed, *modelSeed
	}
	var total tally
	for seed := from; seed <= to && !t.Failed(); seed++ {
		synctest.Test(t, func(t *testing.T) {
			m := newModel(t, seed)
			for range 80 {
				m.step()
			}
			m.finish()
			total.add(m.tally)
		})
	}
	t.Logf("%d schedules: %+v", to-from+1, total)
	if *modelSeed == 0 && (total.Delivered == 0 || total.Evicted == 0 || total.Unknown == 0 || total.Resumed == 0) {
		t.Errorf("the schedules do not try what they are for: %+v", total)
	}
}

// A tally counts what the schedules came across. What must not happen is an
// error at once, and has no number.
type tally struct{ Published, Delivered, Evicted, Unknown, Resumed, Excused int }

func (a *tally) add(b tally) {
	a.Published += b.Published
	a.Delivered += b.Delivered
	a.Evicted += b.Evicted
	a.Unknown += b.Unknown
	a.Resumed += b.Resumed
	a.Excused += b.Excused
}

// A fact is one publish as it concerns one user, or everyone.
type fact struct {
	position  position
	user      uuid.UUID // nil: everyone
	category  uint8
	ephemeral bool
	id        uuid.UUID
}

type model struct {
	t       *testing.T
	seed    uint64
	rand    *rand.Rand
	hub     *Hub
	history []fact
	users   []uuid.UUID
	streams []*modelStream
	ids     []string // what clients may resume from: ids and cursors that they have seen
	tally   tally
}

// A modelStream is what the model knows of one subscription.
type modelStream struct {
	*Subscription
	user       uuid.UUID
	opened     position          // ephemeral events count from here
	at         position          // everything up to here is settled: delivered, or told as lost
	filter     categorySet       // in force
	told       map[position]bool // lost, and covered by a gap
	unknown    bool              // a gap of reason unknown must come first
	asleep     bool              // its last Take was empty
	over       Reason
	until      position // what was published up to here may be taken after the end
	draining   bool
	refiltered bool // since its last gap
	excused    bool // had the one gap that it may have without a loss
}

func newModel(t *testing.T, seed uint64) *model {
	r := rand.New(rand.NewPCG(seed, 0))
	m := &model{t: t, seed: seed, rand: r, users: []uuid.UUID{{1}, {2}, {3}}}
	m.hub = New(&kinds, &Options{
		UserEvents:      1 + r.IntN(6),
		BroadcastEvents: 1 + r.IntN(8),
		MaxAge:          time.Duration(1+r.IntN(20)) * time.Second,
		Bytes:           []int64{24 << 10, 64 << 10, 1 << 20}[r.IntN(3)],
		StreamsPerUser:  2 + r.IntN(3),
		RefuseNewest:    r.IntN(2) == 0,
	})
	return m
}

func (m *model) errorf(format string, args ...any) {
	m.t.Helper()
	m.t.Errorf("seed %d: %s", m.seed, fmt.Sprintf(format, args...))
	m.t.FailNow()
}

func (m *model) step() {
	switch n := m.rand.IntN(100); {
	case n < 35:
		m.publish()
	case n < 65:
		if s := m.anyStream(); s != nil {
			m.take(s)
		}
	case n < 80:
		m.subscribe()
	case n < 85:
		if s := m.anyStream(); s != nil {
			m.close(s)
		}
	case n < 90:
		if s := m.anyStream(); s != nil && s.over == "" {
			m.setFilter(s)
		}
	case n < 94:
		if s := m.anyStream(); s != nil && s.over == "" {
			m.cursor(s)
		}
	case n < 95:
		m.revoke()
	default:
		time.Sleep(time.Duration(m.rand.IntN(8000)) * time.Millisecond)
		synctest.Wait() // the ageing timer has run
	}
	m.ids = append(m.ids, m.hub.Cursor())
}

// publish publishes something to somebody, and notes at which positions.
func (m *model) publish() {
	kind := []event.Kind[string]{note, alert, typing}[m.rand.IntN(3)]
	payload := strings.Repeat("x", []int{1, 1, 1, 1500}[m.rand.IntN(4)])
	if m.hub.options.Bytes == 1<<20 && m.rand.IntN(3) == 0 {
		payload = strings.Repeat("x", 30_000) // so that a Take does not get all
	}
	user := m.users[m.rand.IntN(len(m.users))]
	e := made(kind, user, payload)
	before := m.hub.store.Head()
	targets := []uuid.UUID{user}
	var err error
	switch m.rand.IntN(4) {
	case 0:
		targets = []uuid.UUID{uuid.Nil}
		err = m.hub.Broadcast(context.Background(), e)
	case 1:
		targets = slices.Clone(m.users[:1+m.rand.IntN(len(m.users))])
		err = m.hub.PublishTo(context.Background(), e, Users(append(targets, targets[0])...)...)
	default:
		err = m.hub.Publish(context.Background(), e)
	}
	if err != nil {
		m.errorf("publish: %v", err)
	}
	m.tally.Published++
	p := before + 1
	for _, target := range targets {
		if e.Ephemeral() && !m.listening(target) {
			continue
		}
		f := fact{p, target, m.hub.kinds.byType[e.Type()].category, e.Ephemeral(), e.ID()}
		m.history = append(m.history, f)
	}
	if head := m.hub.store.Head(); head != p {
		m.errorf("the head moved from %d to %d, not to %d", before, head, p)
	}
	for _, s := range m.streams {
		m.checkSignal(s, before)
	}
}

// listening reports whether anybody hears what is published to target.
func (m *model) listening(target uuid.UUID) bool {
	for _, s := range m.streams {
		if target == uuid.Nil || s.user == target {
			return true
		}
	}
	return false
}

// checkSignal holds a stream's signal against what it was to be woken for.
func (m *model) checkSignal(s *modelStream, since position) {
	signalled := len(s.Ready()) > 0
	if !s.asleep || s.over != "" {
		return // it may have been signalled, or not: it will take anyway
	}
	wanted := slices.ContainsFunc(m.history, func(f fact) bool { return f.position > since && m.wants(s, f) })
	if signalled != wanted {
		m.errorf("a sleeping stream was signalled: %v; it was to be: %v", signalled, wanted)
	}
	if signalled {
		s.asleep = false
	}
}

// expected returns what the stream has yet to hear, behind a position.
func (m *model) expected(s *modelStream, behind position) []fact {
	var want []fact
	for _, f := range m.history {
		if f.position > behind && m.wants(s, f) && !s.told[f.position] && (!f.ephemeral || m.retains(f)) {
			want = append(want, f)
		}
	}
	return want
}

// wants reports whether a fact is for the stream, and was not before it began.
func (m *model) wants(s *modelStream, f fact) bool {
	return (f.user == uuid.Nil || f.user == s.user) && s.filter&(1<<f.category) != 0 && (!f.ephemeral || f.position > s.opened)
}

// take takes once and checks every message.
func (m *model) take(s *modelStream) {
	select {
	case <-s.Ready():
	default:
	}
	batch, err := s.Take(nil)
	if err != nil || s.over != "" && !s.draining {
		if err != error(s.over) || len(batch) > 0 {
			m.errorf("an ended stream: got %v and %d messages, want %q", err, len(batch), s.over)
		}
		for _, f := range m.expected(s, s.at) {
			if f.position <= s.until {
				m.errorf("position %d was published before the stream ended, and is lost", f.position)
			}
		}
		return
	}
	if s.unknown {
		s.unknown = false
		m.tally.Unknown++
		if len(batch) == 0 || text(batch[0]) != gapUnknown {
			m.errorf("no gap for an unknown id")
		}
		batch = batch[1:]
		if len(batch) == 0 {
			return
		}
	}
	caughtUp := len(batch) == 0
	s.asleep = caughtUp && len(s.Ready()) == 0 // a change of filter may signal once more than needed
	for _, msg := range batch {
		switch {
		case msg.Event() != nil:
			m.delivered(s, msg)
		case text(msg) == gapEvicted:
			m.gap(s, msg)
		case msg.Type() == TypeFilter:
		default:
			m.errorf("an unexpected %s", text(msg))
		}
		if msg.Event() == nil || !msg.Event().Ephemeral() {
			m.ids = append(m.ids, msg.ID().String())
		}
	}
	if caughtUp {
		if left := m.expected(s, s.at); len(left) > 0 {
			m.errorf("lost without a word: %+v", left)
		}
		s.at = m.hub.store.Head()
	}
	if s.over != "" && s.at > s.until {
		m.errorf("an ended stream was given position %d, which was published after its end at %d", s.at, s.until)
	}
}

// delivered checks that an event is the very next that was expected. An
// ephemeral one may come although the hub does not keep it any more.
func (m *model) delivered(s *modelStream, msg *Message) {
	m.tally.Delivered++
	for _, f := range m.history {
		switch {
		case f.position <= s.at || !m.wants(s, f) || s.told[f.position]:
		case f.id == msg.ID():
			s.at = f.position
			return
		case !f.ephemeral || m.retains(f):
			m.errorf("event %v is doubled, out of order, or not meant for this stream; or position %d is lost without a word", msg.ID(), f.position)
		}
	}
	m.errorf("event %v is doubled, out of order, or not meant for this stream", msg.ID())
}

// gap checks that something wanted is really gone; all that is gone is told.
func (m *model) gap(s *modelStream, msg *Message) {
	m.tally.Evicted++
	end, _, ours := m.hub.cursors.Load().decode(msg.ID())
	if !ours || end < s.at {
		m.errorf("the cursor after a gap is %d; the stream is at %d", end, s.at)
	}
	lost := 0
	for _, f := range m.expected(s, s.at) {
		if !m.retains(f) {
			s.told[f.position] = true
			lost++
		} else if f.position <= end {
			m.errorf("a gap up to %d swallows position %d, which is retained", end, f.position)
		}
	}
	switch {
	case lost > 0:
	case m.hub.store.Floor() > s.at && !s.excused:
		s.excused = true // the user's log was made anew: nobody knows
		m.tally.Excused++
	case s.refiltered: // what is missing of the new categories may be missing of the old ones too
		s.refiltered = false
	default:
		m.errorf("a false gap from %d to %d", s.at, end)
	}
	s.at = end
}

func (m *model) retains(f fact) bool {
	return slices.ContainsFunc(m.hub.store.Entries(eventlog.Key{ID: f.user}), func(h eventlog.Held[*Message]) bool {
		return h.Position == f.position
	})
}

func (m *model) anyFilter() (Filter, categorySet) {
	set := categorySet(m.rand.IntN(8))
	if set == 0 {
		set = 7
	}
	return Categories(m.hub.kinds.names(set)...), set
}

func (m *model) subscribe() {
	user := m.users[m.rand.IntN(len(m.users))]
	filter, set := m.anyFilter()
	allowed, allowedSet := Everything(), categorySet(7)
	if m.rand.IntN(4) == 0 {
		allowed, allowedSet = m.anyFilter()
	}
	after := ""
	switch n := m.rand.IntN(10); {
	case n < 7 && len(m.ids) > 0:
		after = m.ids[len(m.ids)-1-m.rand.IntN(min(len(m.ids), 40))]
	case n == 7:
		after = []string{"garbage", uuid.NewString(), newCursorCodec().encode(3).String()}[m.rand.IntN(3)]
	}
	head := m.hub.store.Head()
	where := m.place(user, after, head)

	live := 0
	var oldest *modelStream
	for _, s := range m.streams {
		if s.user == user && s.over == "" {
			if live++; oldest == nil {
				oldest = s
			}
		}
	}
	sub, err := m.hub.Subscribe(Request{Session: Session{User: user, Allowed: allowed, ID: "s"}, Filter: filter, After: after})
	full := live >= m.hub.options.StreamsPerUser
	if full && (m.hub.options.RefuseNewest || !m.hub.parseLastID(after).fresh) {
		if err != error(ReasonOverloaded) {
			m.errorf("stream %d of a user: got %v", live+1, err)
		}
		return
	}
	if err != nil {
		m.errorf("subscribe: %v", err)
	}
	if full {
		oldest.over = ReasonOverloaded
	}
	if after != "" {
		m.tally.Resumed++
	}
	s := &modelStream{Subscription: sub, user: user, opened: head, at: where.after, filter: set & allowedSet, unknown: where.unknown, told: map[position]bool{}}
	if where.retained {
		// All that is retained is new to it; what is not, is in the gap.
		for _, f := range m.history {
			if f.user == uuid.Nil || f.user == user {
				s.told[f.position] = !m.retains(f)
			}
		}
	}
	m.streams = append(m.streams, s)
}

// place says where a client with this id is to start: by its own look at the
// history, except for whether an event's id is still retained.
func (m *model) place(user uuid.UUID, after string, head position) start {
	if after == "" {
		return start{after: head}
	}
	id, err := uuid.Parse(after)
	switch {
	case err != nil:
		return start{after: head, unknown: true}
	case id.Version() == 8:
		p, _, ours := m.hub.cursors.Load().decode(id)
		switch {
		case !ours:
			return start{unknown: true, retained: true}
		case p > head:
			return start{after: head, unknown: true}
		}
		return start{after: p}
	}
	for _, f := range m.history {
		if f.id == id && !f.ephemeral && (f.user == uuid.Nil || f.user == user) && m.retains(f) {
			return start{after: f.position}
		}
	}
	return start{after: head, unknown: true}
}

func (m *model) setFilter(s *modelStream) {
	f, set := m.anyFilter()
	if err := s.SetFilter(f); err != nil {
		m.errorf("SetFilter: %v", err)
	}
	// It holds from the first wanted thing that has not been taken.
	m.settle(s)
	s.filter, s.refiltered = set&s.allowed, true
	s.asleep = false
}

// settle moves the model's stream to where Cursor stands, after checking that
// nothing wanted lies between.
func (m *model) settle(s *modelStream) {
	p := s.reader.Position()
	if p < s.at {
		m.errorf("the cursor is at %d although the stream has got %d", p, s.at)
	}
	for _, f := range m.expected(s, s.at) {
		if f.position <= p {
			m.errorf("the cursor %d is past position %d, which was not taken", p, f.position)
		}
	}
	s.at = p
}

func (m *model) cursor(s *modelStream) {
	cursor := s.Cursor()
	m.ids = append(m.ids, cursor)
	if !s.unknown {
		m.settle(s)
	} else if again := m.place(s.user, cursor, m.hub.store.Head()); !again.unknown {
		m.errorf("a client that was not told of an unknown gap yet holds a cursor that is not unknown")
	}
}

func (m *model) revoke() {
	user := m.users[m.rand.IntN(len(m.users))]
	m.hub.RevokeUser(context.Background(), user)
	for _, s := range m.streams {
		if s.user == user && s.over == "" {
			s.over, s.until, s.draining = ReasonRevoked, m.hub.store.Head(), true
		}
	}
	time.Sleep(time.Nanosecond) // who is authenticated from here on is let in
}

func (m *model) anyStream() *modelStream {
	if len(m.streams) == 0 {
		return nil
	}
	return m.streams[m.rand.IntN(len(m.streams))]
}

func (m *model) close(s *modelStream) {
	s.Close()
	for i := range m.streams {
		if m.streams[i] == s {
			m.streams = append(m.streams[:i], m.streams[i+1:]...)
			return
		}
	}
}

// finish takes what is left, and shuts down: nothing may remain.
func (m *model) finish() {
	for _, s := range m.streams {
		for s.over == "" && !s.asleep {
			m.take(s)
		}
	}
	for len(m.streams) > 0 {
		m.close(m.streams[0])
	}
	if err := m.hub.Shutdown(m.t.Context()); err != nil {
		m.errorf("shutdown: %v", err)
	}
	if _, err := m.hub.Subscribe(Request{Session: Session{User: m.users[0], Allowed: Everything()}, Filter: Everything()}); err != ErrClosed {
		m.errorf("subscribe after shutdown: %v", err)
	}
	if err := m.hub.Broadcast(context.Background(), made(note, uuid.Nil, "")); err != ErrClosed {
		m.errorf("broadcast after shutdown: %v", err)
	}
}
