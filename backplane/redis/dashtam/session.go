package dashtam

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/redis/internal/client"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

const (
	// pingEvery is how often a checkpoint is made.
	pingEvery = time.Second
	// A connection on which nothing came for silentFor, not even the answer to
	// a PING, is dead.
	silentFor = 5 * time.Second
)

var errServer = errors.New("the server was restarted or replaced")

// A look is what a server says about itself at one moment.
type look struct {
	replid string    // of the server's history of data
	at     time.Time // by the server's clock
	// publishes is how many PUBLISH commands the server has executed, or -1 if
	// that says nothing.
	publishes int64
}

// A checkpoint says up to where everything that was published has been heard.
type checkpoint struct {
	look
	local time.Time // when it was made, by this process's clock
	heard int64     // messages that came since
}

// session listens on one connection until it breaks. Its error wraps
// hub.ErrUnavailable if another session may do better.
func (b *Bridge) session(ctx context.Context) error {
	const what = "listen"
	ctx, cancel := context.WithCancelCause(ctx)
	var pinging sync.WaitGroup
	defer pinging.Wait()
	defer cancel(nil)
	failed := func(err error) error {
		if ctx.Err() != nil { // whatever ends it also breaks the connection
			return context.Cause(ctx)
		}
		return client.Failed(b.client, what, err)
	}

	n, err := client.Node(ctx, b.client, broadcastChannel)
	if err != nil {
		return err
	}
	c := client.NewConn(n.Options(), silentFor)
	defer c.Close()
	defer context.AfterFunc(ctx, c.Cut)()
	p := c.PSubscribe(ctx, userChannels)
	defer p.Close()
	subscriptions := 1
	if !b.options.NoBroadcasts {
		subscriptions++
		if err := p.Subscribe(ctx, broadcastChannel); err != nil {
			return failed(err)
		}
	}
	var early []*redis.Message
	for subscriptions > 0 {
		m, err := p.ReceiveTimeout(ctx, silentFor)
		if err != nil {
			return failed(err)
		}
		switch m := m.(type) {
		case *redis.Subscription:
			subscriptions--
		case *redis.Message:
			early = append(early, m)
		}
	}
	// From here on the server keeps for us what is published, while we read
	// what was published before.
	now, err := b.look(ctx)
	if err != nil {
		return err
	}
	if err := b.catchUp(ctx, now); err != nil {
		return err
	}
	b.connections.Add(1)
	b.listening.Store(true)
	select {
	case <-b.ready:
	default:
		close(b.ready)
	}
	for _, m := range early {
		if err := b.hear(ctx, m); err != nil {
			return err
		}
	}

	looks, pongs := make(chan look, 1), make(chan struct{}, 1)
	pinging.Go(func() { cancel(b.ping(ctx, p, now.replid, looks, pongs)) })
	for {
		m, err := p.ReceiveTimeout(ctx, silentFor)
		if err != nil {
			return failed(err)
		}
		switch m := m.(type) {
		case *redis.Message:
			if err := b.hear(ctx, m); err != nil {
				return err
			}
		case *redis.Pong:
			select {
			case l := <-looks:
				b.mark = checkpoint{look: l, local: time.Now()}
				b.checkpoints.Add(1)
				b.forget()
				pongs <- struct{}{}
			default:
			}
		}
	}
}

// ping looks at the server once a second, and then sends a PING on the
// connection: once it is answered, everything has come that was published before
// the look. It returns why the session has to end, or nil when ctx ends.
func (b *Bridge) ping(ctx context.Context, p *redis.PubSub, replid string, looks chan<- look, pongs <-chan struct{}) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		l, err := b.look(ctx)
		switch {
		case err == nil && l.replid != replid:
			return client.Unavailable("listen", errServer)
		case err == nil:
			looks <- l
			if err := p.Ping(ctx); err != nil {
				return client.Unavailable("listen", err)
			}
			select {
			case <-ctx.Done():
				return nil
			case <-pongs:
			}
		case !errors.Is(err, hub.ErrUnavailable):
			return err
		default:
			// The pool may be exhausted. If the server is away, no PING is
			// answered, and the connection counts as dead.
		}
		timer.Reset(pingEvery)
	}
}

