package reader

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSleepers(t *testing.T) {
	for _, own := range []bool{false, true} {
		const readers, events = 100, 500
		tally := NewTally(20 * time.Second)
		s := NewSleepers[int](readers, own)
		s.Listen(tally)
		for n := range events {
			want := (n + 1) * readers
			if own {
				for i := range readers {
					s.Publish(n, i)
				}
			} else {
				s.PublishAll(n)
			}
			if err := tally.Wait(want); err != nil {
				t.Fatal(err)
			}
			if got := tally.N(); got != want {
				t.Fatalf("%d deliveries, want %d", got, want)
			}
		}
		s.Close()
	}
}

func TestSleepersThatDoNotListen(t *testing.T) {
	s := NewSleepers[int](2, false)
	for n := range Round {
		s.PublishAll(n)
	}
	if got := s.Take(1); got != Round {
		t.Errorf("took %d events, want %d", got, Round)
	}
	if got := s.Take(1); got != 0 {
		t.Errorf("took %d events again", got)
	}
	if s.Asleep() {
		t.Error("they sleep, but have never begun")
	}
}

func TestTally(t *testing.T) {
	tally := NewTally(20 * time.Second)
	for range 4 {
		go func() {
			for range 1000 {
				tally.Got(1)
			}
		}()
	}
	if err := tally.Wait(4000); err != nil {
		t.Fatal(err)
	}
	if n := tally.N(); n != 4000 {
		t.Errorf("%d deliveries, want 4000", n)
	}
}

func TestTallyGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tally := NewTally(time.Minute)
		tally.Got(3)
		if err := tally.Wait(3); err != nil {
			t.Error(err)
		}
		begun := time.Now()
		err := tally.Wait(4)
		if err == nil || !strings.Contains(err.Error(), "3 of 4") || time.Since(begun) != time.Minute {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
		tally.Reset()
		if tally.N() != 0 {
			t.Error("it does not begin anew")
		}
	})
}
