package redis_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/redis"
	"github.com/crier-go/crier/backplane/redis/internal/redistest"
	"github.com/crier-go/crier/hub"
)

// Everything here needs a server, the examples too.
func TestMain(m *testing.M) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		fmt.Println("not run here: redis-server is missing (Debian's package redis-server)")
		if os.Getenv("CI") != "" || os.Getenv("REQUIRE") != "" {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

var ctx = context.Background()

// patience is how long a test waits for what has to happen; noticed how long
// the end of a Follow may take.
const (
	patience = 30 * time.Second
	noticed  = 10 * time.Second
)

func connect(t testing.TB, s *redistest.Server, o *redis.Options) *redis.Backplane {
	return redis.New(s.Client(t), o)
}

func record(data string) hub.Record {
	return hub.Record{ID: uuid.Must(uuid.NewV7()), Data: []byte(data)}
}

func mustTail(t testing.TB, b *redis.Backplane) hub.Tail {
	t.Helper()
	tail, err := b.Tail(ctx)
	if err != nil {
		t.Fatalf("Tail: %v", err)
	}
	return tail
}

// mustAppend appends records with the data from, from+1 and so on.
func mustAppend(t testing.TB, b *redis.Backplane, from, n int) {
	t.Helper()
	for i := range n {
		if err := b.Append(ctx, record(fmt.Sprint(from+i))); err != nil {
			t.Fatalf("Append: %v", err)
		}
	}
}

// eventually calls f until it succeeds.
func eventually[T any](t testing.TB, what string, f func() (T, error)) (v T) {
	t.Helper()
	redistest.Eventually(t, what, func() (err error) {
		v, err = f()
		return err
	})
	return v
}

// A follower runs a Follow and collects what it is given.
type follower struct {
	done   chan struct{} // closed at the end; then err is set
	err    error
	cancel context.CancelFunc

	mu      sync.Mutex
	got     []hub.SequencedRecord
	changed chan struct{}
}

func follow(t testing.TB, b *redis.Backplane, after uint64) *follower {
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{done: make(chan struct{}), cancel: cancel, changed: make(chan struct{}, 1)}
	go func() {
		defer close(f.done)
		f.err = b.Follow(ctx, after, f.apply)
	}()
	t.Cleanup(func() {
		cancel()
		<-f.done
	})
	return f
}

func (f *follower) apply(batch []hub.SequencedRecord) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range batch {
		r.Data = append([]byte(nil), r.Data...)
		f.got = append(f.got, r)
	}
	select {
	case f.changed <- struct{}{}:
	default:
	}
	return nil
}

func (f *follower) records() []hub.SequencedRecord {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.got
}

// until waits for n records in all.
func (f *follower) until(t testing.TB, n int) []hub.SequencedRecord {
	t.Helper()
	timeout := time.After(patience)
	for {
		if got := f.records(); len(got) >= n {
			return got
		}
		select {
		case <-f.changed:
		case <-f.done:
			t.Fatalf("Follow ended after %d of %d records: %v", len(f.records()), n, f.err)
		case <-timeout:
			t.Fatalf("%d of %d records came", len(f.records()), n)
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
		t.Logf("Follow returned: %v", f.err)
	case <-time.After(noticed):
		t.Fatalf("Follow has not ended within %v", noticed)
	}
}

// data returns what records carry.
func data(records []hub.SequencedRecord) []string {
	var all []string
	for _, r := range records {
		all = append(all, string(r.Data))
	}
	return all
}

func run(t testing.TB, c *goredis.Client, args ...any) {
	t.Helper()
	if err := c.Do(ctx, args...).Err(); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
}
