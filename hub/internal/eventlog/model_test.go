package eventlog

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
)

var (
	modelSeed = flag.Uint64("seed", 0, "run only this schedule of the model test")
	schedules = flag.Int("schedules", 2000, "how many schedules the model test runs")
)

// TestModel runs random schedules of everything that a store can be asked for,
// with tight bounds, and holds each read against a history that forgets nothing.
// It is single-threaded, so that a seed repeats exactly; interleavings are in
// concurrent_test.go.
func TestModel(t *testing.T) {
	from, to := uint64(1), uint64(*schedules)
	if *modelSeed != 0 {
		from, to = *modelSeed, *modelSeed
	}
	var total tally
	for seed := from; seed <= to && !t.Failed(); seed++ {
		synctest.Test(t, func(t *testing.T) {
			m := newModel(t, seed)
			for range 120 {
				m.step()
			}
			m.finish()
			total.add(m.tally)
		})
	}
	t.Logf("%d schedules: %+v", to-from+1, total)
	if *modelSeed == 0 && (total.Delivered == 0 || total.Gaps == 0 || total.Superseded == 0 || total.Resumed == 0 || total.Woken == 0 || total.Found == 0) {
		t.Errorf("the schedules do not try what they are for: %+v", total)
	}
}

// A tally counts what the schedules came across.
type tally struct{ Delivered, Gaps, Superseded, Resumed, Woken, Found, Excused int }

func (a *tally) add(b tally) {
	a.Delivered += b.Delivered
	a.Gaps += b.Gaps
	a.Superseded += b.Superseded
	a.Resumed += b.Resumed
	a.Woken += b.Woken
	a.Found += b.Found
	a.Excused += b.Excused
}

// A fact is one append.
type fact struct {
	message
	keys       []Key
	item       *Item[message]
	superseded map[Key]bool // in this log, while it was still there
}

// message is what the model's store holds: the position of an item, or of a gap.
type message struct {
	position Position
	gap      bool
}

type model struct {
	t       *testing.T
	seed    uint64
	rand    *rand.Rand
	store   *Store[message]
	keys    []Key
	history []*fact
	readers []*modelReader
	tally   tally
}

// A modelReader is what the model knows of one reader.
type modelReader struct {
	*Reader[message]
	at      Position               // everything up to here is settled
	from    map[Key][2]Position    // of each followed log: retained and ephemeral from behind here
	told    map[Position]bool      // missing, and covered by a gap
	lost    map[place]bool         // missing in one log, and covered by a gap
	excused map[*ring[message]]int // gaps without a loss, for a log that was made anew
	asleep  bool
}

// A place is a position in one log.
type place struct {
	position Position
	key      Key
}

func newModel(t *testing.T, seed uint64) *model {
	r := rand.New(rand.NewPCG(seed, 0))
	m := &model{t: t, seed: seed, rand: r}
	m.keys = []Key{{}, {ID: uuid.UUID{1}}, {ID: uuid.UUID{2}}, {Name: "a"}, {Name: "b"}, {Name: "c"}}
	began := time.Now()
	entries := 1 + r.IntN(8)
	m.store = New(Config[message]{
		Categories: 3,
		Bytes:      []int64{8 << 10, 32 << 10, 1 << 20}[r.IntN(3)],
		MaxAge:     time.Duration(1+r.IntN(20)) * time.Second,
		Bounds:     func(Key) Bounds { return Bounds{Entries: entries, Bytes: 4 << 10} },
		Now:        func() int64 { return int64(time.Since(began)) },
		Gap:        func(p Position) message { return message{p, true} },
	})
	return m
}

func (m *model) errorf(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("seed %d: %s", m.seed, fmt.Sprintf(format, args...))
}

func (m *model) step() {
	r := m.any()
	switch n := m.rand.IntN(100); {
	case n < 40:
		m.append()
	case r == nil || n >= 60 && n < 70:
		m.open()
	case n < 60:
		m.read(r)
	case n < 75:
		r.Close()
		m.readers = slices.DeleteFunc(m.readers, func(o *modelReader) bool { return o == r })
	case n < 80:
		m.settle(r)
		m.setFilter(r, Categories(m.rand.IntN(8)))
	case n < 88:
		m.follow(r)
	case n < 93:
		m.find(r)
	default:
		time.Sleep(time.Duration(m.rand.IntN(8000)) * time.Millisecond)
		synctest.Wait() // the ageing timer has run
	}
}

func (m *model) any() *modelReader {
	if len(m.readers) == 0 {
		return nil
	}
	return m.readers[m.rand.IntN(len(m.readers))]
}

