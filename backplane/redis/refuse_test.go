package redis_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/redis"
	"github.com/crier-go/crier/backplane/redis/internal/redistest"
	"github.com/crier-go/crier/hub"
)

// What Tail refuses, with words that say what to do. None of these may pass by
// itself, so none wraps hub.ErrUnavailable.
func TestTailRefuses(t *testing.T) {
	for _, test := range []struct {
		name string
		set  [][]any // commands
		opts *goredis.Options
		want string

		takes bool // a record, if Append is called all the same
	}{
		{name: "a policy that evicts the stream",
			set:  [][]any{{"CONFIG", "SET", "maxmemory", "100mb"}, {"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"}},
			want: "maxmemory-policy is allkeys-lru"},
		{name: "another type", set: [][]any{{"SET", "crier", "x"}}, want: "WRONGTYPE"},
		{name: "a stream of somebody else", set: [][]any{{"XADD", "crier", "*", "a", "b"}}, want: "did not create"},
		{name: "ids of somebody else",
			set:  [][]any{{"XGROUP", "CREATE", "crier", "crier:x", "0", "MKSTREAM"}, {"XADD", "crier", "5-5", "a", "b"}},
			want: `the id "5-5"`},
		{name: "a key that expires",
			set:  [][]any{{"XGROUP", "CREATE", "crier", "crier:x", "0", "MKSTREAM"}, {"EXPIRE", "crier", "100"}},
			want: "expires", takes: true},
		{name: "no password", set: [][]any{{"CONFIG", "SET", "requirepass", "secret"}}, want: "NOAUTH"},
		{name: "a wrong password", set: [][]any{{"CONFIG", "SET", "requirepass", "secret"}},
			opts: &goredis.Options{Password: "wrong"}, want: "WRONGPASS"},
		{name: "no permission to look",
			set:  [][]any{{"ACL", "SETUSER", "app", "on", ">app", "~*", "+@all", "-xinfo"}},
			opts: &goredis.Options{Username: "app", Password: "app"}, want: "NOPERM"},
		{name: "no permission to run scripts",
			set:  [][]any{{"ACL", "SETUSER", "app", "on", ">app", "~*", "+@all", "-@scripting"}},
			opts: &goredis.Options{Username: "app", Password: "app"}, want: "NOPERM"},
		{name: "no permission on the key",
			set:  [][]any{{"ACL", "SETUSER", "app", "on", ">app", "~other", "+@all"}},
			opts: &goredis.Options{Username: "app", Password: "app"}, want: "NOPERM"},
		{name: "a client that waits for ever", opts: &goredis.Options{ReadTimeout: -1}, want: "ReadTimeout"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := redistest.Start(t)
			admin := s.Client(t)
			for _, cmd := range test.set {
				run(t, admin, cmd...)
			}
			o := goredis.Options{}
			if test.opts != nil {
				o = *test.opts
			}
			o.Addr = s.Addr()
			c := goredis.NewClient(&o)
			t.Cleanup(func() { c.Close() })
			b := redis.New(c, nil)
			_, err := b.Tail(ctx)
			if err == nil || errors.Is(err, hub.ErrUnavailable) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Tail returned %v, want a lasting error with %q", err, test.want)
			}
			if err := b.Follow(ctx, 0, nil); err == nil {
				t.Error("Follow returned nil")
			}
			if err := b.Append(ctx, record("x")); err == nil && !test.takes {
				t.Error("Append returned nil")
			}
		})
	}
}

