package eventlog

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
)

// There is one timer for all classes. It is set for what is too old first,
// whichever class that is of, and whenever it was appended.
func TestEachClassAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(10)
		defer s.Close()
		add := func(c Class) {
			item := &Item[int]{ID: uuid.Must(uuid.NewV7()), Class: c, Size: 1, Cost: 1, Time: s.config.Now(), Rules: &Rules{Life: time.Minute}}
			if _, err := s.Append(item, []Key{user}); err != nil {
				t.Fatal(err)
			}
		}
		holds := func(want int) {
			t.Helper()
			synctest.Wait()
			if got := s.Usage().Entries; got != want {
				t.Errorf("it holds %d entries, not %d: some are too old", got, want)
			}
		}
		add(Retained) // for an hour
		add(ShortLived)
		time.Sleep(30 * time.Second)
		add(ShortLived)
		holds(3)
		time.Sleep(31 * time.Second)
		holds(2)
		time.Sleep(30 * time.Second)
		holds(1)
		time.Sleep(time.Hour)
		holds(0)
	})
}

// An item that is larger than all there is room for evicts the others and stays,
// so that those who follow get it.
func TestLargeItemDoesNotEvictItself(t *testing.T) {
	for class := range Class(classes) {
		s := newStore(10)
		r := opened(s)
		for n, cost := range []int64{1, s.kept[class].limit + 1} {
			item := &Item[int]{Message: n + 1, ID: uuid.Must(uuid.NewV7()), Class: class, Size: 1, Cost: cost, Time: s.config.Now(), Rules: &Rules{Life: time.Minute}}
			if _, err := s.Append(item, []Key{user}); err != nil {
				t.Fatal(err)
			}
		}
		batch, _ := r.Read(nil, s.Head(), 1<<10)
		if len(batch) == 0 || batch[len(batch)-1] != 2 || s.Usage().Entries != 1 {
			t.Errorf("class %d: it reads %v, and %d entries are held", class, batch, s.Usage().Entries)
		}
		s.Close()
	}
}

// A log whose short-lived entries have all gone remembers what it has lost for
// MaxAge, of those that came and went in that time, too.
func TestLapseIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(10)
		s.config.MaxAge = 10 * time.Second
		defer s.Close()
		add := func() {
			item := &Item[int]{Message: 1, ID: uuid.Must(uuid.NewV7()), Class: ShortLived, Size: 1, Cost: 1, Time: s.config.Now(), Rules: &Rules{Life: time.Second}}
			if _, err := s.Append(item, []Key{user}); err != nil {
				t.Fatal(err)
			}
		}
		add()
		seen := s.Head()
		time.Sleep(5 * time.Second)
		add()
		time.Sleep(7 * time.Second) // the first is forgotten, the second is not
		r := opened(s)
		r.Start(seen)
		if batch, _ := r.Read(nil, s.Head(), 1<<10); len(batch) != 1 || batch[0] != 0 {
			t.Errorf("lost without a gap: a reader that has seen the first item reads %v", batch)
		}
		r.Close()
		time.Sleep(10 * time.Second)
		if n := s.Usage().Logs; n != 1 {
			t.Errorf("%d logs are left for nobody", n-1)
		}
	})
}