// append appends an item to a few logs, and checks who was signalled.
func (m *model) append() {
	id := uuid.Must(uuid.NewV7())
	item := &Item[message]{
		ID:       id,
		Category: uint8(m.rand.IntN(3)),
		Class:    Class(m.rand.IntN(classes)),
		Size:     1 + m.rand.IntN(100),
		Cost:     []int64{100, 100, 1500}[m.rand.IntN(3)],
		Time:     m.store.config.Now(),
		Rules:    &Rules{Life: 2 * time.Second},
	}
	if item.Class == Retained && m.rand.IntN(2) == 0 {
		item.Rules.Latest = []string{"x", "y"}[m.rand.IntN(2)]
	}
	if m.rand.IntN(10) == 0 { // made earlier than it is published
		ms := uint64(Millis(id) - int64(m.rand.IntN(5000)))
		for i := range 6 {
			item.ID[i] = byte(ms >> (40 - 8*i))
		}
	}
	p := m.store.Head() + 1
	if m.rand.IntN(8) == 0 {
		p += Position(m.rand.IntN(3)) // as from a backplane
	}
	item.Message = message{position: p}
	var keys []Key
	for _, i := range m.rand.Perm(len(m.keys))[:1+m.rand.IntN(3)] {
		keys = append(keys, m.keys[i])
	}
	superseded := m.superseded(item, keys)
	before := m.store.Head()
	woken, err := m.store.AppendAt(p, item, keys)
	if err != nil || m.store.Head() != p {
		m.errorf("append: %v; the head is %d, not %d", err, m.store.Head(), p)
	}
	m.tally.Woken += woken
	for k, f := range superseded {
		// The append to another of its logs may have evicted it just before.
		m.store.mu.Lock()
		e := slices.Clone(m.store.directory.lookup(k).retained.evicted)
		m.store.mu.Unlock()
		if e == nil || e[f.item.Category] != f.position {
			f.superseded[k] = true
		}
	}
	m.history = append(m.history, &fact{item.Message, keys, item, map[Key]bool{}})
	for _, r := range m.readers {
		m.checkSignal(r, before)
	}
}

// superseded returns, by log, the fact that an item is about to take the place
// of.
func (m *model) superseded(item *Item[message], keys []Key) map[Key]*fact {
	old := map[Key]*fact{}
	for _, k := range keys {
		for _, h := range m.store.Entries(k) {
			if item.latest() == "" || h.Item.latest() != item.latest() {
				continue
			}
			for _, f := range m.history {
				if f.position == h.Position {
					old[k] = f
				}
			}
		}
	}
	return old
}

// checkSignal holds a reader's signal against what it was to be woken for.
func (m *model) checkSignal(r *modelReader, before Position) {
	if !r.asleep {
		return
	}
	signalled, want := len(r.Ready()) > 0, len(m.expected(r, before)) > 0
	if signalled != want {
		m.errorf("a sleeping reader was signalled: %v; it was to be: %v", signalled, want)
	}
	r.asleep = !signalled
}

// expected returns what the reader has yet to return behind a position.
func (m *model) expected(r *modelReader, behind Position) []*fact {
	var want []*fact
	for _, f := range m.history {
		if f.position <= behind || r.told[f.position] || r.Filter()&(1<<f.item.Category) == 0 {
			continue
		}
		if slices.ContainsFunc(f.keys, func(k Key) bool { return m.wantedFrom(r, k, f) }) {
			want = append(want, f)
		}
	}
	return want
}

func (m *model) wantedFrom(r *modelReader, k Key, f *fact) bool {
	from, ok := r.from[k]
	if f.item.Class == Ephemeral {
		return ok && f.position > from[1]
	}
	return ok && f.position > from[0]
}

// optional reports whether a fact may be missing without a gap: it is ephemeral
// and gone, or superseded in each log that the reader follows.
func (m *model) optional(r *modelReader, f *fact) bool {
	if f.item.Class == Ephemeral {
		return !m.holds(r, f)
	}
	if f.item.latest() == "" {
		return false
	}
	for _, k := range f.keys {
		if m.wantedFrom(r, k, f) && !f.superseded[k] {
			return false
		}
	}
	return true
}

// supersededSomewhere reports whether a fact is superseded in one of the logs
// in which the reader wants it.
func (m *model) supersededSomewhere(r *modelReader, f *fact) bool {
	return slices.ContainsFunc(f.keys, func(k Key) bool { return m.wantedFrom(r, k, f) && f.superseded[k] })
}

// holds reports whether a log that the reader follows still holds a fact.
func (m *model) holds(r *modelReader, f *fact) bool {
	return slices.ContainsFunc(f.keys, func(k Key) bool { return m.wantedFrom(r, k, f) && m.heldIn(k, f) })
}

func (m *model) heldIn(k Key, f *fact) bool {
	return slices.ContainsFunc(m.store.Entries(k), func(h Held[message]) bool { return h.Position == f.position })
}

