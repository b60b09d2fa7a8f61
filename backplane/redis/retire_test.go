package redis_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/redis"
	"github.com/crier-go/crier/backplane/redis/internal/redistest"
	"github.com/crier-go/crier/hub"
)

// retired waits until the stream is empty.
func retired(t testing.TB, s *redistest.Server, b *redis.Backplane) {
	t.Helper()
	c := s.Client(t)
	redistest.Eventually(t, "old records are removed", func() error {
		n, err := c.XLen(ctx, "crier").Result()
		if err == nil && n > 0 {
			err = fmt.Errorf("%d are there", n)
		}
		return err
	})
}

// Records that are older than MaxAge are removed while somebody follows, and
// younger ones are not.
func TestMaxAge(t *testing.T) {
	s := redistest.Start(t)
	b := connect(t, s, &redis.Options{MaxAge: 2 * time.Second})
	mustTail(t, b)
	f := follow(t, b, 0)
	mustAppend(t, b, 0, 250)
	begin := time.Now()
	f.until(t, 250)
	retired(t, s, b)
	if age := time.Since(begin); age < 2*time.Second {
		t.Errorf("records were removed after %v, want 2 s", age)
	}
	tail := mustTail(t, b)
	if tail.First != 251 || tail.Last != 250 {
		t.Errorf("First and Last are %d and %d, want 251 and 250", tail.First, tail.Last)
	}
	mustAppend(t, b, 250, 1)
	if got := f.until(t, 251)[250]; got.Position != 251 {
		t.Errorf("the next position is %d, want 251", got.Position)
	}
	// Marks do not pile up.
	groups, err := s.Client(t).XInfoGroups(ctx, "crier").Result()
	if err != nil || len(groups) > 15 {
		t.Errorf("the stream has %d groups (%v)", len(groups), err)
	}
}

func TestMaxRecords(t *testing.T) {
	s := redistest.Start(t)
	b := connect(t, s, &redis.Options{MaxRecords: 300})
	mustTail(t, b)
	mustAppend(t, b, 0, 1000)
	tail := mustTail(t, b)
	if n := tail.Last - tail.First + 1; n < 300 || n > 500 {
		t.Errorf("%d records are retained, want 300 and less than 200 more", n)
	}
	got := follow(t, b, 0).until(t, int(tail.Last-tail.First+1))
	if got[0].Position != tail.First {
		t.Errorf("Follow began at %d, Tail says %d", got[0].Position, tail.First)
	}
}

// A Follow that reads more slowly than records are removed does not go on as if
// nothing were missing.
func TestRemovedBeforeRead(t *testing.T) {
	s := redistest.Start(t)
	b := connect(t, s, nil)
	mustTail(t, b)
	mustAppend(t, b, 0, 100)
	f := follow(t, b, 0)
	f.until(t, 100)
	// In one step, so that the records are never there to be read.
	if _, err := s.Client(t).TxPipelined(ctx, func(p goredis.Pipeliner) error {
		for i := range 10 {
			p.Do(ctx, "XADD", "crier", "0-*", "r", fmt.Sprintf("0123456789abcdef%d", i))
		}
		p.Do(ctx, "XTRIM", "crier", "MINID", "0-106")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	f.ended(t)
	if n := len(f.records()); n != 100 {
		t.Errorf("%d records came, want 100", n)
	}
	// From there on the hub knows from Tail what is missing.
	if tail := mustTail(t, b); tail.First != 106 {
		t.Errorf("First is %d, want 106", tail.First)
	}
	if got := follow(t, b, 100).until(t, 5); got[0].Position != 106 {
		t.Errorf("Follow began at %d, want 106", got[0].Position)
	}
}

// What somebody deletes in the middle counts as gone up to there.
func TestDeleted(t *testing.T) {
	s := redistest.Start(t)
	b := connect(t, s, nil)
	mustTail(t, b)
	mustAppend(t, b, 0, 10)
	run(t, s.Client(t), "XDEL", "crier", "0-4")
	if tail := mustTail(t, b); tail.First != 5 || tail.Last != 10 {
		t.Errorf("First and Last are %d and %d, want 5 and 10", tail.First, tail.Last)
	}
}

// An entry of somebody else is an error that lasts.
func TestForeignEntry(t *testing.T) {
	for _, entry := range [][]any{{"r", "short"}, {"x", "0123456789abcdef"}, {"r", "0123456789abcdef", "more", ""}} {
		s := redistest.Start(t)
		b := connect(t, s, nil)
		mustTail(t, b)
		run(t, s.Client(t), append([]any{"XADD", "crier", "0-*"}, entry...)...)
		f := follow(t, b, 0)
		<-f.done
		if f.err == nil || errors.Is(f.err, hub.ErrUnavailable) {
			t.Errorf("Follow returned %v, want a lasting error", f.err)
		}
	}
}
