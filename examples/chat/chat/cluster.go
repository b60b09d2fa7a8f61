package chat

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
)

// A cluster is what this process tells the others, apart from messages: who comes
// and goes here. With a backplane, publishing waits for an engine, so it happens
// in a goroutine of its own.
type cluster struct {
	server    *server
	id        uuid.UUID // of this process, until it ends
	backplane hub.Backplane
	announced chan announcement
	ctx       context.Context
	cancel    context.CancelFunc
	done      chan struct{}
}

type announcement struct {
	at   stay
	here bool
}

// publishTime is how long one publish about presence may wait for the engine.
const publishTime = 5 * time.Second

func newCluster(s *server, backplane hub.Backplane) *cluster {
	c := &cluster{
		server:    s,
		id:        uuid.New(),
		backplane: backplane,
		announced: make(chan announcement, 4096),
		done:      make(chan struct{}),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

func (c *cluster) start() { go c.run() }

// close ends the goroutine, and waits for it.
func (c *cluster) close() {
	c.cancel()
	<-c.done
}

// announce has it announced that somebody came or left.
func (c *cluster) announce(at stay, here bool) {
	select {
	case c.announced <- announcement{at, here}:
	default: // the engine is away; pages read who is online when they come back
		c.server.log.Warn("presence is not announced: too much waits for the backplane")
	}
}

func (c *cluster) run() {
	defer close(c.done)
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	var reported time.Time
	for {
		select {
		case <-c.ctx.Done():
			return
		case a := <-c.announced:
			ctx, cancel := context.WithTimeout(c.ctx, publishTime)
			c.server.announceNow(ctx, a.at, a.here)
			cancel()
		case now := <-tick.C:
			stays, ok := c.server.presence.due(now.Sub(reported) >= reportAlive)
			if !ok {
				continue
			}
			if err := c.report(stays); err != nil {
				c.server.presence.extend(time.Now())
				continue
			}
			reported = now
			c.server.presence.forget(c.id, time.Now())
		}
	}
}

// report tells the other processes who is here.
func (c *cluster) report(stays []stay) error {
	ctx, cancel := context.WithTimeout(c.ctx, publishTime)
	defer cancel()
	r := processReport{Process: c.id, Online: []person{}, Rooms: map[string][]uuid.UUID{}}
	for _, at := range stays {
		if at.Room != "" {
			r.Rooms[at.Room] = append(r.Rooms[at.Room], at.User)
		} else if p, ok := c.server.people.lookup(at.User); ok {
			r.Online = append(r.Online, p)
		}
	}
	e, err := processReported.New(uuid.Nil, r)
	if err == nil {
		err = c.server.hub.PublishTo(ctx, e, hub.Topic(journalTopic))
	}
	if err != nil && !errors.Is(err, hub.ErrUnavailable) && !errors.Is(err, hub.ErrClosed) {
		c.server.log.Error("who is here is not reported", "error", err)
	}
	return err
}

// reported takes a report, which may be this process's own.
func (s *server) reported(r processReport) {
	if s.cluster != nil && r.Process != s.cluster.id {
		s.presence.note(r, time.Now())
	}
}

// awaitTime bounds await.
const awaitTime = time.Second

// await waits until this process has applied what the backplane's sequence holds
// now, and reports whether anything may have changed.
func (s *server) await(ctx context.Context) bool {
	if s.cluster == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, awaitTime)
	defer cancel()
	tail, err := s.cluster.backplane.Tail(ctx)
	if err != nil {
		return false
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for s.hub.Stats().Backplane.Applied < tail.Last {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	s.journal.catchUp()
	return true
}