// read reads once, or until the reader sleeps, and checks every message.
func (m *model) read(r *modelReader) {
	select {
	case <-r.Ready():
	default:
	}
	r.Rouse()
	r.asleep = false
	head := m.store.Head()
	if m.rand.IntN(2) == 0 {
		got, wanted, ok := r.Single(head)
		if ok && wanted {
			m.take(r, got)
		}
		if ok && !wanted {
			m.settledUpTo(r, head)
		}
		if ok {
			r.at = max(r.at, head)
		}
	}
	batch, more := r.Read(nil, head, []int{1, 150, 1 << 16}[m.rand.IntN(3)])
	for _, got := range batch {
		m.take(r, got)
	}
	if more {
		return
	}
	m.settledUpTo(r, head)
	if r.Position() < head {
		m.errorf("nothing more up to %d, but the position is %d", head, r.Position())
	}
	r.at = max(r.at, head)
	if !r.Sleep(head) {
		m.errorf("nothing was appended, and the reader does not sleep")
	}
	r.asleep = len(r.Ready()) == 0 // a Wake while it was awake ends its sleep at once
}

// settledUpTo checks that nothing is missing up to a position.
func (m *model) settledUpTo(r *modelReader, p Position) {
	for _, f := range m.expected(r, r.at) {
		if f.position <= p && !m.optional(r, f) && !m.supersededSomewhere(r, f) {
			m.errorf("position %d is lost without a gap; %+v", f.position, *f.item)
		}
	}
}

// take checks one message that was read.
func (m *model) take(r *modelReader, got message) {
	if got.gap {
		m.gap(r, got.position)
		return
	}
	m.tally.Delivered++
	for _, f := range m.expected(r, r.at) {
		if f.position == got.position {
			r.at = f.position
			return
		}
		if !m.optional(r, f) && !m.supersededSomewhere(r, f) {
			m.errorf("position %d was passed over for %d", f.position, got.position)
		}
		m.tally.Superseded++
	}
	m.errorf("position %d is doubled, out of order, or not wanted", got.position)
}

// gap checks that something wanted is really gone, and that nothing is passed
// that is still there.
func (m *model) gap(r *modelReader, end Position) {
	m.tally.Gaps++
	if end < r.at {
		m.errorf("a gap goes back from %d to %d", r.at, end)
	}
	lost := 0
	for _, f := range m.history {
		if f.position <= r.at || f.item.Class == Ephemeral || r.Filter()&(1<<f.item.Category) == 0 {
			continue
		}
		// An item that is in several logs may be evicted from one of them
		// first. That is a gap, although the item follows.
		for _, k := range f.keys {
			if at := (place{f.position, k}); m.wantedFrom(r, k, f) && !m.heldIn(k, f) && !f.superseded[k] && !r.lost[at] {
				r.lost[at] = true
				lost++
			}
		}
		switch held := m.holds(r, f); {
		case !held:
			r.told[f.position] = true
		case f.position <= end && !r.told[f.position] && !m.supersededSomewhere(r, f):
			m.errorf("a gap up to %d swallows position %d", end, f.position)
		}
	}
	if lost == 0 && !m.excuse(r) {
		m.errorf("a false gap from %d to %d", r.at, end)
	}
	r.at = end
}

// excuse reports whether a log was made anew, so that nobody knows what it had
// lost. That is an excuse for one gap for each ring.
func (m *model) excuse(r *modelReader) bool {
	for _, f := range r.follows {
		for _, ring := range []*ring[message]{&f.log.retained, f.log.shortLived.Load()} {
			if ring != nil && ring.floor > r.at && r.excused[ring] == 0 {
				r.excused[ring]++
				m.tally.Excused++
				return true
			}
		}
	}
	return false
}

// open opens a reader: at the head, at an earlier position, or at the oldest.
func (m *model) open() {
	r := &modelReader{
		Reader:  new(Reader[message]),
		from:    map[Key][2]Position{},
		told:    map[Position]bool{},
		lost:    map[place]bool{},
		excused: map[*ring[message]]int{},
	}
	r.Init(nil)
	r.SetFilter(Categories(1 + m.rand.IntN(7)))
	keys := []Key{m.keys[1+m.rand.IntN(2)], {}}
	head := m.store.Open(r.Reader, keys...)
	switch m.rand.IntN(3) {
	case 0:
		r.at = head
		r.Start(head)
	case 1:
		m.tally.Resumed++
		r.at = Position(m.rand.IntN(int(head + 1)))
		r.Start(r.at)
	case 2:
		r.StartAtOldest()
		for _, f := range m.history { // what is not there is no gap
			if f.item.Class != Ephemeral && slices.ContainsFunc(keys, func(k Key) bool { return slices.Contains(f.keys, k) }) {
				r.told[f.position] = !slices.ContainsFunc(keys, func(k Key) bool { return m.heldIn(k, f) })
				for _, k := range keys {
					r.lost[place{f.position, k}] = !m.heldIn(k, f)
				}
			}
		}
		r.at = r.Position()
	}
	for _, k := range keys {
		r.from[k] = [2]Position{0, head}
	}
	m.readers = append(m.readers, r)
}