// look asks the server that the client is led to.
func (b *Bridge) look(ctx context.Context) (look, error) {
	const what = "ask the server for its state"
	return client.Bounded(ctx, what, func() (look, error) {
		n, err := client.Node(ctx, b.client, broadcastChannel)
		if err != nil {
			return look{}, err
		}
		var replication, stats *redis.StringCmd
		var clock *redis.TimeCmd
		_, err = n.Pipelined(ctx, func(p redis.Pipeliner) error {
			replication = p.Info(ctx, "replication")
			stats = p.Info(ctx, "commandstats")
			clock = p.Time(ctx)
			return nil
		})
		if err != nil {
			return look{}, client.Failed(b.client, what, err)
		}
		l := look{
			replid:    client.Field(replication.Val(), "master_replid"),
			at:        clock.Val(),
			publishes: publishes(stats.Val()),
		}
		if l.replid == "" {
			return look{}, errors.New("dashtam: the server does not tell its master_replid in INFO replication, so that a failover could not be noticed")
		}
		// In a cluster, and on a replica, messages come that were published
		// elsewhere.
		if _, ok := b.client.(*redis.ClusterClient); ok || client.Field(replication.Val(), "role") != "master" {
			l.publishes = -1
		}
		return l, nil
	})
}

// publishes reads how often PUBLISH was executed, in scripts and transactions
// too, from INFO commandstats.
func publishes(info string) int64 {
	stat := client.Field(info, "cmdstat_publish")
	if stat == "" {
		return 0
	}
	calls, _, _ := strings.Cut(strings.TrimPrefix(stat, "calls="), ",")
	n, err := strconv.ParseInt(calls, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// hear takes a message. Its error ends the session; a message that cannot be
// published is no error.
func (b *Bridge) hear(ctx context.Context, m *redis.Message) error {
	b.received.Add(1)
	b.mark.heard++
	e, broadcast, err := decodeMessage(b.hub.Registry(), m.Channel, m.Payload)
	if err != nil {
		b.drop(err)
		return nil
	}
	user := e.User()
	if broadcast {
		user = uuid.Nil
	}
	_, err = b.deliver(ctx, user, e)
	return err
}

// deliver publishes an event to the hub, unless it has been. The nil user is
// everyone.
func (b *Bridge) deliver(ctx context.Context, user uuid.UUID, e *event.Event) (fresh bool, err error) {
	now := time.Now()
	if !b.seen.add(delivery{user, e.ID()}, now, b.horizon()) {
		b.repeated.Add(1)
		return false, nil
	}
	if user == uuid.Nil {
		err = b.hub.Broadcast(ctx, e)
	} else {
		if b.options.Retention {
			b.heard[user] = now
		}
		err = b.hub.Publish(ctx, e)
	}
	switch {
	case errors.Is(err, hub.ErrClosed):
		return false, err
	case err != nil:
		b.drop(&dropped{DroppedRefused, err})
		return false, nil
	}
	b.published.Add(1)
	return true, nil
}

func (b *Bridge) drop(err error) {
	kind := DroppedMalformed
	if d, ok := errors.AsType[*dropped](err); ok {
		kind = d.kind
	}
	b.notices.drop(kind, err)
}

// horizon is until when deliveries need not be remembered: a catch-up looks back
// to slack before the last checkpoint.
func (b *Bridge) horizon() time.Time { return b.mark.local.Add(-2 * slack) }

// forget drops what StreamLife no longer needs.
func (b *Bridge) forget() {
	if time.Since(b.forgot) < time.Minute {
		return
	}
	b.forgot = time.Now()
	for user, at := range b.heard {
		if time.Since(at) > b.options.StreamLife+time.Minute {
			delete(b.heard, user)
		}
	}
}
