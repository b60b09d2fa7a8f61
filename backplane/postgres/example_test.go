package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/crier-go/crier/backplane/postgres"
	"github.com/crier-go/crier/backplane/postgres/internal/postgrestest"
	"github.com/crier-go/crier/hub"
)

// What a hub does with a backplane: it asks where the sequence ends, follows it
// from its beginning, and appends what is published.
func Example() {
	url, stop := startServer()
	defer stop()

	backplane, err := postgres.New(url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer backplane.Close()

	ctx := context.Background()
	tail, err := backplane.Tail(ctx) // creates the tables
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("first", tail.First, "last", tail.Last)

	for _, text := range []string{"hello", "world"} {
		if err := backplane.Append(ctx, hub.Record{ID: uuid.New(), Data: []byte(text)}); err != nil {
			fmt.Println(err)
			return
		}
	}
	enough := errors.New("enough")
	err = backplane.Follow(ctx, tail.First-1, func(batch []hub.SequencedRecord) error {
		for _, r := range batch {
			fmt.Printf("%d %s\n", r.Position, r.Data)
			if r.Position == 2 {
				return enough
			}
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// first 1 last 0
	// 1 hello
	// 2 world
	// enough
}

// An event is published if the order is stored, and never otherwise.
func ExampleBackplane_PublishTx() {
	url, stop := startServer()
	defer stop()
	ctx := context.Background()
	backplane, err := postgres.New(url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer backplane.Close()
	h, err := hub.Open(ctx, &registry, &hub.Options{Backplane: backplane})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer h.Shutdown(ctx)
	user := uuid.New()
	s, err := h.Subscribe(hub.Request{Session: hub.Session{User: user, Allowed: hub.Everything()}, Filter: hub.Everything()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	conn, err := pgx.Connect(ctx, url) // the application's own
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, `CREATE TABLE orders (item text CHECK (item <> ''))`); err != nil {
		fmt.Println(err)
		return
	}
	for _, item := range []string{"tea", "", "milk"} {
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			e, err := placed.New(user, order{item})
			if err != nil {
				return err
			}
			if err := backplane.PublishTx(ctx, tx, e); err != nil {
				return err
			}
			_, err = tx.Exec(ctx, `INSERT INTO orders VALUES ($1)`, item)
			return err
		})
		if err != nil {
			fmt.Println("not ordered")
		}
	}
	for heard := 0; heard < 2; {
		messages, err := s.Take(nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		if len(messages) == 0 {
			<-s.Ready()
		}
		for _, m := range messages {
			fmt.Println(m.Type(), string(m.Data()))
			heard++
		}
	}
	// Output:
	// not ordered
	// order.placed {"item":"tea"}
	// order.placed {"item":"milk"}
}

// A migration tool runs what Schema returns.
func ExampleSchema() {
	fmt.Println(postgres.Schema("events")[:37])
	// Output:
	// CREATE SCHEMA IF NOT EXISTS "events";
}

// startServer starts a server for an example, which has no testing.TB.
func startServer() (url string, stop func()) {
	t := &example{}
	return postgrestest.Start(t).URL("postgres"), t.end
}

// An example stands in for the test that there is not.
type example struct {
	testing.TB
	cleanups []func()
}

func (e *example) Helper()          {}
func (e *example) Cleanup(f func()) { e.cleanups = append(e.cleanups, f) }

func (e *example) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func (e *example) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (e *example) Skipf(format string, args ...any) { e.Fatalf(format, args...) }

func (e *example) end() {
	for i := len(e.cleanups) - 1; i >= 0; i-- {
		e.cleanups[i]()
	}
}
