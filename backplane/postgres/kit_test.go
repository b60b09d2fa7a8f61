package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/crier-go/crier/backplane/postgres"
	"github.com/crier-go/crier/hub"
)

var ctx = context.Background()

// patience is for what has to happen; noticed is how long the end of a Follow
// may take.
const (
	patience = 30 * time.Second
	noticed  = 10 * time.Second
)

func newBackplane(t testing.TB, connString string, o *postgres.Options) *postgres.Backplane {
	t.Helper()
	b, err := postgres.New(connString, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func record(data string) hub.Record {
	return hub.Record{ID: uuid.Must(uuid.NewV7()), Data: []byte(data)}
}

func mustTail(t testing.TB, b *postgres.Backplane) hub.Tail {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tail, err := b.Tail(ctx)
	if err != nil {
		t.Fatalf("Tail: %v", err)
	}
	return tail
}

func mustAppend(t testing.TB, b *postgres.Backplane, data ...string) {
	t.Helper()
	for _, d := range data {
		if err := b.Append(ctx, record(d)); err != nil {
			t.Fatalf("Append: %v", err)
		}
	}
}

func execute(t testing.TB, c interface {
	QueryRow(context.Context, string, ...any) pgx.Row
	Query(context.Context, string, ...any) (pgx.Rows, error)
}, sql string, args ...any) {
	t.Helper()
	rows, err := c.Query(ctx, sql, args...)
	if err == nil {
		rows.Close()
		err = rows.Err()
	}
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func ask[T any](t testing.TB, c interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}, sql string, args ...any) (v T) {
	t.Helper()
	if err := c.QueryRow(ctx, sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// eventually calls f until it succeeds.
func eventually(t testing.TB, what string, f func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v: %v", what, patience, err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// A follower runs a Follow and keeps what it is given.
type follower struct {
	done   chan struct{} // closed at the end; then err is set
	err    error
	cancel context.CancelFunc

	mu      sync.Mutex
	got     []hub.SequencedRecord
	changed chan struct{}
}

func follow(t testing.TB, b *postgres.Backplane, after uint64) *follower {
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{done: make(chan struct{}), cancel: cancel, changed: make(chan struct{}, 1)}
	go func() {
		defer close(f.done)
		f.err = b.Follow(ctx, after, f.apply)
	}()
	t.Cleanup(f.stop)
	return f
}

func (f *follower) stop() {
	f.cancel()
	<-f.done
}

func (f *follower) apply(batch []hub.SequencedRecord) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range batch {
		r.Data = bytes.Clone(r.Data)
		f.got = append(f.got, r)
	}
	select {
	case f.changed <- struct{}{}:
	default:
	}
	return nil
}

func (f *follower) data() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]string, len(f.got))
	for i, r := range f.got {
		all[i] = string(r.Data)
	}
	return all
}

// until waits until exactly the records with this data have come, in order.
func (f *follower) until(t testing.TB, want ...string) {
	t.Helper()
	timeout := time.After(patience)
	for {
		got := f.data()
		if len(got) >= len(want) {
			if !slices.Equal(got, want) {
				t.Fatalf("got %q, want %q", got, want)
			}
			return
		}
		select {
		case <-f.changed:
		case <-f.done:
			t.Fatalf("Follow ended with %q, before %q: %v", f.data(), want, f.err)
		case <-timeout:
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

// ended waits for the end of the Follow, which must be one that may pass.
func (f *follower) ended(t testing.TB) {
	t.Helper()
	select {
	case <-f.done:
		if !errors.Is(f.err, hub.ErrUnavailable) {
			t.Fatalf("Follow returned %v, want an error that wraps hub.ErrUnavailable", f.err)
		}
	case <-time.After(noticed):
		t.Fatalf("Follow has not ended within %v", noticed)
	}
}

// numbered returns what a sequence holds, which must be dense and without
// anything twice.
func numbered(t testing.TB, c *pgx.Conn) []string {
	t.Helper()
	rows, err := c.Query(ctx, `SELECT position, convert_from(data, 'UTF8') FROM crier.log WHERE position > 0 ORDER BY position`)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	seen := map[string]bool{}
	for rows.Next() {
		var position int
		var data string
		if err := rows.Scan(&position, &data); err != nil {
			t.Fatal(err)
		}
		if position != len(all)+1 {
			t.Fatalf("position %d follows %d", position, len(all))
		}
		if seen[data] {
			t.Fatalf("%q stands in the log twice", data)
		}
		seen[data] = true
		all = append(all, data)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func series(format string, from, to int) (all []string) {
	for i := from; i <= to; i++ {
		all = append(all, fmt.Sprintf(format, i))
	}
	return all
}
