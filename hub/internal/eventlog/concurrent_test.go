package eventlog

import (
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"
)

// user is the key of a log that a few tests use.
var user = Key{ID: uuid.UUID{1}}

// newStore returns a store whose logs hold a number of entries. Its messages are
// the numbers that appendTo was given, and zero for a gap.
func newStore(entries int) *Store[int] {
	began := time.Now()
	return New(Config[int]{
		Categories: 1,
		Bytes:      1 << 30,
		MaxAge:     time.Hour,
		Bounds:     func(Key) Bounds { return Bounds{Entries: entries, Bytes: 1 << 30} },
		Now:        func() int64 { return int64(time.Since(began)) },
		Gap:        func(Position) int { return 0 },
	})
}

func appendTo(t testing.TB, s *Store[int], message int, keys ...Key) {
	t.Helper()
	item := &Item[int]{Message: message, ID: uuid.Must(uuid.NewV7()), Size: 1, Cost: 1, Time: s.config.Now()}
	if _, err := s.Append(item, keys); err != nil {
		t.Fatal(err)
	}
}

// opened returns a reader of the log of user, and of everyone's, from now on.
func opened(s *Store[int]) *Reader[int] {
	r := new(Reader[int])
	r.Init(nil)
	r.SetFilter(1)
	r.Start(s.Open(r, user, Key{}))
	return r
}

// An item that is appended while a reader goes to sleep must wake it: by a
// signal if the publisher saw it asleep, else by its own second look.
func TestSleepLooksAtTheHeadOnceMore(t *testing.T) {
	s := newStore(10)
	r := opened(s)
	head := s.Head()
	appendTo(t, s, 1, user)
	if r.Sleep(head) {
		t.Error("asleep for ever: something had come, and it went to sleep")
	}
}

// The head never runs ahead of the logs: a reader that believes it would go past
// what is about to be appended.
func TestHeadFollowsTheLogs(t *testing.T) {
	for _, key := range []Key{user, {}} {
		s := newStore(1)
		appendTo(t, s, 1, key) // the next must evict this one first
		before := s.Head()
		l := s.directory.lookup(key)
		l.mu.RLock() // holds that up
		appended := make(chan struct{})
		go func() {
			defer close(appended)
			appendTo(t, s, 2, key)
		}()
		for l.mu.TryRLock() { // until the publisher waits for it
			l.mu.RUnlock()
			runtime.Gosched()
		}
		if head := s.Head(); head != before {
			t.Errorf("%v: the head is at %d before the log is", key, head)
		}
		l.mu.RUnlock()
		<-appended
	}
}

// A reader goes no further than the head that it loaded first, whatever the logs
// hold by the time it looks into them: a log that it has looked at may just have
// got something older.
func TestReadStopsAtTheHead(t *testing.T) {
	for before := range 3 { // appended up to the head
		s := newStore(10)
		r := opened(s)
		for range before {
			appendTo(t, s, 1, user)
		}
		head := s.Head()
		appendTo(t, s, 2, Key{})
		if m, wanted, ok := r.Single(head); ok && wanted && m == 2 {
			t.Errorf("it takes an item beyond the head, %d", head)
		}
		batch, _ := r.Read(nil, head, 1<<10)
		if len(batch) > before || r.Position() != head {
			t.Errorf("%d messages, up to position %d: it read beyond the head, %d", len(batch), r.Position(), head)
		}
		if batch, _ := r.Read(nil, s.Head(), 1<<10); len(batch) != 1 || batch[0] != 2 {
			t.Errorf("then it reads %v", batch)
		}
	}
}

