package backplanetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
)

// checkRestart: the engine restarts with all that it had acknowledged.
func checkRestart(t testing.TB, e Engine) error {
	a, b := e.Connect(t), e.Connect(t)
	before, err := tail(b)
	if err != nil {
		return err
	}
	records := makeRecords(50)
	if err := appendAll(a, records...); err != nil {
		return err
	}
	f := follow(t, b, 0, nil)
	got, err := f.until(ids(records)...)
	if err != nil {
		return err
	}
	e.Restart(t)
	if err := f.end(noticed, "the engine was restarted"); err != nil {
		return err
	}
	after, err := tail(b)
	if err != nil {
		return err
	}
	next := makeRecord([]byte("after the restart"))
	if err := persist(a, next); err != nil {
		return err
	}
	records = append(records, next)
	again, err := replay(t, b, 0, records)
	if err != nil {
		return fmt.Errorf("after the restart: %w", err)
	}
	if err := same(again, records); err != nil {
		return fmt.Errorf("after the restart: %w", err)
	}
	if before.Epoch == after.Epoch {
		return identical(got, again)
	}
	return nil
}

// checkLost: when acknowledged records are lost, the epoch is another one, and no
// Follow goes on as if they were not.
func checkLost(t testing.TB, e Engine) error {
	a, b := e.Connect(t), e.Connect(t)
	before, err := tail(a)
	if err != nil {
		return err
	}
	if _, err := tail(b); err != nil {
		return err
	}
	old := makeRecords(10)
	if err := appendAll(a, old...); err != nil {
		return err
	}
	f := follow(t, a, 0, nil)
	got, err := f.until(ids(old)...)
	if err != nil {
		return err
	}
	last := got[len(got)-1].Position

	e.Lose(t)
	if err := f.end(noticed, "the sequence was lost"); err != nil {
		return err
	}
	fresh := e.Connect(t)
	after, err := tail(fresh)
	if err != nil {
		return err
	}
	if after.Epoch == before.Epoch {
		return fmt.Errorf("the epoch is still %q after acknowledged records were lost", before.Epoch)
	}
	if after.Last >= last {
		return fmt.Errorf("the last position is %d after the sequence was lost, and was %d before: Engine.Lose lost nothing", after.Last, last)
	}

	// The position that the hub has applied lies beyond the new end.
	records := []hub.Record{makeRecord([]byte("new"))}
	if err := persist(fresh, records[0]); err != nil {
		return err
	}
	f = follow(t, fresh, last, nil)
	if err := f.end(noticed, "it was given a position beyond the end of a recreated sequence"); err != nil {
		return err
	}

	// The new sequence has passed the position, and the process has not asked
	// for its epoch since: it must not go on in the middle of it.
	for range 2 * len(old) {
		r := makeRecord([]byte("new"))
		if err := persist(fresh, r); err != nil {
			return err
		}
		records = append(records, r)
	}
	f = follow(t, b, last, nil)
	if err := f.end(noticed, "the sequence is another one than the last Tail of this backplane returned"); err != nil {
		return err
	}
	if got, _ := f.records(); len(got) > 0 {
		return fmt.Errorf("Follow handed over position %d of a sequence that Tail has not returned", got[0].Position)
	}

	now, err := tail(b)
	if err != nil {
		return err
	}
	if now.Epoch != after.Epoch {
		return fmt.Errorf("two processes see the epochs %q and %q", now.Epoch, after.Epoch)
	}
	got, err = replay(t, b, 0, records)
	if err != nil {
		return err
	}
	return same(got, records)
}

// checkCut: a Follow ends with its connection. The hub's way of going on (Tail,
// then Follow from the last position) loses nothing, whatever was in flight.
func checkCut(t testing.TB, e Engine) error {
	const cuts, appenders, each = 5, 4, 40
	a, b := e.Connect(t), e.Connect(t)
	before, err := tail(b)
	if err != nil {
		return err
	}
	if _, err := tail(a); err != nil {
		return err
	}
	var all [appenders][]hub.Record
	for i := range all {
		all[i] = makeRecords(each)
	}
	appending := make(chan error, 1)
	go func() {
		appending <- concurrently(appenders, func(i int) error {
			for _, r := range all[i] {
				if err := persist(a, r); err != nil {
					return err
				}
			}
			return nil
		})
	}()

	var got []hub.SequencedRecord
	after := uint64(0)
	keep := func(part []hub.SequencedRecord) {
		if len(part) > 0 {
			got = append(got, part...)
			after = part[len(part)-1].Position
		}
	}
	for range cuts {
		f := follow(t, b, after, nil)
		mark := makeRecord([]byte("mark"))
		if err := persist(b, mark); err != nil {
			return err
		}
		if _, err := f.until(mark.ID); err != nil && !errors.Is(err, hub.ErrUnavailable) {
			return err
		}
		e.Cut()
		if err := f.end(noticed, "its connection broke"); err != nil {
			return err
		}
		part, err := f.records()
		if err != nil {
			return err
		}
		keep(part)
		now, err := tail(b)
		if err != nil {
			return err
		}
		if now.Epoch != before.Epoch {
			return fmt.Errorf("the epoch was %q, and is %q after the connection broke", before.Epoch, now.Epoch)
		}
	}
	if err := <-appending; err != nil {
		return err
	}
	end := makeRecord([]byte("end"))
	if err := persist(b, end); err != nil {
		return err
	}
	part, err := replay(t, b, after, []hub.Record{end})
	if err != nil {
		return err
	}
	keep(part)

	whole, err := replay(t, e.Connect(t), 0, []hub.Record{end})
	if err != nil {
		return err
	}
	if len(whole) != len(got) {
		return fmt.Errorf("%d records came over broken connections, of %d", len(got), len(whole))
	}
	if err := identical(got, whole); err != nil {
		return err
	}
	for _, records := range all {
		if err := inOrder(got, records); err != nil {
			return err
		}
	}
	return nil
}

