package hub

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub/internal/eventlog"
)

// Open returns a hub like New. If Options.Backplane is set, the hub shares one
// sequence of events with all hubs on the backplane: an event that is published
// to any of them reaches the streams of all, in one order, and a client resumes
// at any of them.
//
// Open returns once the hub has applied what the backplane retains. If the
// backplane is unavailable, Open says so in the log and returns all the same: the
// hub refuses streams as [ReasonUnavailable] until it has caught up, so that
// clients come back later. An error is one that trying again cannot mend, or the
// cause of ctx.
//
// A hub with a backplane has a goroutine until Shutdown.
func Open(ctx context.Context, r *event.Registry, o *Options) (*Hub, error) {
	h := newHub(r, o)
	if h.options.Backplane == nil {
		return h, nil
	}
	c := &cluster{
		hub:     h,
		engine:  h.options.Backplane,
		ready:   make(chan struct{}),
		tried:   make(chan struct{}),
		stopped: make(chan struct{}),
		changed: make(chan struct{}),
		down:    time.Now(),
	}
	h.cluster = c
	c.ctx, c.stop = context.WithCancel(context.WithoutCancel(ctx))
	go c.run(c.ctx)
	select {
	case <-c.ready:
		return h, nil
	case <-c.tried:
		err := c.failure()
		if errors.Is(err, ErrUnavailable) {
			return h, nil // run has logged it
		}
		h.abandon()
		return nil, err
	case <-ctx.Done():
		h.abandon()
		return nil, context.Cause(ctx)
	}
}

// abandon shuts a hub down that was never handed out.
func (h *Hub) abandon() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	h.Shutdown(ctx)
}

// A cluster is a hub's half of a backplane: it appends what is published, and
// follows the sequence to apply it.
type cluster struct {
	hub     *Hub
	engine  Backplane
	ctx     context.Context // ends when the hub is shut down
	stop    context.CancelFunc
	stopped chan struct{} // closed when run has returned
	ready   chan struct{} // closed when the hub has caught up for the first time
	tried   chan struct{} // closed when the first attempt has failed
	tails   tails
	// end is the position at which the present epoch ended when it began: no
	// stream begins before, while what the engine retains is applied.
	end atomic.Uint64

	// The following belong to the goroutine of run.
	lastID    uuid.UUID // of the record at applied
	seen      recent    // ids of records that were applied
	comparing bool      // the next record is to be compared with lastID
	beginning bool      // no record behind applied has come over this connection
	absent    uint64    // records up to here may be missing, since their life was over
	keys      []eventlog.Key

	mu      sync.Mutex
	epoch   string
	applied uint64        // position of the last record that was applied, by the engine
	changed chan struct{} // closed, and made anew, when applied changes and somebody waits
	waiting int
	last    uint64    // the largest end of the sequence that was heard of
	down    time.Time // since when the sequence is not followed; zero if it is
	err     error     // why
}

// errRewritten means that the sequence is not the one that was followed, although
// its epoch is the same.
var errRewritten = errors.New("hub: the backplane's sequence is not the one that was followed")

// errHole means that records are missing before the first that came. Perhaps the
// engine has removed them after it was asked for its Tail.
var errHole = errors.New("hub: the backplane's sequence has a hole")

// run follows the sequence until the hub is shut down.
func (c *cluster) run(ctx context.Context) {
	defer close(c.stopped)
	const first, longest = 100 * time.Millisecond, 5 * time.Second
	wait := first
	for {
		began := time.Now()
		err := c.follow(ctx)
		for errors.Is(err, errHole) && ctx.Err() == nil {
			err = c.follow(ctx) // whose Tail says what has become of them
		}
		if ctx.Err() != nil {
			return
		}
		c.failed(err)
		if time.Since(began) > longest {
			wait = first
		}
		pause := time.NewTimer(wait/2 + rand.N(wait/2))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return
		}
		wait = min(2*wait, longest)
	}
}

// failed notes that the sequence is not followed any more.
func (c *cluster) failed(err error) {
	c.mu.Lock()
	first := c.down.IsZero() || c.err == nil
	if c.down.IsZero() {
		c.down = time.Now()
	}
	c.err = err
	c.mu.Unlock()
	if first {
		c.hub.options.Logger.Warn("crier: the backplane is not followed; streams stay open and wait", "error", err)
		c.hub.observeBackplane()
	}
	closeOnce(c.tried) // only this goroutine closes it
}

