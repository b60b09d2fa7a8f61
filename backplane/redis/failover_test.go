package redis_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/redis"
	"github.com/crier-go/crier/backplane/redis/internal/redistest"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/hub/backplanetest"
)

// A server that comes back without its data is another epoch, although its
// client is connected again before anybody noticed.
func TestRestartWithoutData(t *testing.T) {
	s := redistest.Start(t)
	b := connect(t, s, nil)
	before := mustTail(t, b)
	mustAppend(t, b, 0, 10)
	f := follow(t, b, 0)
	f.until(t, 10)
	s.Restart(t)
	f.ended(t)
	after := eventually(t, "Tail", func() (hub.Tail, error) { return b.Tail(ctx) })
	if after.Epoch == before.Epoch || after.First != 1 || after.Last != 0 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	mustAppend(t, b, 100, 1)
	if got := follow(t, b, 0).until(t, 1)[0]; got.Position != 1 || string(got.Data) != "100" {
		t.Errorf("got %d %s", got.Position, got.Data)
	}
}

// A server that comes back with its data is another epoch, too: it does not say
// whether it has lost its last records. The hub can compare them.
func TestRestartWithData(t *testing.T) {
	s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	b := connect(t, s, nil)
	before := mustTail(t, b)
	mustAppend(t, b, 0, 10)
	old := follow(t, b, 0).until(t, 10)
	s.Restart(t)
	after := eventually(t, "Tail", func() (hub.Tail, error) { return b.Tail(ctx) })
	if after.Epoch == before.Epoch || after.First != 1 || after.Last != 10 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	mustAppend(t, b, 10, 1)
	got := follow(t, b, 9).until(t, 2)
	if got[0].ID != old[9].ID || got[1].Position != 11 {
		t.Errorf("got %v at %d and then %d", got[0].ID, got[0].Position, got[1].Position)
	}
}

