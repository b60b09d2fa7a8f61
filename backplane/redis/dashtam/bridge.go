package dashtam

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// A Hub is where a [Bridge] publishes what it hears: a hub in memory.
type Hub interface {
	Registry() *event.Registry
	Publish(context.Context, *event.Event) error
	Broadcast(context.Context, *event.Event) error
	// Users returns the users that have a stream open or for whom events are
	// retained.
	Users() []uuid.UUID
	// TellGap records that events may be missing at this point, for every user
	// but those in complete. Streams that are open are told a gap in its place,
	// and so is whoever resumes later from a position before it, also a user
	// for whom the hub retains nothing.
	TellGap(ctx context.Context, complete ...uuid.UUID) error
}

// Options set up a [Bridge]. The zero value of every field means its default,
// and nil Options mean all defaults. A value out of range is a programming
// error: New panics.
type Options struct {
	// Retention says that the Python service has its retention on, so that it
	// adds every user's event to the user's stream as well. Then the bridge
	// reads missed events from these streams, and adds to them what it
	// publishes. Default false: every lost connection is a gap.
	Retention bool
	// StreamLength is the service's MAXLEN of a user's stream. Default 1000.
	StreamLength int
	// StreamLife is the TTL that the service sets once, when a user's stream
	// begins. Default 1 hour, at least 1 second.
	StreamLife time.Duration
	// NoBroadcasts says that nobody publishes to sse:broadcast. Then the bridge
	// does not listen there, and a lost connection is no gap for users whose
	// streams can be read. Default false: because broadcasts are retained
	// nowhere, a lost connection is a gap for everyone, unless nothing at all
	// was published meanwhile.
	NoBroadcasts bool
	// Logger receives messages that are dropped and connections that are lost,
	// each kind at most once a minute. Default slog.Default().
	Logger *slog.Logger
}

func (o *Options) resolved() Options {
	var r Options
	if o != nil {
		r = *o
	}
	if r.StreamLength == 0 {
		r.StreamLength = 1000
	}
	if r.StreamLength < 0 {
		panic(fmt.Sprintf("dashtam: Options.StreamLength is %d", r.StreamLength))
	}
	if r.StreamLife == 0 {
		r.StreamLife = time.Hour
	}
	if r.StreamLife < time.Second {
		panic(fmt.Sprintf("dashtam: Options.StreamLife is %v, which is shorter than a second", r.StreamLife))
	}
	if r.Logger == nil {
		r.Logger = slog.Default()
	}
	return r
}

// A Bridge connects a hub with the Redis of a Python service. Make one with
// [New] and let [Bridge.Run] run; all methods are safe for concurrent use. It
// must not be copied.
type Bridge struct {
	client  redis.UniversalClient
	hub     Hub
	options Options
	notices notices

	running atomic.Bool
	ready   chan struct{} // closed when it listens for the first time

	received, published, repeated, recovered, gaps, connections, checkpoints atomic.Uint64
	listening                                                                atomic.Bool

	// What follows belongs to Run.

	seen  recent
	heard map[uuid.UUID]time.Time // when a user's last event came, for StreamLife
	// coverage is since when no event can have been missed by this process.
	coverage time.Time
	mark     checkpoint
	forgot   time.Time // when heard was cleared of what is too old
}

// New returns a bridge between h and the server of client, which must be a
// *redis.Client (also one of redis.NewFailoverClient) or a *redis.ClusterClient.
// The client remains the caller's. New does not connect to the server. Nil
// options mean the defaults.
func New(client redis.UniversalClient, h Hub, o *Options) *Bridge {
	if client == nil || h == nil {
		panic("dashtam: New: the client or the hub is nil")
	}
	b := &Bridge{
		client:  client,
		hub:     h,
		options: o.resolved(),
		ready:   make(chan struct{}),
		heard:   map[uuid.UUID]time.Time{},
	}
	b.notices.log = b.options.Logger
	return b
}

// Ready returns a channel that is closed once Run listens for the first time:
// what is published from then on is delivered or told as a gap. An application
// serves streams after that.
func (b *Bridge) Ready() <-chan struct{} { return b.ready }