func (c *cluster) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// follow follows the sequence over one connection to the engine.
func (c *cluster) follow(ctx context.Context) error {
	tail, err := c.tail(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	epoch, applied, rewritten := c.epoch, c.applied, errors.Is(c.err, errRewritten)
	c.mu.Unlock()
	switch {
	case epoch == "":
		c.begin(tail)
	case epoch != tail.Epoch || tail.Last < applied || rewritten:
		c.restart(tail)
	case tail.First > applied+1:
		c.overtaken(tail)
	}

	// The record at the last applied position is read once more: if another
	// stands there, the engine has lost records and given positions out again.
	after := c.applied
	c.comparing = after > 0 && after >= tail.First && c.lastID != uuid.Nil
	if c.comparing {
		after--
	}
	c.beginning = true
	c.noteUp()
	return c.engine.Follow(ctx, after, c.apply)
}

// tail asks the engine for the state of its sequence.
func (c *cluster) tail(ctx context.Context) (Tail, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tail, err := c.engine.Tail(ctx)
	if err != nil {
		return Tail{}, err
	}
	c.mu.Lock()
	c.last = max(c.last, tail.Last)
	c.mu.Unlock()
	return tail, nil
}

// begin starts with what the engine retains. What was before is unknown, and a
// gap for whoever comes from there.
func (c *cluster) begin(tail Tail) {
	base := max(tail.First, 1) - 1
	c.hub.cursors.Store(epochCodec(tail.Epoch, 0))
	c.hub.store.Reset(base)
	c.position(tail.Epoch, base, tail.Last)
}

// restart begins a new epoch: records that were acknowledged may be gone, and
// nobody knows which. Every stream is told of a gap and goes on from the end of
// the new sequence. What the engine retains is applied, for those who resume
// later.
//
// Positions of the new epoch begin behind those of the old one, so that the
// positions of this process never go back.
func (c *cluster) restart(tail Tail) {
	h := c.hub
	h.options.Logger.Warn("crier: the backplane has lost records or was replaced; every stream is told of a gap", "epoch", tail.Epoch)
	h.mu.Lock() // no stream is opened meanwhile
	defer h.mu.Unlock()
	base := h.store.Head()
	first := max(tail.First, 1) - 1
	codec := epochCodec(tail.Epoch, base)
	h.cursors.Store(codec)
	h.store.Reset(base + first)
	end := base + max(tail.Last, first)
	c.end.Store(end)
	h.store.EachReader(func(r *eventlog.Reader[*Message]) {
		s := r.Owner.(*Subscription)
		s.mu.Lock()
		s.reader.Skip(end)
		s.trail = trail{from: end, opened: end, unknown: true}
		s.start = start{}
		s.pending = append(dropGaps(s.pending), newControlMessage(codec.encode(end), TypeGap, gapData.unknown))
		s.mu.Unlock()
		s.reader.Wake()
	})
	c.seen.clear()
	c.position(tail.Epoch, first, tail.Last)
}

// overtaken goes on where the engine has removed records before this process had
// applied them: every stream that is behind them is told of a gap.
func (c *cluster) overtaken(tail Tail) {
	h := c.hub
	h.options.Logger.Warn("crier: the backplane has removed records before they were applied; streams are told of a gap", "from", c.applied+1, "to", tail.First-1)
	h.store.Reset(h.cursors.Load().base + tail.First - 1)
	c.position(tail.Epoch, tail.First-1, tail.Last)
	h.store.EachReader(func(r *eventlog.Reader[*Message]) { r.Wake() })
}

// dropGaps leaves out gaps that were not handed out yet: one is enough.
func dropGaps(pending []*Message) (others []*Message) {
	for _, m := range pending {
		if m.Type() != TypeGap {
			others = append(others, m)
		}
	}
	return others
}

// position notes from where the sequence is followed.
func (c *cluster) position(epoch string, applied, last uint64) {
	c.lastID, c.absent = uuid.Nil, 0
	c.mu.Lock()
	c.epoch, c.applied, c.last = epoch, applied, last
	c.signalChange()
	c.mu.Unlock()
	c.noteCaughtUp()
}

// noteUp notes that the sequence is followed again.
func (c *cluster) noteUp() {
	c.mu.Lock()
	was := c.err
	c.down, c.err = time.Time{}, nil
	c.mu.Unlock()
	if was != nil {
		c.hub.options.Logger.Info("crier: the backplane is followed again")
		c.hub.observeBackplane()
	}
}

// noteCaughtUp lets streams in once the hub has applied what the engine held.
func (c *cluster) noteCaughtUp() {
	select {
	case <-c.ready:
		return
	default:
	}
	c.mu.Lock()
	caughtUp := c.applied >= c.last
	c.mu.Unlock()
	if caughtUp {
		close(c.ready)
	}
}

// signalChange lets those go on who wait for applied or epoch to change. The
// caller holds c.mu.
func (c *cluster) signalChange() {
	if c.waiting > 0 {
		close(c.changed)
		c.changed, c.waiting = make(chan struct{}), 0
	}
}

// publish appends an event to the sequence.
func (c *cluster) publish(ctx context.Context, e *event.Event, keys []eventlog.Key) error {
	for len(keys) > 0 {
		part := keys[:min(len(keys), eventlog.AppendAtOnce)]
		keys = keys[len(part):]
		r, err := eventRecord(e, part)
		if err != nil {
			return err
		}
		if err := c.append(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) append(ctx context.Context, r Record) error {
	if c.ctx.Err() != nil {
		return ErrClosed
	}
	return c.engine.Append(ctx, r)
}

// A BackplaneStatus says how a hub follows its backplane. In JSON, Error is its
// text.
type BackplaneStatus struct {
	Following bool      `json:"following"`       // the hub is connected to the engine and follows it
	Since     time.Time `json:"since,omitzero"`  // since when it is not; zero if it is
	Error     error     `json:"error,omitempty"` // why it is not
	Epoch     string    `json:"epoch"`
	Applied   uint64    `json:"applied"` // position of the last record that was applied
	Lag       uint64    `json:"lag"`     // records that are known to be in the sequence and are not applied
}

// MarshalJSON implements json.Marshaler.
func (s BackplaneStatus) MarshalJSON() ([]byte, error) {
	type plain BackplaneStatus // without this method
	v := struct {
		plain
		Error string `json:"error,omitempty"` // takes the place of plain's
	}{plain: plain(s)}
	if s.Error != nil {
		v.Error = s.Error.Error()
	}
	return json.Marshal(v)
}

func (c *cluster) status() BackplaneStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	return BackplaneStatus{
		Following: c.down.IsZero(),
		Since:     c.down,
		Error:     c.err,
		Epoch:     c.epoch,
		Applied:   c.applied,
		Lag:       max(c.last, c.applied) - c.applied,
	}
}
