package backplanetest

import (
	"context"
	"fmt"
	"time"

	"github.com/crier-go/crier/hub"
)

// silence is how long a Handle takes to notice that its connection is dead.
const silence = 8 * time.Second

// maxBatch is how many records a Handle hands over at once, at most.
const maxBatch = 256

// A Handle is one process's connection to a [Memory]. It is a [hub.Backplane],
// and safe for concurrent use.
//
// The data that it hands to apply is overwritten once apply has returned, which
// the contract allows: a hub that retains it is noticed. Where the newest records
// are gone because their life is over, it hands over their last position with a
// zero [hub.Record].
type Handle struct {
	m *Memory

	// The following are guarded by m.mu.
	faults Faults
	broken int       // how often Break was called
	silent time.Time // since when faults.Silent is set
	epoch  string    // what the last Tail returned
}

// Faults are what goes wrong between a process and the engine. The zero value
// is a perfect connection.
type Faults struct {
	// Lag is the time from when the engine accepts a record to when Follow
	// hands it over.
	Lag time.Duration
	// Away means that this process cannot reach the engine: every call fails
	// at once, and running Follows end.
	Away bool
	// Silent means that the connection is dead without saying so: Append and
	// Tail wait until their context ends, and Follow until it notices, after
	// 8 seconds.
	Silent bool
	// Append, if it is not nil, decides what goes wrong with an Append. It may
	// be called concurrently.
	Append func(hub.Record) AppendFault
	// Follow, if it is not nil, is called before each batch of n records, and
	// decides how many of them arrive. If they are fewer than n, the
	// connection breaks after them. It may be called concurrently.
	Follow func(n int) int
}

// An AppendFault is what goes wrong with one Append. The zero value is nothing.
type AppendFault struct {
	// Delay is the time before the record reaches the engine.
	Delay time.Duration
	// Lost means that the connection breaks before the record has reached the
	// engine: Append fails, and the record is not in the sequence.
	Lost bool
	// Repeat is how many more times the record is added, as by a backplane
	// that tries again.
	Repeat int
	// Unacknowledged means that the connection breaks before the engine's
	// acknowledgement arrives: Append fails, and the record is in the
	// sequence.
	Unacknowledged bool
	// AckDelay is the time from when the engine accepts the record to when
	// Append returns. Concurrent Appends with different delays return in
	// another order than that of the sequence.
	AckDelay time.Duration
}

// SetFaults replaces what goes wrong from now on.
func (h *Handle) SetFaults(f Faults) {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if f.Silent && !h.faults.Silent {
		h.silent = time.Now()
	}
	h.faults = f
	h.m.changeLocked()
}

// Break breaks the connection: every running Follow of this handle ends. New
// calls use a new connection.
func (h *Handle) Break() {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	h.broken++
	h.m.changeLocked()
}

var (
	errAway   = fmt.Errorf("%w: the engine is away", hub.ErrUnavailable)
	errLost   = fmt.Errorf("%w: the connection broke", hub.ErrUnavailable)
	errSilent = fmt.Errorf("%w: nothing was heard of the engine for %v", hub.ErrUnavailable, silence)
	errMissed = fmt.Errorf("%w: records were removed before they were read", hub.ErrUnavailable)
	errEpoch  = fmt.Errorf("%w: the sequence is another one than Tail has seen", hub.ErrUnavailable)
	errBeyond = fmt.Errorf("%w: the sequence ends before the position", hub.ErrUnavailable)
)

// Append is that of [hub.Backplane].
func (h *Handle) Append(ctx context.Context, r hub.Record) error {
	if len(r.Data) > MemoryLimit {
		return &hub.RecordTooLargeError{Size: len(r.Data), Limit: MemoryLimit}
	}
	h.m.mu.Lock()
	decide := h.faults.Append
	h.m.mu.Unlock()
	var fault AppendFault
	if decide != nil {
		fault = decide(r)
	}
	if err := sleep(ctx, fault.Delay); err != nil {
		return err
	}
	if err := h.reach(ctx); err != nil {
		return err
	}
	if fault.Lost {
		return errLost
	}
	for range 1 + fault.Repeat {
		h.m.append(r)
	}
	if fault.Unacknowledged {
		return errLost
	}
	return sleep(ctx, fault.AckDelay)
}

