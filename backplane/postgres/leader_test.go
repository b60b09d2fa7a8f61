package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/crier-go/crier/backplane/postgres"
	"github.com/crier-go/crier/backplane/postgres/internal/postgrestest"
	"github.com/crier-go/crier/hub"
)

// takeover is how long nobody may number after the process that did is gone.
// The contract is 2 seconds; the rest is for a machine under load.
const takeover = 5 * time.Second

// asChild runs what a test has started in another process: it follows until it
// is killed.
func asChild(url string) {
	b, err := postgres.New(url, nil)
	if err == nil {
		for {
			if _, err = b.Tail(ctx); err == nil {
				err = b.Follow(ctx, 0, func([]hub.SequencedRecord) error { return nil })
			}
			if !errors.Is(err, hub.ErrUnavailable) {
				break
			}
			<-time.After(20 * time.Millisecond)
		}
	}
	fmt.Println(err)
	os.Exit(1)
}

const childEnv = "CRIER_TEST_FOLLOW"

func startChild(t *testing.T, url string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self)
	child.Env = append(os.Environ(), childEnv+"="+url)
	child.Stdout, child.Stderr = os.Stderr, os.Stderr
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		child.Process.Kill()
		child.Wait()
	})
	return child
}

// leader returns the server's process for the session that numbers, or 0.
const leaderSQL = `SELECT coalesce((SELECT pid FROM pg_locks WHERE locktype = 'advisory'
	AND database = (SELECT oid FROM pg_database WHERE datname = current_database())), 0)`

// The process that numbers is killed, or hangs, and another one takes over. It
// does no harm if the one that hung comes back.
func TestTakeover(t *testing.T) {
	s := postgrestest.Start(t)
	for _, test := range []struct {
		name   string
		signal syscall.Signal
	}{
		{"killed", syscall.SIGKILL},
		{"stopped", syscall.SIGSTOP},
	} {
		t.Run(test.name, func(t *testing.T) {
			database := s.Database(t)
			b := newBackplane(t, s.URL(database), nil)
			mustTail(t, b)
			admin := s.Connect(t, database)
			child := startChild(t, s.URL(database))
			eventually(t, "the child numbers", func() error {
				if ask[int](t, admin, leaderSQL) == 0 {
					return errors.New("nobody numbers")
				}
				return nil
			})
			f := follow(t, b, 0)
			mustAppend(t, b, "before")
			f.until(t, "before")

			child.Process.Signal(test.signal)
			start := time.Now()
			mustAppend(t, b, "after")
			f.until(t, "before", "after")
			t.Logf("another process numbered after %v", time.Since(start))
			if took := time.Since(start); took > takeover {
				t.Errorf("nobody numbered for %v", took)
			}

			child.Process.Signal(syscall.SIGCONT)
			f.until(t, append([]string{"before", "after"}, appendMany(t, b, 100)...)...)
			numbered(t, admin)
		})
	}
}

func appendMany(t *testing.T, b *postgres.Backplane, n int) []string {
	t.Helper()
	all := series("record %d", 1, n)
	mustAppend(t, b, all...)
	return all
}

// The session that numbers is ended by the server again and again, while others
// insert. Nothing is lost and nothing gets two positions.
func TestLeaderTerminated(t *testing.T) {
	s := postgrestest.Start(t)
	database := s.Database(t)
	admin := s.Connect(t, database)
	backplanes := []*postgres.Backplane{newBackplane(t, s.URL(database), nil), newBackplane(t, s.URL(database), nil)}
	mustTail(t, backplanes[0])
	followers := []*follower{follow(t, backplanes[0], 0), follow(t, backplanes[1], 0)}

	var all sync.WaitGroup
	const each = 150
	for i, b := range backplanes {
		all.Go(func() {
			for n := range each {
				if err := b.Append(ctx, record(fmt.Sprintf("%d/%d", i, n))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	appended := make(chan struct{})
	go func() {
		all.Wait()
		close(appended)
	}()
	terminated := 0
	for done := false; !done || terminated < 3; {
		select {
		case <-appended:
			done = true
		case <-time.After(20 * time.Millisecond):
		}
		if pid := ask[int](t, admin, leaderSQL); pid != 0 {
			execute(t, admin, `SELECT pg_terminate_backend($1)`, pid)
			terminated++
		}
	}
	t.Logf("terminated %d sessions that numbered", terminated)
	for _, f := range followers {
		eventually(t, "everything comes", func() error {
			if n := len(f.data()); n != 2*each {
				return fmt.Errorf("%d of %d have", n, 2*each)
			}
			return nil
		})
	}
	if n := len(numbered(t, admin)); n != 2*each {
		t.Errorf("the log has %d records, want %d", n, 2*each)
	}
}

// Two sessions that number at the same time, as if the lock had failed: at any
// moment one of them has to give up, and neither gives out a position twice.
func TestTwoLeaders(t *testing.T) {
	const n = 400
	s := postgrestest.Start(t)
	database := s.Database(t)
	b := newBackplane(t, s.URL(database), nil)
	mustTail(t, b)
	var appending, numbering sync.WaitGroup
	appending.Go(func() { mustAppend(t, b, series("%d", 1, n)...) })
	ended, end := context.WithCancel(ctx)
	var mu sync.Mutex
	refused := 0
	for range 3 {
		numbering.Go(func() {
			for ended.Err() == nil {
				if err := b.NumberWithoutLock(ended); err != nil && ended.Err() == nil {
					mu.Lock()
					refused++
					mu.Unlock()
				}
			}
		})
	}
	appending.Wait()
	mustTail(t, b)
	end()
	numbering.Wait()
	t.Logf("%d sessions were refused", refused)
	if got := numbered(t, s.Connect(t, database)); len(got) != n {
		t.Errorf("the log has %d records, want %d", len(got), n)
	} else {
		for i, data := range got {
			if data != fmt.Sprint(i+1) {
				t.Fatalf("position %d has record %s", i+1, data)
			}
		}
	}
	if refused == 0 {
		t.Error("no session was refused, so that nothing was tried")
	}
}

// Nobody waits for the lock: that would hold a snapshot for as long as another
// process lives, and VACUUM could not remove anything.
func TestNoSnapshotIsHeld(t *testing.T) {
	s := postgrestest.Start(t)
	database := s.Database(t)
	b := newBackplane(t, s.URL(database), nil)
	mustTail(t, b)
	fs := []*follower{follow(t, b, 0), follow(t, b, 0), follow(t, b, 0)}
	admin := s.Connect(t, database)
	held := `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'crier'
		AND now() - xact_start > interval '400 ms'`
	for i := range 20 {
		mustAppend(t, b, fmt.Sprint(i))
		<-time.After(50 * time.Millisecond)
	}
	eventually(t, "no transaction is old", func() error {
		if n := ask[int](t, admin, held); n > 0 {
			return fmt.Errorf("%d are", n)
		}
		return nil
	})
	for _, f := range fs {
		f.until(t, series("%d", 0, 19)...)
	}
}
