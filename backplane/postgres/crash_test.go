package postgres_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/crier-go/crier/backplane/postgres/internal/postgrestest"
	"github.com/crier-go/crier/hub"
)

// The server crashes while records are appended. Everything that was
// acknowledged is there afterwards, at the position where it was seen, also if
// the role would have commits be acknowledged before they are on disk.
func TestCrash(t *testing.T) {
	for _, setting := range []string{"on", "off"} {
		t.Run("synchronous_commit="+setting, func(t *testing.T) {
			const appenders = 4
			s := postgrestest.Start(t, "synchronous_commit="+setting, "wal_writer_delay=10s")
			database := s.Database(t)
			b := newBackplane(t, s.URL(database), nil)
			before := mustTail(t, b)
			f := follow(t, b, 0)

			var mu sync.Mutex
			acknowledged := map[string]bool{}
			var all sync.WaitGroup
			for i := range appenders {
				all.Go(func() {
					for n := 0; ; n++ {
						r := record(fmt.Sprintf("%d/%d", i, n))
						err := b.Append(ctx, r)
						if errors.Is(err, hub.ErrUnavailable) {
							return
						}
						if err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						acknowledged[string(r.Data)] = true
						mu.Unlock()
					}
				})
			}
			<-time.After(500 * time.Millisecond)
			s.Kill()
			all.Wait()
			f.ended(t)
			s.Restart(t)

			after := mustTail(t, b)
			if before.Epoch != after.Epoch {
				t.Errorf("the epoch was %q, and is %q after a crash that loses nothing", before.Epoch, after.Epoch)
			}
			log := numbered(t, s.Connect(t, database))
			if seen := f.data(); len(seen) > len(log) || !slices.Equal(seen, log[:len(seen)]) {
				t.Errorf("%d records were seen before the crash, and of those that are there now, %d, not all are the same", len(seen), len(log))
			}
			there := map[string]bool{}
			for _, data := range log {
				there[data] = true
			}
			for data := range acknowledged {
				if !there[data] {
					t.Errorf("record %s was acknowledged and is gone", data)
				}
			}
			t.Logf("%d records were acknowledged", len(acknowledged))
			mustAppend(t, b, "after")
		})
	}
}

// A standby that has not received everything is promoted: another epoch.
func TestFailover(t *testing.T) {
	s := postgrestest.Start(t)
	database := s.Database(t)
	b := newBackplane(t, s.URL(database), nil)
	before := mustTail(t, b)
	standby := s.Standby(t)
	both := fmt.Sprintf("postgres://postgres@%s,%s/%s?sslmode=disable&target_session_attrs=read-write", s.Addr(), standby.Addr(), database)
	b = newBackplane(t, both, nil)
	if again := mustTail(t, b); again != before {
		t.Fatalf("Tail returned %v, and %v when both servers were named", before, again)
	}
	f := follow(t, b, 0)
	mustAppend(t, b, "one", "two")
	f.until(t, "one", "two")
	replica := standby.Connect(t, database)
	eventually(t, "the standby has it", func() error {
		if n := ask[int](t, replica, `SELECT max(position) FROM crier.log`); n < 2 {
			return fmt.Errorf("it has %d", n)
		}
		return nil
	})
	execute(t, replica, `SELECT pg_wal_replay_pause()`)

	// The standby itself is not a place to write to: that may pass.
	if _, err := newBackplane(t, standby.URL(database), nil).Tail(ctx); !errors.Is(err, hub.ErrUnavailable) {
		t.Errorf("Tail on a standby returned %v, want an error that wraps hub.ErrUnavailable", err)
	}

	s.Stop()
	f.ended(t)
	execute(t, replica, `SELECT pg_promote()`)
	after := mustTail(t, b)
	if before.Epoch == after.Epoch {
		t.Errorf("the epoch is still %q", before.Epoch)
	}
	f = follow(t, b, 0)
	mustAppend(t, b, "three")
	f.until(t, "one", "two", "three")
}