// A failover promotes a replica that lacks the last records, and gives their
// positions out again. Nobody goes on as if nothing had happened: not who is
// connected, not who comes later and last asked the old master.
func TestFailoverLosesRecords(t *testing.T) {
	master, replica := redistest.Start(t), redistest.Start(t)
	// The replica reads through a proxy, which can make it lag; so do clients,
	// whom it leads to the master of the day.
	link, err := backplanetest.NewProxy(master.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	entry, err := backplanetest.NewProxy(master.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer entry.Close()
	redistest.ReplicateFrom(t, replica, link.Addr())
	client := func() *redis.Backplane {
		c := goredis.NewClient(&goredis.Options{Addr: entry.Addr()})
		t.Cleanup(func() { c.Close() })
		return redis.New(c, nil)
	}
	b, late := client(), client()
	before := mustTail(t, b)
	mustTail(t, late)
	mustAppend(t, b, 0, 10)
	redistest.Eventually(t, "the replica has ten records", func() error {
		n, err := replica.Client(t).XLen(ctx, "crier").Result()
		if err == nil && n != 10 {
			err = fmt.Errorf("it has %d", n)
		}
		return err
	})
	link.SetSilent(true)
	mustAppend(t, b, 10, 10) // acknowledged, and lost
	f := follow(t, b, 0)
	f.until(t, 20)

	master.Kill()
	run(t, replica.Client(t), "REPLICAOF", "NO", "ONE")
	entry.SetTarget(replica.Addr())
	f.ended(t)
	again := client()
	after := eventually(t, "Tail", func() (hub.Tail, error) { return again.Tail(ctx) })
	if after.Epoch == before.Epoch || after.First != 1 || after.Last != 10 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	mustAppend(t, again, 100, 15) // positions 11 to 20 once more, and beyond
	g := follow(t, late, 20)
	g.ended(t)
	if n := len(g.records()); n != 0 {
		t.Errorf("who last asked the old master was given %d records of the new one", n)
	}
	mustTail(t, late)
	got := data(follow(t, late, 0).until(t, 25))
	var want []string
	for i := range 10 {
		want = append(want, fmt.Sprint(i))
	}
	for i := range 15 {
		want = append(want, fmt.Sprint(100+i))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A master that becomes a replica, and a replica that never was one, are no
// place to follow.
func TestDemoted(t *testing.T) {
	a, z := redistest.Start(t), redistest.Start(t)
	b := connect(t, a, nil)
	mustTail(t, b)
	mustAppend(t, b, 0, 1)
	f := follow(t, b, 0)
	f.until(t, 1)
	redistest.Replicate(t, a, z)
	f.ended(t)
	_, err := b.Tail(ctx)
	if !errors.Is(err, hub.ErrUnavailable) {
		t.Errorf("Tail returned %v, want hub.ErrUnavailable", err)
	}
	if err := b.Append(ctx, record("x")); !errors.Is(err, hub.ErrUnavailable) {
		t.Errorf("Append returned %v, want hub.ErrUnavailable", err)
	}
	f = follow(t, b, 0)
	f.ended(t)
}

// A master that is cut off from its Sentinels still answers those who are
// connected to it. A Follow ends all the same once its client is led elsewhere.
func TestIsolatedMaster(t *testing.T) {
	old, now := redistest.Start(t), redistest.Start(t)
	mustTail(t, connect(t, now, nil)) // has a stream as well
	var target atomic.Value
	target.Store(old.Addr())
	c := goredis.NewClient(&goredis.Options{
		Addr:            "somewhere",
		ConnMaxLifetime: 100 * time.Millisecond, // of the pool's connections
		Dialer: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, target.Load().(string))
		},
	})
	defer c.Close()
	b := redis.New(c, nil)
	mustTail(t, b)
	mustAppend(t, b, 0, 1)
	f := follow(t, b, 0)
	f.until(t, 1)
	target.Store(now.Addr())
	f.ended(t)
}

// The connection of a Follow is silent, while those of the pool are well.
func TestSilentConnectionOfFollow(t *testing.T) {
	s := redistest.Start(t)
	proxy, err := backplanetest.NewProxy(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	var target atomic.Value
	target.Store(s.Addr())
	c := goredis.NewClient(&goredis.Options{
		Addr: "somewhere",
		Dialer: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, target.Load().(string))
		},
	})
	defer c.Close()
	b := redis.New(c, nil)
	mustTail(t, b)
	target.Store(proxy.Addr())
	f := follow(t, b, 0)
	mustAppend(t, b, 0, 1)
	f.until(t, 1)
	target.Store(s.Addr())
	proxy.SetSilent(true)
	f.ended(t)
}

// A stream that was deleted is not created by Append, which could not tell
// anybody that it is another one, but by Tail. And one that was deleted and
// created at once is noticed, although everything answers all the time.
func TestDeletedStream(t *testing.T) {
	s := redistest.Start(t)
	b, other := connect(t, s, nil), connect(t, s, nil)
	before := mustTail(t, b)
	mustAppend(t, b, 0, 3)
	run(t, s.Client(t), "DEL", "crier")
	if err := b.Append(ctx, record("x")); !errors.Is(err, hub.ErrUnavailable) {
		t.Errorf("Append returned %v, want hub.ErrUnavailable", err)
	}
	after := mustTail(t, b)
	if after.Epoch == before.Epoch || after.Last != 0 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	mustAppend(t, b, 0, 3)
	f := follow(t, b, 0)
	f.until(t, 3)
	run(t, s.Client(t), "DEL", "crier")
	mustTail(t, other)
	mustAppend(t, other, 0, 3)
	f.ended(t)
}

// Sentinel finds a new master for a client that asks it.
func TestSentinel(t *testing.T) {
	master, replica := redistest.Start(t), redistest.Start(t)
	redistest.Replicate(t, replica, master)
	sentinel := redistest.StartSentinel(t, "main", master)
	admin := goredis.NewSentinelClient(&goredis.Options{Addr: sentinel.Addr()})
	defer admin.Close()
	redistest.Eventually(t, "the Sentinel knows the replica", func() error {
		all, err := admin.Replicas(ctx, "main").Result()
		if err == nil && len(all) != 1 {
			err = fmt.Errorf("it knows %d", len(all))
		}
		return err
	})
	c := goredis.NewFailoverClient(&goredis.FailoverOptions{MasterName: "main", SentinelAddrs: []string{sentinel.Addr()}})
	defer c.Close()
	b := redis.New(c, nil)
	before := mustTail(t, b)
	mustAppend(t, b, 0, 10)
	redistest.Eventually(t, "the replica has ten records", func() error {
		n, err := replica.Client(t).XLen(ctx, "crier").Result()
		if err == nil && n != 10 {
			err = fmt.Errorf("it has %d", n)
		}
		return err
	})
	f := follow(t, b, 0)
	f.until(t, 10)
	master.Kill()
	f.ended(t)
	after := eventually(t, "Tail", func() (hub.Tail, error) { return b.Tail(ctx) })
	if after.Epoch == before.Epoch || after.Last != 10 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	f = follow(t, b, 10)
	eventually(t, "Append", func() (struct{}, error) { return struct{}{}, b.Append(ctx, record("new")) })
	if got := f.until(t, 1)[0]; got.Position != 11 || string(got.Data) != "new" {
		t.Errorf("got %d %s", got.Position, got.Data)
	}
}

// WAIT makes Append fail while a replica is missing.
func TestReplicas(t *testing.T) {
	master, replica := redistest.Start(t), redistest.Start(t)
	redistest.Replicate(t, replica, master)
	b := connect(t, master, &redis.Options{Replicas: 1, ReplicaTimeout: 2 * time.Second})
	mustTail(t, b)
	mustAppend(t, b, 0, 3)
	if n, err := replica.Client(t).XLen(ctx, "crier").Result(); n != 3 || err != nil {
		t.Errorf("the replica has %d records (%v), want 3", n, err)
	}
	replica.Stop()
	defer replica.Continue()
	if err := b.Append(ctx, record("x")); !errors.Is(err, hub.ErrUnavailable) {
		t.Errorf("Append returned %v, want hub.ErrUnavailable", err)
	}
	if _, err := connect(t, master, &redis.Options{Replicas: 1, ReplicaTimeout: time.Minute}).Tail(ctx); err == nil || errors.Is(err, hub.ErrUnavailable) {
		t.Errorf("Tail returned %v with a ReplicaTimeout over the client's ReadTimeout", err)
	}
}

// A connection that breaks while nobody reads from it is not replaced by
// go-redis's pool.
func TestCutDuringApply(t *testing.T) {
	s := redistest.Start(t)
	proxy, err := backplanetest.NewProxy(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	c := goredis.NewClient(&goredis.Options{Addr: proxy.Addr()})
	defer c.Close()
	b := redis.New(c, nil)
	mustTail(t, b)
	mustAppend(t, b, 0, 1)
	applying, cut := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- b.Follow(ctx, 0, func([]hub.SequencedRecord) error {
			close(applying) // panics, should it be called twice
			<-cut
			return nil
		})
	}()
	<-applying
	proxy.Cut()
	// The end of the connection has to arrive, and the pool must not find it
	// fresh.
	<-time.After(1500 * time.Millisecond)
	close(cut)
	select {
	case err := <-ended:
		if !errors.Is(err, hub.ErrUnavailable) {
			t.Errorf("Follow returned %v, want hub.ErrUnavailable", err)
		}
	case <-time.After(noticed):
		t.Errorf("Follow has not ended within %v", noticed)
	}
}
