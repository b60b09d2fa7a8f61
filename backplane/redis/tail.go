package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/redis/internal/client"
	"github.com/crier-go/crier/hub"
)

// create creates the stream and its identity, unless the key exists.
var create = redis.NewScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then
	redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
end
return 1`)

// Tail implements [hub.Backplane]. It returns once ctx ends, though the command
// may then still be under way.
//
// It returns an error that does not wrap hub.ErrUnavailable for what trying
// again cannot mend: a server older than Redis 7.0; a maxmemory-policy that may
// evict the stream; a key that is not a stream, was not created by this
// package, expires, or has ids that this package does not give; missing
// permissions; a client without ReadTimeout. That the server is a replica may
// pass, since clients meet that during a failover.
func (b *Backplane) Tail(ctx context.Context) (hub.Tail, error) {
	t, err := client.Bounded(ctx, "ask for the end of the stream", func() (hub.Tail, error) { return b.tail(ctx) })
	if err == nil {
		b.epoch.Store(t.Epoch)
	}
	return t, err
}

func (b *Backplane) tail(ctx context.Context) (hub.Tail, error) {
	const what = "create the stream"
	n, err := client.Node(ctx, b.client, b.options.Stream)
	if err != nil {
		return hub.Tail{}, err
	}
	if err := b.checkClient(n.Options()); err != nil {
		return hub.Tail{}, err
	}
	t, err := b.look(ctx, n)
	if !errors.Is(err, errNoStream) {
		return t, err
	}
	identity := identityPrefix + uuid.NewString()
	if err := create.Run(ctx, n, []string{b.options.Stream}, identity).Err(); err != nil {
		return hub.Tail{}, client.Failed(b.client, what, err)
	}
	t, err = b.look(ctx, n)
	if errors.Is(err, errNoStream) { // deleted in between
		return hub.Tail{}, client.Unavailable(what, err)
	}
	return t, err
}

func (b *Backplane) checkClient(o *redis.Options) error {
	if o.ReadTimeout <= 0 {
		return errors.New("redis: the client has no ReadTimeout, so that a dead connection would not be noticed; set one")
	}
	if b.options.Replicas > 0 && b.options.ReplicaTimeout >= o.ReadTimeout {
		return fmt.Errorf("redis: Options.ReplicaTimeout is %v, which must be shorter than the client's ReadTimeout of %v",
			b.options.ReplicaTimeout, o.ReadTimeout)
	}
	return nil
}

// look reads the state of the server and of the stream, and checks both.
// errNoStream means that there is no stream yet; the server has then been
// checked.
func (b *Backplane) look(ctx context.Context, c redis.Cmdable) (hub.Tail, error) {
	var server, memory *redis.StringCmd
	var ttl *redis.IntCmd
	var stream *redis.XInfoStreamCmd
	var before, after epochCmds
	key := b.options.Stream
	// What was read between two equal epochs belongs to this epoch. (Not MULTI,
	// which a server that is full refuses.)
	_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		before = askEpoch(ctx, p, key)
		server = p.Info(ctx, "server")
		memory = p.Info(ctx, "memory")
		ttl = redis.NewIntCmd(ctx, "PTTL", key)
		_ = p.Process(ctx, ttl)
		stream = p.XInfoStream(ctx, key)
		after = askEpoch(ctx, p, key)
		return nil
	})
	// A connection that cannot be set up leaves the commands without an error.
	if err != nil && server.Val() == "" {
		return hub.Tail{}, client.Failed(b.client, "ask the server for its state", err)
	}
	for _, cmd := range []redis.Cmder{server, memory, ttl} {
		if err := cmd.Err(); err != nil {
			return hub.Tail{}, client.Failed(b.client, "ask the server for its state", err)
		}
	}
	if err := checkVersion(server.Val()); err != nil {
		return hub.Tail{}, err
	}
	if err := checkMemory(memory.Val()); err != nil {
		return hub.Tail{}, err
	}
	epoch, err := before.epoch(b)
	if err != nil {
		return hub.Tail{}, err
	}
	if again, err := after.epoch(b); err != nil {
		return hub.Tail{}, err
	} else if again != epoch {
		return hub.Tail{}, client.Unavailable("look at the stream", errEpoch)
	}
	if err := stream.Err(); err != nil {
		return hub.Tail{}, client.Failed(b.client, fmt.Sprintf("look at the stream %q", key), err)
	}
	if ttl.Val() >= 0 {
		return hub.Tail{}, fmt.Errorf("redis: the key %q expires in %d ms; PERSIST it", key, ttl.Val())
	}
	t, err := tailOf(stream.Val())
	if err != nil {
		return hub.Tail{}, fmt.Errorf("redis: the stream %q: %w", key, err)
	}
	t.Epoch = epoch
	return t, nil
}

func tailOf(s *redis.XInfoStream) (hub.Tail, error) {
	last, err := position(s.LastGeneratedID)
	if err != nil {
		return hub.Tail{}, err
	}
	t := hub.Tail{First: last + 1, Last: last}
	if s.Length > 0 {
		if t.First, err = position(s.FirstEntry.ID); err != nil {
			return hub.Tail{}, err
		}
	}
	// Nobody should XDEL a record. If somebody did, what is behind it is all
	// that is complete. (Trimming does not count here.)
	if s.MaxDeletedEntryID != "" {
		deleted, err := position(s.MaxDeletedEntryID)
		if err != nil {
			return hub.Tail{}, err
		}
		t.First = max(t.First, deleted+1)
	}
	return t, nil
}

// position reads an id, which is "0-" and the position.
func position(id string) (uint64, error) {
	digits, ok := strings.CutPrefix(id, "0-")
	p, err := strconv.ParseUint(digits, 10, 61)
	if !ok || err != nil {
		return 0, fmt.Errorf("the id %.50q is not one that this package gives", id)
	}
	return p, nil
}

func checkVersion(info string) error {
	version := client.Field(info, "redis_version")
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < 7 {
		return fmt.Errorf("redis: the server is Redis %.50q; 7.0 is needed, for stream ids without a clock (XADD 0-*)", version)
	}
	return nil
}

func checkMemory(info string) error {
	policy, limit := client.Field(info, "maxmemory_policy"), client.Field(info, "maxmemory")
	if limit != "0" && strings.HasPrefix(policy, "allkeys") {
		return fmt.Errorf("redis: maxmemory-policy is %.50s and maxmemory %.50s, so that the server may evict the stream; use noeviction or a volatile policy", policy, limit)
	}
	return nil
}
