package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/crier-go/crier/backplane/postgres"
	"github.com/crier-go/crier/backplane/postgres/internal/postgrestest"
)

// A transaction with NOTIFY holds a lock of the whole server while it commits,
// which can take as long as a standby does not answer. A transaction that only
// inserts a record does not wait for it.
func TestCallersDoNotNotify(t *testing.T) {
	s := postgrestest.Start(t)
	database := s.Database(t)
	b := newBackplane(t, s.URL(database), nil)
	mustTail(t, b)
	s.Exec(t, database, `ALTER SYSTEM SET synchronous_standby_names = 'nobody'`, `SELECT pg_reload_conf()`)

	slow := s.Connect(t, database)
	held := make(chan error, 1)
	go func() {
		_, err := slow.Exec(ctx, `BEGIN; CREATE TABLE something (id int); NOTIFY anything; COMMIT`)
		held <- err
	}()
	admin := s.Connect(t, database)
	execute(t, admin, `SET synchronous_commit = local`)
	eventually(t, "a commit waits for the standby", func() error {
		if ask[int](t, admin, `SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`) == 0 {
			return context.DeadlineExceeded
		}
		return nil
	})

	tx := begin(t, admin)
	if err := b.InsertTx(ctx, tx, record("without NOTIFY")); err != nil {
		t.Fatal(err)
	}
	commit(t, tx)

	other := s.Connect(t, database)
	execute(t, other, `SET synchronous_commit = local`)
	execute(t, other, `SET lock_timeout = '300ms'`)
	tx = begin(t, other)
	execute(t, tx, `NOTIFY anything`)
	if err := tx.Commit(ctx); err == nil || !strings.Contains(err.Error(), "lock timeout") {
		t.Errorf("the way that this test warns of returned %v", err)
	}
	s.Exec(t, database, `ALTER SYSTEM RESET synchronous_standby_names`, `SELECT pg_reload_conf()`)
	if err := <-held; err != nil {
		t.Fatal(err)
	}
	follow(t, b, 0).until(t, "without NOTIFY")
}

// If notifications do not come, records do, a little later.
func TestNotificationsAreLost(t *testing.T) {
	s := postgrestest.Start(t)
	database := s.Database(t)
	b := newBackplane(t, s.URL(database), nil)
	mustTail(t, b)
	f := follow(t, b, 0)
	mustAppend(t, b, "heard")
	f.until(t, "heard")
	// A session that numbers and is gone before it tells.
	f.stop()
	quiet := follow(t, b, 1)
	mustAppend(t, b, "next")
	quiet.until(t, "next")
	admin := s.Connect(t, database)
	eventually(t, "somebody numbers", func() error {
		if ask[int](t, admin, leaderSQL) == 0 {
			return context.DeadlineExceeded
		}
		return nil
	})
	execute(t, admin, `INSERT INTO crier.log (position, record, data)
		SELECT max(position) + 1, gen_random_uuid(), 'untold' FROM crier.log`)
	quiet.until(t, "next", "untold")
}

// NOTIFY takes less than 8,000 bytes; a record may be larger.
func TestMoreThanNotifyTakes(t *testing.T) {
	s := postgrestest.Start(t)
	database := s.Database(t)
	b := newBackplane(t, s.URL(database), nil)
	mustTail(t, b)
	large := strings.Repeat("x", 100_000)
	if _, err := s.Connect(t, database).Exec(ctx, `SELECT pg_notify('anything', $1)`, large[:8000]); err == nil {
		t.Error("NOTIFY takes 8,000 bytes")
	}
	mustAppend(t, b, large)
	follow(t, b, 0).until(t, large)
}

// The channel carries positions only, and is no secret.
func TestForeignNotifications(t *testing.T) {
	s := postgrestest.Start(t)
	database := s.Database(t)
	b := newBackplane(t, s.URL(database), &postgres.Options{Poll: time.Millisecond})
	mustTail(t, b)
	f := follow(t, b, 0)
	admin := s.Connect(t, database)
	for _, payload := range []string{"", "nonsense", "-1", "99999999999999999999999", "5"} {
		execute(t, admin, `SELECT pg_notify('crier_crier', $1)`, payload)
	}
	mustAppend(t, b, "one", "two")
	f.until(t, "one", "two")
}
