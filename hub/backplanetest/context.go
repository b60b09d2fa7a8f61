package backplanetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/crier-go/crier/hub"
)

// checkCancelled: no call outlasts its context, and Follow and Append say why
// that ended.
func checkCancelled(t testing.TB, e Engine) error {
	b := e.Connect(t)
	if _, err := tail(b); err != nil {
		return err
	}
	f := follow(t, b, 0, nil)
	record := makeRecord([]byte("one"))
	if err := appendAll(b, record); err != nil {
		return err
	}
	if _, err := f.until(record.ID); err != nil {
		return err
	}
	if err := f.stop(); err != nil { // while it waits
		return err
	}

	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errStopped)
	err := within(prompt, "Append with a context that had ended", func() error { return b.Append(ctx, makeRecord(nil)) })
	if err != nil && (!errors.Is(err, errStopped) || !errors.Is(err, hub.ErrUnavailable)) {
		return fmt.Errorf("Append returned %q, want the cause of its context, with hub.ErrUnavailable", err)
	}
	err = within(prompt, "Follow with a context that had ended", func() error {
		return b.Follow(ctx, 0, func([]hub.SequencedRecord) error { return nil })
	})
	if !errors.Is(err, errStopped) {
		return fmt.Errorf("Follow returned %q, want the cause of its context", err)
	}
	err = within(prompt, "Tail with a context that had ended", func() error { _, err := b.Tail(ctx); return err })
	if errors.Is(err, errLate) {
		return err
	}

	// Contexts that end at any moment of an Append.
	for i := range 20 {
		ctx, cancel := context.WithTimeoutCause(context.Background(), time.Duration(i)*100*time.Microsecond, errStopped)
		err := within(prompt, "Append with a context that ends", func() error { return b.Append(ctx, makeRecord(nil)) })
		cancel()
		if err != nil && (!errors.Is(err, errStopped) || !errors.Is(err, hub.ErrUnavailable)) {
			return fmt.Errorf("Append returned %q, want the cause of its context, with hub.ErrUnavailable", err)
		}
	}

	// None of that did harm.
	record = makeRecord([]byte("two"))
	if err := appendAll(b, record); err != nil {
		return err
	}
	_, err = replay(t, b, 0, []hub.Record{record})
	return err
}

var errLate = errors.New("did not return in time")

// within calls f, and returns its error, or errLate.
func within(d time.Duration, what string, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("%s: %w (%v)", what, errLate, d)
	}
}

// checkGoroutines: calls that ended leave no goroutines behind.
func checkGoroutines(t testing.TB, e Engine) error {
	const rounds, spare = 30, 10 // what a client library may keep
	b := e.Connect(t)
	if _, err := tail(b); err != nil {
		return err
	}
	records := makeRecords(3)
	if err := appendAll(b, records...); err != nil {
		return err
	}
	errEnough := errors.New("the check has enough")
	round := func() error {
		if _, err := replay(t, b, 0, records); err != nil {
			return err
		}
		f := follow(t, b, 0, func([]hub.SequencedRecord) error { return errEnough })
		if err := f.wait(patience, "records came that apply refuses"); err != nil {
			return err
		}
		if !errors.Is(f.err, errEnough) {
			return fmt.Errorf("Follow returned %q, not the error of apply", f.err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		b.Append(ctx, makeRecord(nil))
		b.Tail(ctx)
		return nil
	}
	if err := round(); err != nil {
		return err
	}
	before := runtime.NumGoroutine()
	for range rounds {
		if err := round(); err != nil {
			return err
		}
	}
	deadline := time.Now().Add(patience)
	for {
		after := runtime.NumGoroutine()
		if after <= before+spare {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d goroutines before, %d after %d rounds of Follow, Append and Tail", before, after, rounds)
		}
		<-time.After(10 * time.Millisecond)
	}
}
