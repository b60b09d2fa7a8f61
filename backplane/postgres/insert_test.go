package postgres_test

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/crier-go/crier/backplane/postgres"
	"github.com/crier-go/crier/backplane/postgres/internal/postgrestest"
	"github.com/crier-go/crier/hub"
)

// A record is published with the transaction that inserted it, or never.
func TestInsertTx(t *testing.T) {
	s := postgrestest.Start(t)
	database := s.Database(t)
	b := newBackplane(t, s.URL(database), &postgres.Options{MaxRecord: 100})
	mustTail(t, b)
	f := follow(t, b, 0)
	db := stdlib.OpenDB(*s.Connect(t, database).Config())
	defer db.Close()
	conn := s.Connect(t, database)

	insert := func(data string, commit bool) {
		tx := begin(t, conn)
		if err := b.InsertTx(ctx, tx, record(data)); err != nil {
			t.Fatal(err)
		}
		end := tx.Commit
		if !commit {
			end = tx.Rollback
		}
		if err := end(ctx); err != nil {
			t.Fatal(err)
		}
	}
	insertSQL := func(r hub.Record, commit bool) {
		tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.InsertSQLTx(ctx, tx, r); err != nil {
			t.Fatal(err)
		}
		end := tx.Commit
		if !commit {
			end = tx.Rollback
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
	}
	insert("pgx", true)
	insert("pgx, rolled back", false)
	insertSQL(record("sql"), true)
	insertSQL(record("sql, rolled back"), false)
	insertSQL(hub.Record{ID: record("").ID, Life: time.Hour}, true)
	f.until(t, "pgx", "sql", "")

	large := hub.Record{Data: make([]byte, 101)}
	for _, err := range []error{b.InsertTx(ctx, conn, large), b.InsertSQLTx(ctx, db, large), b.Append(ctx, large)} {
		if e, ok := errors.AsType[*hub.RecordTooLargeError](err); !ok || e.Size != 101 || e.Limit != 100 {
			t.Errorf("a record that is too large: %v", err)
		}
	}
}
