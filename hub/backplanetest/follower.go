package backplanetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
)

const (
	// patience is for what has to happen, but has no time in the contract.
	patience = 30 * time.Second
	// prompt is for what happens at once, on a machine under load.
	prompt = 5 * time.Second
	// noticed is the time in which a Follow notices that its connection is
	// dead, with 2 seconds for a machine under load.
	noticed = 12 * time.Second
)

// errStopped is the cause of a context that a check cancels.
var errStopped = errors.New("the check stopped it")

// A follower runs Follow and keeps what it hands over.
type follower struct {
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when Follow has returned
	err    error         // its error; read after done

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced with every batch
	applying bool
	ended    bool
	last     uint64 // position
	got      []hub.SequencedRecord
	wrong    error // what it did that no Follow may do
}

// follow starts a follower, which ends with the test at the latest. apply, if it
// is not nil, may fail, or take its time.
func follow(t testing.TB, b hub.Backplane, after uint64, apply func(batch []hub.SequencedRecord) error) *follower {
	ctx, cancel := context.WithCancelCause(context.Background())
	t.Cleanup(func() { cancel(errStopped) })
	f := &follower{cancel: cancel, done: make(chan struct{}), changed: make(chan struct{})}
	go func() {
		defer close(f.done)
		f.err = b.Follow(ctx, after, func(batch []hub.SequencedRecord) error {
			if !f.enter() {
				return errors.New("the check found a fault")
			}
			defer f.leave()
			if apply != nil {
				if err := apply(batch); err != nil {
					return err
				}
			}
			f.take(after, batch)
			return nil
		})
		f.mu.Lock()
		f.ended = true
		f.mu.Unlock()
		if f.err == nil {
			f.fault("Follow returned nil")
		}
	}()
	return f
}

func (f *follower) enter() bool {
	f.mu.Lock()
	concurrent, ended := f.applying, f.ended
	f.applying = true
	f.mu.Unlock()
	if concurrent {
		f.fault("apply was called by two goroutines at a time")
	}
	if ended {
		f.fault("apply was called after Follow had returned")
	}
	return !concurrent && !ended
}

func (f *follower) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.applying = false
	if f.ended {
		f.faultLocked("Follow returned while apply was running")
	}
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *follower) take(after uint64, batch []hub.SequencedRecord) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = max(f.last, after)
	for _, r := range batch {
		if r.Position <= f.last || r.Position >= 1<<61 {
			f.faultLocked("position %d came after %d", r.Position, f.last)
		}
		f.last = r.Position
		if r.ID == uuid.Nil { // a position without a record
			if len(r.Data) > 0 {
				f.faultLocked("position %d has data, but no ID", r.Position)
			}
			continue
		}
		r.Data = bytes.Clone(r.Data)
		f.got = append(f.got, r)
	}
}

func (f *follower) fault(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faultLocked(format, args...)
}

func (f *follower) faultLocked(format string, args ...any) {
	if f.wrong == nil {
		f.wrong = fmt.Errorf(format, args...)
	}
}

// records returns what came so far.
func (f *follower) records() ([]hub.SequencedRecord, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.got[:len(f.got):len(f.got)], f.wrong
}

// reach waits until Follow has come to a position.
func (f *follower) reach(position uint64) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		f.mu.Lock()
		last, wrong, changed := f.last, f.wrong, f.changed
		f.mu.Unlock()
		if wrong != nil || last >= position {
			return wrong
		}
		select {
		case <-changed:
		case <-f.done:
			return fmt.Errorf("Follow ended at position %d, before %d: %w", last, position, f.err)
		case <-timer.C:
			return fmt.Errorf("after %v, Follow is at position %d, and Tail said that the last is %d", patience, last, position)
		}
	}
}

// until waits until all records came whose ids are given.
func (f *follower) until(ids ...uuid.UUID) ([]hub.SequencedRecord, error) {
	missing := make(map[uuid.UUID]bool, len(ids))
	for _, id := range ids {
		missing[id] = true
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for seen := 0; ; {
		f.mu.Lock()
		for ; seen < len(f.got); seen++ {
			delete(missing, f.got[seen].ID)
		}
		got, wrong, changed := f.got[:seen:seen], f.wrong, f.changed
		f.mu.Unlock()
		if wrong != nil || len(missing) == 0 {
			return got, wrong
		}
		select {
		case <-changed:
		case <-f.done:
			if records, _ := f.records(); len(records) == seen {
				return nil, fmt.Errorf("Follow ended with %d of %d records missing: %w", len(missing), len(ids), f.err)
			}
		case <-timer.C:
			return nil, fmt.Errorf("after %v, %d of %d records have not come; %d have", patience, len(missing), len(ids), seen)
		}
	}
}

// end waits until Follow returns by itself, and returns an error unless that
// says that the engine is unavailable.
func (f *follower) end(within time.Duration, because string) error {
	if err := f.wait(within, because); err != nil {
		return err
	}
	if !errors.Is(f.err, hub.ErrUnavailable) {
		return fmt.Errorf("Follow returned %q after %s, want an error that wraps hub.ErrUnavailable", f.err, because)
	}
	return nil
}

// stop cancels the context, and returns an error unless Follow returns with its
// cause.
func (f *follower) stop() error {
	f.cancel(errStopped)
	if err := f.wait(prompt, "its context ended"); err != nil {
		return err
	}
	if !errors.Is(f.err, errStopped) {
		return fmt.Errorf("Follow returned %q, not the cause of its context", f.err)
	}
	return nil
}

func (f *follower) wait(within time.Duration, because string) error {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-f.done:
		_, wrong := f.records()
		return wrong
	case <-timer.C:
		return fmt.Errorf("Follow has not returned %v after %s", within, because)
	}
}