// A volatile policy never evicts the stream, because the key does not expire,
// and any policy will do where there is no limit.
func TestTailAccepts(t *testing.T) {
	for _, set := range [][]any{
		{"CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "volatile-lru"},
		{"CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "noeviction"},
		{"CONFIG", "SET", "maxmemory", "0", "maxmemory-policy", "allkeys-lru"},
	} {
		s := redistest.Start(t)
		run(t, s.Client(t), set...)
		mustTail(t, connect(t, s, nil))
	}
}

// The permissions that the package comment names are enough.
func TestPermissions(t *testing.T) {
	s := redistest.Start(t)
	run(t, s.Client(t), "ACL", "SETUSER", "app", "on", ">app", "~crier", "resetchannels", "-@all",
		"+hello", "+auth", "+ping", "+client", "+select", "+info", "+pttl", "+exists", "+time", "+wait",
		"+eval", "+evalsha", "+xadd", "+xread", "+xtrim", "+xinfo", "+xgroup")
	c := goredis.NewClient(&goredis.Options{Addr: s.Addr(), Username: "app", Password: "app"})
	t.Cleanup(func() { c.Close() })
	b := redis.New(c, &redis.Options{MaxAge: time.Second})
	mustTail(t, b)
	f := follow(t, b, 0)
	mustAppend(t, b, 0, 3)
	f.until(t, 3)
	retired(t, s, b)
	select {
	case <-f.done:
		t.Fatal(f.err)
	default:
	}
}

func TestOtherClients(t *testing.T) {
	ring := goredis.NewRing(&goredis.RingOptions{Addrs: map[string]string{"a": "127.0.0.1:1"}})
	defer ring.Close()
	b := redis.New(ring, nil)
	_, tail := b.Tail(ctx)
	for _, err := range []error{tail, b.Append(ctx, record("x")), b.Follow(ctx, 0, nil)} {
		if err == nil || errors.Is(err, hub.ErrUnavailable) || !strings.Contains(err.Error(), "Ring") {
			t.Errorf("got %v, want an error that says Ring", err)
		}
	}
}

func TestOptionsOutOfRange(t *testing.T) {
	c := goredis.NewClient(&goredis.Options{})
	defer c.Close()
	for _, o := range []redis.Options{
		{MaxRecords: -1}, {MaxRecord: -1}, {MaxRecord: 1 << 30}, {MaxAge: -1}, {MaxAge: time.Millisecond}, {Replicas: -1}, {ReplicaTimeout: -1},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("New accepted %+v", o)
				}
			}()
			redis.New(c, &o)
		}()
	}
}

// A server that is full refuses records. Those who follow go on.
func TestMaxMemory(t *testing.T) {
	s := redistest.Start(t)
	admin := s.Client(t)
	b := connect(t, s, nil)
	mustTail(t, b)
	f := follow(t, b, 0)
	mustAppend(t, b, 0, 1)
	run(t, admin, "CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "noeviction")
	err := b.Append(ctx, record("too much"))
	if !errors.Is(err, hub.ErrUnavailable) || !strings.Contains(err.Error(), "OOM") {
		t.Errorf("Append returned %v, want hub.ErrUnavailable and OOM", err)
	}
	select { // longer than a Follow goes on without hearing of the server
	case <-f.done:
		t.Fatalf("Follow ended: %v", f.err)
	case <-time.After(noticed):
	}
	run(t, admin, "CONFIG", "SET", "maxmemory", "0")
	mustAppend(t, b, 1, 1)
	f.until(t, 2)
}

// A server that hangs makes Tail and Append fail when their contexts end.
func TestHangs(t *testing.T) {
	s := redistest.Start(t)
	b := connect(t, s, nil)
	mustTail(t, b)
	f := follow(t, b, 0)
	s.Stop()
	defer s.Continue()
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if _, err := b.Tail(short); !errors.Is(err, hub.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Tail returned %v", err)
	}
	short, cancel = context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if err := b.Append(short, record("x")); !errors.Is(err, hub.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Append returned %v", err)
	}
	f.ended(t)
}

// A Follow that cannot connect ends with its context, not with the dial.
func TestCancelledWhileDialing(t *testing.T) {
	s := redistest.Start(t)
	var hang atomic.Bool
	dialing := make(chan struct{}, 1)
	c := goredis.NewClient(&goredis.Options{
		Addr:        s.Addr(),
		DialTimeout: time.Minute,
		Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if hang.Load() {
				dialing <- struct{}{}
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	})
	defer c.Close()
	b := redis.New(c, nil)
	mustTail(t, b)
	hang.Store(true)
	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan error, 1)
	go func() { ended <- b.Follow(ctx, 0, nil) }()
	<-dialing
	cancel(stopped)
	select {
	case err := <-ended:
		if err != stopped {
			t.Errorf("Follow returned %v, want the cause of its context", err)
		}
	case <-time.After(noticed):
		t.Errorf("Follow has not ended within %v", noticed)
	}
}