// A reader that goes to sleep while an append clears its bit, because it was
// awake a moment ago, relies on a bit that is about to go. So does a new reader
// in the slot of one that was closed meanwhile.
func TestSleepWhileBitIsCleared(t *testing.T) {
	for name, sleep := range map[string]func(s *Store[int], r *Reader[int]) *Reader[int]{
		"the same": func(s *Store[int], r *Reader[int]) *Reader[int] {
			r.Sleep(s.Head())
			return r
		},
		"another": func(s *Store[int], r *Reader[int]) *Reader[int] {
			slot := r.follows[1].slot
			r.Close()
			r = opened(s)
			if r.follows[1].slot != slot {
				t.Fatalf("the new reader has slot %d, not %d", r.follows[1].slot, slot)
			}
			r.Sleep(s.Head())
			return r
		},
	} {
		s := newStore(10)
		for range listedAtMost { // so that there is an index
			opened(s)
		}
		r := opened(s)
		r.Sleep(s.Head())
		r.wakeSleeping()
		<-r.Ready() // it is awake and marked, and an append has just seen that
		r = sleep(s, r)
		slot := r.follows[1].slot
		s.everyone.readers.index.Load().all()[0].unmark(int(slot/64), 1<<(slot%64))
		if r.Asleep() {
			t.Fatalf("%s: asleep for ever: it is not marked and was not woken", name)
		}
		<-r.Ready()
		r.Read(nil, s.Head(), 1)
		r.Sleep(s.Head())
		appendTo(t, s, 1, Key{})
		if len(r.Ready()) == 0 {
			t.Errorf("%s: asleep for ever: it is not marked again", name)
		}
	}
}

// A log that gets many readers changes from a list to an index while they sleep.
func TestManyReadersAreAllWoken(t *testing.T) {
	s := newStore(10)
	var readers []*Reader[int]
	for n := range 3 * listedAtMost {
		r := opened(s)
		r.Sleep(s.Head())
		readers = append(readers, r)
		appendTo(t, s, n, user)
		for i, r := range readers {
			select {
			case <-r.Ready():
			default:
				t.Fatalf("reader %d of %d was not woken", i, len(readers))
			}
			r.Read(nil, s.Head(), 1<<10)
			r.Sleep(s.Head())
		}
	}
}

// A store that is dropped without Close is collected, although its timer is set.
func TestDroppedStoreIsCollected(t *testing.T) {
	collected := make(chan struct{})
	func() {
		s := newStore(10)
		appendTo(t, s, 1, user)
		runtime.AddCleanup(s, func(struct{}) { close(collected) }, struct{}{})
	}()
	for range 100 {
		runtime.GC()
		select {
		case <-collected:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Error("the timer holds the store")
}

// A ring that once had a burst gives the memory back.
func TestRingShrinks(t *testing.T) {
	s := newStore(1000)
	for n := range 1000 {
		appendTo(t, s, n, user)
	}
	l := s.directory.lookup(user)
	s.mu.Lock()
	for l.retained.len() > 10 {
		s.evictOldest(&s.kept[Retained], Retained)
	}
	s.mu.Unlock()
	if n := len(*l.retained.slots.Load()); n > 64 {
		t.Errorf("%d slots for %d entries", n, l.retained.len())
	}
	held := s.Entries(user)
	if len(held) != 10 || held[0].Item.Message != 990 {
		t.Errorf("%d entries, from %v on", len(held), held[0].Item.Message)
	}
}

// A client whose last event was superseded meanwhile resumes from it all the
// same.
func TestFindSupersededItem(t *testing.T) {
	s := newStore(10)
	r := opened(s)
	var ids []uuid.UUID
	for n := range 12 {
		item := &Item[int]{Message: n, ID: uuid.Must(uuid.NewV7()), Size: 1, Cost: 1, Rules: &Rules{Latest: "balance"}}
		ids = append(ids, item.ID)
		if _, err := s.Append(item, []Key{user}); err != nil {
			t.Fatal(err)
		}
	}
	for n, id := range ids {
		if p, ok := r.Find(id); !ok || p != Position(n+1) {
			t.Errorf("item %d is not found where it was: %d, %v", n, p, ok)
		}
	}
	if batch, _ := r.Read(nil, s.Head(), 1<<10); len(batch) != 1 || batch[0] != 11 {
		t.Errorf("it reads %v, and not just the latest", batch)
	}
}

// Looking up an id looks at few entries, whether the id exists or not, even if
// many were published in between.
func BenchmarkFind(b *testing.B) {
	s := newStore(1 << 20)
	var first uuid.UUID
	for n := range 100_000 {
		item := &Item[int]{Message: n, ID: uuid.Must(uuid.NewV7()), Size: 1, Cost: 1}
		if n == 0 {
			first = item.ID
		}
		if _, err := s.Append(item, []Key{{}}); err != nil {
			b.Fatal(err)
		}
	}
	r := opened(s)
	unknown := first
	unknown[15]++
	for name, id := range map[string]uuid.UUID{"honest": first, "hostile": unknown} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, ok := r.Find(id); ok != (name == "honest") {
					b.Fatal("found, or not")
				}
			}
		})
	}
}
