package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/redis/internal/client"
	"github.com/crier-go/crier/hub"
)

const (
	// An XREAD returns after blockFor without records; a reply that is
	// answerWithin late means that the connection is dead.
	blockFor     = 2 * time.Second
	answerWithin = 3 * time.Second
	// checkEvery is how often a Follow asks whether the server that clients
	// are routed to still is in the same epoch; it ends once nobody has
	// answered for silentFor.
	checkEvery = time.Second
	silentFor  = 8 * time.Second
)

// The COUNT of an XREAD adapts to the size of the records, so that a reply is
// about replyBytes.
const (
	firstCount = 16
	maxCount   = 512
	replyBytes = 256 << 10
)

// Follow implements [hub.Backplane]. It reads with XREAD BLOCK on a connection
// of its own, which it dials with the client's options (hooks do not apply).
// Beside that, it asks the server once a second, through the client, which
// epoch it is in, and ends when that is not the epoch of the most recent
// [Backplane.Tail]: after a failover, a restart, FLUSHALL or DEL, and also when
// the client has moved to another server while the old one still answers. A
// connection that is dead without saying so is noticed within 5 seconds.
func (b *Backplane) Follow(ctx context.Context, after uint64, apply func([]hub.SequencedRecord) error) error {
	const what = "follow the stream"
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel(nil)

	n, err := client.Node(ctx, b.client, b.options.Stream)
	if err != nil {
		return err
	}
	c := client.NewConn(n.Options(), blockFor+answerWithin)
	defer c.Close()
	defer context.AfterFunc(ctx, c.Cut)()

	t, err := b.look(ctx, c)
	switch {
	case ctx.Err() != nil: // whatever ends it also breaks the connection
		return context.Cause(ctx)
	case errors.Is(err, errNoStream):
		return client.Unavailable(what, err)
	case err != nil:
		return err
	}
	epoch, _ := b.epoch.Load().(string)
	if epoch != "" && epoch != t.Epoch {
		return client.Unavailable(what, errEpoch)
	}
	if after > t.Last {
		return client.Unavailable(what, fmt.Errorf("the stream ends at %d, which is before %d", t.Last, after))
	}
	watching.Go(func() { cancel(b.watch(ctx, t.Epoch)) })

	r := reader{client: b.client, stream: b.options.Stream, after: after, first: true, count: firstCount}
	for {
		batch, err := r.read(ctx, c.Client)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			continue
		}
		if err := apply(batch); err != nil {
			return err
		}
	}
}

// watch returns an error once the stream can no longer be followed in epoch, or
// nil when ctx ends. It also retires old records.
func (b *Backplane) watch(ctx context.Context, epoch string) error {
	const what = "follow the stream"
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	heard := time.Now()
	answers := make(chan error, 1)
	asking := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-answers:
			asking = false
			switch {
			case err == nil:
				heard = time.Now()
			case errors.Is(err, errEpoch), errors.Is(err, errReplica), errors.Is(err, errNoStream):
				return client.Unavailable(what, err)
			case !errors.Is(err, hub.ErrUnavailable):
				return err
			}
		case <-tick.C:
			if time.Since(heard) > silentFor {
				return client.Unavailable(what, fmt.Errorf("the server has not told its state for %v", silentFor))
			}
			if !asking {
				asking = true
				// In a goroutine, because go-redis does not return when ctx ends.
				go func() { answers <- b.check(ctx, epoch) }()
			}
		}
	}
}

// check compares the server's epoch with the one that is followed.
func (b *Backplane) check(ctx context.Context, epoch string) error {
	n, err := client.Node(ctx, b.client, b.options.Stream)
	if err != nil {
		return err
	}
	var asked epochCmds
	_, err = n.Pipelined(ctx, func(p redis.Pipeliner) error {
		asked = askEpoch(ctx, p, b.options.Stream)
		return nil
	})
	if err != nil && asked.replication.Val() == "" { // as in look
		return client.Failed(b.client, "ask the server for its state", err)
	}
	now, err := asked.epoch(b)
	if err != nil {
		return err
	}
	if now != epoch {
		return errEpoch
	}
	groups := asked.groups.Val()
	return b.retire(ctx, n, identityOf(groups), groups)
}