// follow adds a log to a reader or takes one away.
func (m *model) follow(r *modelReader) {
	k := m.keys[3+m.rand.IntN(3)]
	m.settle(r)
	if _, ok := r.from[k]; ok {
		if !r.Unfollow(k) {
			m.errorf("a log that is followed cannot be unfollowed")
		}
		delete(r.from, k)
		for _, f := range m.history { // only this log still held it; the others' gap was told
			if !m.holds(r, f) && slices.ContainsFunc(f.keys, func(k Key) bool { return r.lost[place{f.position, k}] }) {
				r.told[f.position] = true
			}
		}
	} else {
		if !r.Follow(k) {
			m.errorf("a log cannot be followed")
		}
		from := r.Position()
		r.from[k] = [2]Position{from, m.store.Head()}
		for _, f := range m.history { // what it has lost before is no gap
			if f.item.Class == Ephemeral || !slices.Contains(f.keys, k) || f.position <= from {
				continue
			}
			if m.heldIn(k, f) {
				delete(r.told, f.position)
				continue
			}
			r.lost[place{f.position, k}] = true
			if !slices.ContainsFunc(f.keys, func(other Key) bool { return other != k && m.wantedFrom(r, other, f) }) {
				r.told[f.position] = true
			}
		}
	}
	r.Wake()
	r.asleep = false
}

// settle moves the model's reader to the position of the real one, after
// checking that nothing wanted lies between.
func (m *model) settle(r *modelReader) {
	if r.Position() < r.at {
		m.errorf("the position is %d although %d was returned", r.Position(), r.at)
	}
	m.settledUpTo(r, r.Position())
	r.at = r.Position()
}

// setFilter changes the filter. What is missing of the categories that are
// wanted only now must be told, even if a gap was told before.
func (m *model) setFilter(r *modelReader, wanted Categories) {
	added := wanted &^ r.Filter()
	before := map[*follow[message]][classes]Position{}
	for _, f := range r.follows {
		before[f] = f.from
	}
	r.SetFilter(wanted)
	// Where a gap will be told again, it may be for the other categories too.
	for _, l := range r.follows {
		for _, f := range m.history {
			if c := f.item.Class; l.from[c] != before[l][c] && f.position > l.since[c] && slices.Contains(f.keys, l.log.key) {
				delete(r.lost, place{f.position, l.log.key})
			}
		}
	}
	for _, f := range m.history {
		if f.position <= r.Position() || added&(1<<f.item.Category) == 0 || f.item.Class == Ephemeral {
			continue
		}
		for _, k := range f.keys {
			l := m.store.directory.lookup(k)
			if !m.wantedFrom(r, k, f) || l == nil || m.heldIn(k, f) || f.superseded[k] {
				continue
			}
			since := r.follows[r.find(k)].since[f.item.Class]
			if ring := l.ring(f.item.Class); ring != nil && f.position > max(ring.floor, since) {
				delete(r.told, f.position)
				delete(r.lost, place{f.position, k})
			}
		}
	}
}

// find looks for ids of the history.
func (m *model) find(r *modelReader) {
	if len(m.history) == 0 {
		return
	}
	f := m.history[len(m.history)-1-m.rand.IntN(min(len(m.history), 30))]
	var want Position
	for _, l := range r.follows {
		for _, h := range m.store.Entries(l.log.key) {
			if h.Item.ID == f.item.ID && h.Item.Class != Ephemeral {
				want = h.Position
			}
		}
	}
	got, ok := r.Find(f.item.ID)
	if want != 0 && (!ok || got != want) {
		m.errorf("position %d is found: %v, at %d", want, ok, got)
	}
	if ok && got != f.position {
		m.errorf("position %d is found at %d", f.position, got)
	}
	if ok {
		m.tally.Found++
	}
	if _, ok := r.Find(uuid.Must(uuid.NewV7())); ok {
		m.errorf("an id that does not exist is found")
	}
}

// finish reads what is left and closes everything. Nothing may remain.
func (m *model) finish() {
	for _, r := range m.readers {
		for !r.asleep {
			m.read(r)
		}
		r.Close()
	}
	time.Sleep(3 * m.store.config.MaxAge)
	synctest.Wait()
	if got, want := m.store.Usage(), (Usage{Logs: 1}); got != want {
		m.errorf("left are %+v", got)
	}
	m.store.Close()
	if _, err := m.store.Append(&Item[message]{}, []Key{{}}); err != ErrClosed {
		m.errorf("append after Close: %v", err)
	}
}