// Tail is that of [hub.Backplane].
func (h *Handle) Tail(ctx context.Context) (hub.Tail, error) {
	if err := h.reach(ctx); err != nil {
		return hub.Tail{}, err
	}
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	t := h.m.tailLocked()
	h.epoch = t.Epoch
	return t, nil
}

// Follow is that of [hub.Backplane].
func (h *Handle) Follow(ctx context.Context, after uint64, apply func(batch []hub.SequencedRecord) error) error {
	if err := h.reach(ctx); err != nil {
		return err
	}
	m := h.m
	m.mu.Lock()
	f := following{h: h, after: after, resets: m.resets, broken: h.broken}
	var err error
	switch t := m.tailLocked(); {
	case h.epoch != "" && h.epoch != t.Epoch:
		err = errEpoch
	case after > t.Last:
		err = errBeyond
	default:
		f.after = max(after, t.First-1)
	}
	m.mu.Unlock()
	for err == nil {
		err = f.step(ctx, apply)
	}
	f.scribble()
	return err
}

// A following is one running Follow.
type following struct {
	h      *Handle
	after  uint64
	resets int // of the Memory, when it began
	broken int // of the Handle, when it began
	batch  []hub.SequencedRecord
	data   []byte // of the batch
}

// step applies one batch, or waits for a change.
func (f *following) step(ctx context.Context, apply func([]hub.SequencedRecord) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	f.scribble()
	f.h.m.mu.Lock()
	wait, err := f.readLocked()
	changed, decide := f.h.m.changed, f.h.faults.Follow
	f.h.m.mu.Unlock()
	if err != nil {
		return err
	}
	if n := len(f.batch); n > 0 {
		arrive := n
		if decide != nil {
			arrive = min(max(decide(n), 0), n)
		}
		if arrive > 0 {
			f.after = f.batch[arrive-1].Position // apply may alter the batch
			if err := apply(f.batch[:arrive]); err != nil {
				return err
			}
		}
		if arrive < n {
			return errLost
		}
		return nil
	}
	var timeout <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-changed:
	case <-timeout:
	}
	return nil
}

// readLocked fills the batch with what has arrived. If that is nothing, it
// returns after which time something may happen without a change; zero if only
// with one.
func (f *following) readLocked() (wait time.Duration, err error) {
	h, m := f.h, f.h.m
	switch {
	case m.away || h.faults.Away:
		return 0, errAway
	case f.resets != m.resets || f.broken != h.broken:
		return 0, errLost
	case h.faults.Silent:
		wait = silence - time.Since(h.silent)
		if wait <= 0 {
			return 0, errSilent
		}
		return wait, nil
	}
	t := m.tailLocked()
	if t.First > f.after+1 {
		return 0, errMissed
	}
	now := time.Now()
	for _, r := range m.records[m.searchLocked(f.after):] {
		if wait = r.at.Add(h.faults.Lag).Sub(now); wait > 0 || len(f.batch) == maxBatch {
			break
		}
		start := len(f.data)
		f.data = append(f.data, r.Data...)
		r.Data = f.data[start:len(f.data):len(f.data)]
		f.batch = append(f.batch, r.SequencedRecord)
	}
	if len(f.batch) == 0 && wait <= 0 && m.last > f.after {
		// What was last is gone. Without this the hub would wait for it.
		f.batch = append(f.batch, hub.SequencedRecord{Position: m.last})
	}
	return wait, nil
}

// scribble overwrites the last batch.
func (f *following) scribble() {
	for i := range f.batch {
		for j := range f.batch[i].Data {
			f.batch[i].Data[j] = 0xDB
		}
	}
	clear(f.batch)
	f.batch, f.data = f.batch[:0], f.data[:0]
}

// reach returns nil once the engine can be reached.
func (h *Handle) reach(ctx context.Context) error {
	for {
		if ctx.Err() != nil {
			return unavailable(ctx)
		}
		h.m.mu.Lock()
		away, silent := h.m.away || h.faults.Away, h.faults.Silent
		changed := h.m.changed
		h.m.mu.Unlock()
		switch {
		case away:
			return errAway
		case !silent:
			return nil
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return unavailable(ctx)
	case <-timer.C:
		return nil
	}
}

// unavailable is the error of a call whose context has ended.
func unavailable(ctx context.Context) error {
	return fmt.Errorf("%w: %w", hub.ErrUnavailable, context.Cause(ctx))
}
