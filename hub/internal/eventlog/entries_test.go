package eventlog

import (
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/google/uuid"
)

// Who looks at all logs lets others make logs meanwhile.
func TestEachLetsWritersIn(t *testing.T) {
	const logs = 5 * atOnce
	s := newStore(10)
	defer s.Close()
	d := &s.directory
	for n := range logs {
		d.get(s, numbered(n))
	}
	made := make(chan struct{})
	seen := map[Key]int{}
	late := 0 // seen after the log was made
	d.each(func(l *Log[int]) {
		if len(seen) == 0 {
			go func() {
				d.get(s, numbered(-1))
				close(made)
			}()
			for d.mu.TryRLock() { // until the other waits for the lock
				d.mu.RUnlock()
				runtime.Gosched()
			}
		}
		seen[l.key]++
		select {
		case <-made:
			late++
		default:
		}
	})
	<-made
	if late == 0 {
		t.Error("the other had to wait until all logs had been seen")
	}
	for n := range logs {
		if seen[numbered(n)] != 1 {
			t.Fatalf("log %d was seen %d times", n, seen[numbered(n)])
		}
	}
	if keys := s.Keys(); len(keys) != logs+2 || s.Readers(user) != 0 {
		t.Errorf("%d keys, %d readers", len(keys), s.Readers(user))
	}
}

func numbered(n int) Key {
	id := uuid.UUID{1}
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return Key{ID: id}
}

// Entries are complete and in order whatever the number of times that others get the
// lock, also if the log is compacted meanwhile.
func TestEntriesInParts(t *testing.T) {
	const n = 3*atOnce + 1
	s := newStore(n)
	defer s.Close()
	for i := range n {
		appendTo(t, s, i, user)
	}
	check := func(held []Held[int]) {
		t.Helper()
		for i, one := range held {
			if one.Item.Message != i {
				t.Fatalf("entry %d is %d", i, one.Item.Message)
			}
		}
		if len(held) != n {
			t.Errorf("got %d entries", len(held))
		}
	}
	check(s.Entries(user))
	if held := s.Entries(numbered(7)); held != nil {
		t.Errorf("%d entries of a log that does not exist", len(held))
	}

	l, head := s.directory.lookup(user), s.Head()
	held, last, more := s.entriesAfter(nil, l, Retained, 0, head)
	if len(held) != atOnce || !more {
		t.Errorf("%d entries at once, more: %t", len(held), more)
	}
	s.mu.Lock()
	l.mu.Lock()
	l.retained.pop(1)
	l.retained.compact() // numbers begin with zero again
	l.mu.Unlock()
	s.mu.Unlock()
	for more {
		held, last, more = s.entriesAfter(held, l, Retained, last, head)
	}
	check(held)
}