// inOrder returns an error unless records stand in got in their order. Only
// their first positions count.
func inOrder(got []hub.SequencedRecord, records []hub.Record) error {
	index := make(map[uuid.UUID]int, len(records))
	for i, r := range records {
		index[r.ID] = i
	}
	next := 0
	for _, r := range got {
		switch i, ok := index[r.ID]; {
		case !ok || i < next:
		case i == next:
			next++
		default:
			return fmt.Errorf("position %d has the record with index %d of a process, before that with index %d", r.Position, i, next)
		}
	}
	if next < len(records) {
		return fmt.Errorf("the record with index %d was acknowledged and did not come", next)
	}
	return nil
}

// checkAway: while the engine is away, every call says so in time. Afterwards
// everything that was acknowledged is there.
func checkAway(t testing.TB, e Engine) error {
	a, b := e.Connect(t), e.Connect(t)
	before, err := tail(b)
	if err != nil {
		return err
	}
	records := makeRecords(5)
	if err := appendAll(a, records[:2]...); err != nil {
		return err
	}
	f := follow(t, b, 0, nil)
	if _, err := f.until(ids(records[:2])...); err != nil {
		return err
	}
	e.SetAway(true)
	defer e.SetAway(false)
	if err := f.end(noticed, "the engine went away"); err != nil {
		return err
	}
	if err := unreachable(b, records[2]); err != nil {
		return fmt.Errorf("while the engine is away: %w", err)
	}
	e.SetAway(false)

	if _, err := tail(b); err != nil {
		return fmt.Errorf("after the engine came back: %w", err)
	}
	for _, r := range records[2:] { // the first of them for the second time
		if err := persist(b, r); err != nil {
			return fmt.Errorf("after the engine came back: %w", err)
		}
	}
	after, err := tail(b)
	if err != nil {
		return err
	}
	if before.Epoch != after.Epoch {
		return fmt.Errorf("the epoch was %q, and is %q after the engine could not be reached", before.Epoch, after.Epoch)
	}
	got, err := replay(t, b, 0, records)
	if err != nil {
		return err
	}
	return same(got, records)
}

// checkSilent: a connection that is dead without saying so is noticed.
func checkSilent(t testing.TB, e Engine) error {
	a, b := e.Connect(t), e.Connect(t)
	if _, err := tail(b); err != nil {
		return err
	}
	records := makeRecords(5)
	if err := appendAll(a, records[:2]...); err != nil {
		return err
	}
	f := follow(t, b, 0, nil)
	if _, err := f.until(ids(records[:2])...); err != nil {
		return err
	}
	e.SetSilent(true)
	defer e.SetSilent(false)
	if err := unreachable(a, records[2]); err != nil {
		return fmt.Errorf("while the connection is silent: %w", err)
	}
	if err := f.end(noticed, "its connection fell silent"); err != nil {
		return err
	}
	e.SetSilent(false)

	if _, err := tail(b); err != nil {
		return fmt.Errorf("after the silence: %w", err)
	}
	for _, r := range records[2:] {
		if err := persist(a, r); err != nil {
			return fmt.Errorf("after the silence: %w", err)
		}
	}
	got, err := replay(t, b, 0, records)
	if err != nil {
		return fmt.Errorf("after the silence: %w", err)
	}
	return same(got, records)
}

// unreachable returns an error unless all calls fail with ErrUnavailable when
// their context ends, or before.
func unreachable(b hub.Backplane, r hub.Record) error {
	calls := map[string]func(context.Context) error{
		"Append": func(ctx context.Context) error { return b.Append(ctx, r) },
		"Tail":   func(ctx context.Context) error { _, err := b.Tail(ctx); return err },
		"Follow": func(ctx context.Context) error {
			err := b.Follow(ctx, 0, func([]hub.SequencedRecord) error { return nil })
			if err != nil && ctx.Err() != nil {
				return fmt.Errorf("%w: %w", hub.ErrUnavailable, err) // the cause of ctx is enough
			}
			return err
		},
	}
	for name, call := range calls {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		err := within(time.Second+prompt, name, func() error { return call(ctx) })
		cancel()
		if !errors.Is(err, hub.ErrUnavailable) {
			return fmt.Errorf("%s returned %v, want an error that wraps hub.ErrUnavailable", name, err)
		}
	}
	return nil
}