// Run listens, and publishes to the hub what it hears, until ctx ends, the hub
// is closed, or an error happens that trying again cannot mend. It returns the
// cause of ctx, hub.ErrClosed, or that error. When the connection breaks, Run
// connects again, after a pause of up to 5 seconds, and catches up. Run may run
// once at a time.
func (b *Bridge) Run(ctx context.Context) error {
	if !b.running.CompareAndSwap(false, true) {
		return errors.New("dashtam: the bridge is running already")
	}
	defer b.running.Store(false)
	pause := minPause
	for {
		began := time.Now()
		err := b.session(ctx)
		b.listening.Store(false)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, hub.ErrClosed), !errors.Is(err, hub.ErrUnavailable):
			return err
		}
		b.notices.note("connection", "the connection to Redis was lost or could not be made", "error", err)
		if time.Since(began) > maxPause {
			pause = minPause
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2+1))
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
		pause = min(2*pause, maxPause)
	}
}

const (
	minPause = 50 * time.Millisecond
	maxPause = 5 * time.Second
)

// Stats are a bridge's numbers.
type Stats struct {
	// Listening reports whether the bridge is connected now.
	Listening bool
	// Connections counts the times that it has been.
	Connections uint64
	// Received counts messages from Pub/Sub.
	Received uint64
	// Published counts events that the hub was given, and Recovered those of
	// them that were read from a user's stream after a lost connection.
	Published, Recovered uint64
	// Repeated counts events that came again and were not published again.
	Repeated uint64
	// Gaps counts the gaps that the hub was told.
	Gaps uint64
	// Dropped counts messages that could not be published, by kind: see the
	// constants. Nil means none.
	Dropped map[string]uint64
}

// The kinds of messages that are dropped.
const (
	DroppedUnknownType = "unknown type"  // the hub's registry does not have the type
	DroppedMalformed   = "malformed"     // not JSON, or a field is missing or invalid
	DroppedChannel     = "wrong channel" // the channel's user is no UUID
	DroppedUser        = "wrong user"    // the event's user is not the channel's
	DroppedRefused     = "refused"       // the hub refused the event, such as one that is too large
)

// Stats returns the bridge's numbers.
func (b *Bridge) Stats() Stats {
	return Stats{
		Listening:   b.listening.Load(),
		Connections: b.connections.Load(),
		Received:    b.received.Load(),
		Published:   b.published.Load(),
		Recovered:   b.recovered.Load(),
		Repeated:    b.repeated.Load(),
		Gaps:        b.gaps.Load(),
		Dropped:     b.notices.dropped(),
	}
}

// notices counts and logs what goes wrong, each kind at most once a minute.
type notices struct {
	log *slog.Logger

	mu    sync.Mutex
	kinds map[string]*notice
	drops map[string]uint64
}

type notice struct {
	logged time.Time
	held   int // since then
}

const noticeEvery = time.Minute

func (n *notices) note(kind, text string, args ...any) {
	n.mu.Lock()
	k := n.kinds[kind]
	if k == nil {
		if n.kinds == nil {
			n.kinds = map[string]*notice{}
		}
		k = &notice{}
		n.kinds[kind] = k
	}
	if time.Since(k.logged) < noticeEvery {
		k.held++
		n.mu.Unlock()
		return
	}
	held := k.held
	*k = notice{logged: time.Now()}
	n.mu.Unlock()
	if held > 0 {
		args = append(args, "not_logged_since", held)
	}
	n.log.Warn("dashtam: "+text, args...)
}

// drop counts and logs a message that is dropped. err must not repeat what came
// from outside.
func (n *notices) drop(kind string, err error) {
	n.mu.Lock()
	if n.drops == nil {
		n.drops = map[string]uint64{}
	}
	n.drops[kind]++
	n.mu.Unlock()
	n.note(kind, "a message was dropped: "+kind, "error", err)
}

func (n *notices) dropped() map[string]uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all map[string]uint64
	for kind, count := range n.drops {
		if all == nil {
			all = map[string]uint64{}
		}
		all[kind] = count
	}
	return all
}
