package postgres_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/crier-go/crier/backplane/postgres"
	"github.com/crier-go/crier/backplane/postgres/internal/postgrestest"
)

// The process that numbers removes what is too much, and what is too old.
func TestRetention(t *testing.T) {
	s := postgrestest.Start(t)
	for name, o := range map[string]*postgres.Options{
		"count": {MaxRecords: 10},
		"age":   {MaxAge: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			database := s.Database(t)
			b := newBackplane(t, s.URL(database), o)
			begin := mustTail(t, b)
			mustAppend(t, b, series("%d", 1, 30)...)
			mustTail(t, b)
			admin := s.Connect(t, database)
			if name == "age" {
				execute(t, admin, `UPDATE crier.log SET at = now() - interval '2 hours' WHERE position <= 20`)
			}
			f := follow(t, b, 30)
			eventually(t, "the old records are removed", func() error {
				if tail := mustTail(t, b); tail.First != 21 || tail.Last != 30 || tail.Epoch != begin.Epoch {
					return fmt.Errorf("Tail returned %v", tail)
				}
				return nil
			})
			if n := ask[int](t, admin, `SELECT count(*) FROM crier.log WHERE position > 0`); n != 10 {
				t.Errorf("the table has %d records", n)
			}
			follow(t, b, 0).until(t, series("%d", 21, 30)...)
			if name == "age" { // everything
				execute(t, admin, `UPDATE crier.log SET at = now() - interval '2 hours' WHERE position > 0`)
				eventually(t, "all records are removed", func() error {
					if tail := mustTail(t, b); tail.First != 31 || tail.Last != 30 {
						return fmt.Errorf("Tail returned %v", tail)
					}
					return nil
				})
			}
			mustAppend(t, b, "next")
			f.until(t, "next")
			if tail := mustTail(t, b); tail.Last != 31 {
				t.Errorf("the last position is %d", tail.Last)
			}
		})
	}
}

// Records with a short life go before the others.
func TestLife(t *testing.T) {
	s := postgrestest.Start(t)
	database := s.Database(t)
	b := newBackplane(t, s.URL(database), nil)
	mustTail(t, b)
	f := follow(t, b, 0)
	short := record("short")
	short.Life = time.Second
	if err := b.Append(ctx, short); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, b, "long")
	f.until(t, "short", "long")
	admin := s.Connect(t, database)
	eventually(t, "it is removed", func() error {
		if ask[bool](t, admin, `SELECT EXISTS (SELECT FROM crier.log WHERE position = 1)`) {
			return errors.New("it is there")
		}
		return nil
	})
	follow(t, b, 0).until(t, "long")
}
