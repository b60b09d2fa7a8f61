package redis_test

import (
	"context"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/redis"
	"github.com/crier-go/crier/backplane/redis/internal/redistest"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/hub/backplanetest"
)

const limit = 1 << 20 // Options.MaxRecord in the suite

// open returns an engine for the suite: a server that syncs every write to disk,
// behind a proxy.
func open(t testing.TB) (*redistest.Server, backplanetest.Engine) {
	s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	p, err := backplanetest.NewProxy(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return s, backplanetest.Engine{
		Connect: func(t testing.TB) hub.Backplane {
			c := goredis.NewClient(&goredis.Options{Addr: p.Addr()})
			t.Cleanup(func() { c.Close() })
			return redis.New(c, &redis.Options{MaxRecord: limit})
		},
		Limit: limit,
		Retain: func(t testing.TB, n int) {
			if err := s.Client(t).XTrimMaxLen(context.Background(), "crier", int64(n)).Err(); err != nil {
				t.Fatal(err)
			}
		},
		Restart: func(t testing.TB) { s.Restart(t) },
		Lose: func(t testing.TB) {
			if err := s.Client(t).FlushAll(context.Background()).Err(); err != nil {
				t.Fatal(err)
			}
		},
		Cut:       p.Cut,
		SetAway:   p.SetAway,
		SetSilent: p.SetSilent,
	}
}

func TestConformance(t *testing.T) {
	backplanetest.Run(t, func(t testing.TB) backplanetest.Engine {
		_, e := open(t)
		return e
	})
}
