package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/crier-go/crier/backplane/postgres"
	"github.com/crier-go/crier/backplane/postgres/internal/postgrestest"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/hub/backplanetest"
)

// The suite, with every connection through PgBouncer.
func TestConformanceBehindPooler(t *testing.T) {
	s := postgrestest.Start(t)
	backplanetest.Run(t, func(t testing.TB) backplanetest.Engine {
		e := open(t, s, s.Pooler(t, "transaction"))
		e.Restart = nil // PgBouncer's own reconnecting is not what is tried here
		return e
	})
}

// Processes with and without a direct connection understand each other. Behind
// the pooler, LISTEN succeeds, and hears nothing.
func TestPooler(t *testing.T) {
	s := postgrestest.Start(t)
	for _, mode := range []string{"transaction", "session"} {
		t.Run(mode, func(t *testing.T) {
			pooler := s.Pooler(t, mode)
			database := s.Database(t)
			url := postgrestest.URL(pooler, "postgres", database)
			behind := []*postgres.Backplane{newBackplane(t, url, nil), newBackplane(t, url, nil)}
			beside := newBackplane(t, url, &postgres.Options{Direct: s.URL(database)})
			mustTail(t, behind[0])

			f := []*follower{follow(t, behind[0], 0), follow(t, behind[1], 0)}
			mustAppend(t, behind[0], "one", "two")
			mustAppend(t, behind[1], "three")
			for _, f := range f {
				f.until(t, "one", "two", "three")
			}
			f = append(f, follow(t, beside, 0))
			mustTail(t, beside)
			admin := s.Connect(t, database)
			eventually(t, "the process with a direct connection numbers", func() error {
				if ask[int](t, admin, leaderSQL) == 0 {
					return errors.New("it does not")
				}
				return nil
			})
			mustAppend(t, beside, "four")
			mustAppend(t, behind[0], "five")
			for _, f := range f {
				f.until(t, "one", "two", "three", "four", "five")
			}
			if tail := mustTail(t, behind[1]); tail.Last != 5 {
				t.Errorf("Tail returned %v", tail)
			}
			f[2].stop()
			mustAppend(t, beside, "six")
			f[0].until(t, "one", "two", "three", "four", "five", "six")
			numbered(t, admin)
			if n := ask[int](t, admin, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid NOT IN
				(SELECT pid FROM pg_stat_activity WHERE state <> 'idle')
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`); n > 0 {
				t.Errorf("%d sessions of the pooler keep a lock", n)
			}
			if mode == "transaction" {
				listenNaively(t, s, url, database)
			}
		})
	}
}

func listenNaively(t *testing.T, s *postgrestest.Server, url, database string) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	execute(t, c, `LISTEN anything`)
	s.Exec(t, database, `NOTIFY anything`)
	wait, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if _, err := c.WaitForNotification(wait); err == nil {
		t.Error("the way that this test warns of has heard a notification")
	}
}

// Rates behind a pooler: every process polls, and nothing is lost.
func TestPoolerConcurrent(t *testing.T) {
	const each = 100
	s := postgrestest.Start(t)
	database := s.Database(t)
	url := postgrestest.URL(s.Pooler(t, "transaction"), "postgres", database)
	var backplanes []*postgres.Backplane
	for range 3 {
		backplanes = append(backplanes, newBackplane(t, url, nil))
	}
	mustTail(t, backplanes[0])
	var followers []*follower
	appended := make(chan error, len(backplanes))
	for i, b := range backplanes {
		followers = append(followers, follow(t, b, 0))
		go func() {
			for n := range each {
				if err := b.Append(ctx, hub.Record{ID: record("").ID, Data: fmt.Appendf(nil, "%d/%d", i, n)}); err != nil {
					appended <- err
					return
				}
			}
			appended <- nil
		}()
	}
	for range backplanes {
		if err := <-appended; err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range followers {
		eventually(t, "everything comes", func() error {
			if n := len(f.data()); n != each*len(backplanes) {
				return fmt.Errorf("%d have", n)
			}
			return nil
		})
	}
	numbered(t, s.Connect(t, database))
}
