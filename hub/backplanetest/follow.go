package backplanetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
)

// checkPositions: Follow begins behind any position, without omissions.
func checkPositions(t testing.TB, e Engine) error {
	a, b := e.Connect(t), e.Connect(t)
	if _, err := tail(b); err != nil {
		return err
	}
	records := makeRecords(20)
	if err := appendAll(a, records...); err != nil {
		return err
	}
	got, err := replay(t, b, 0, records)
	if err != nil {
		return err
	}
	if err := same(got, records); err != nil {
		return err
	}
	if len(got) != len(records) {
		return fmt.Errorf("%d records came for %d Appends that did not fail", len(got), len(records))
	}
	var atEnd *follower
	for i, r := range got {
		// The position itself, and one that may not exist: it lies before the
		// next record.
		for _, after := range []uint64{r.Position, got[min(i+1, len(got)-1)].Position - 1} {
			rest := records[i+1:]
			if i == len(got)-1 {
				if after == r.Position {
					atEnd = follow(t, b, after, nil)
				}
				break
			}
			part, err := replay(t, b, after, rest)
			if err != nil {
				return fmt.Errorf("Follow from position %d: %w", after, err)
			}
			if err := same(part, rest); err != nil {
				return fmt.Errorf("Follow from position %d: %w", after, err)
			}
			if err := identical(part, got[i+1:]); err != nil {
				return err
			}
		}
	}
	next := makeRecords(5)
	if err := appendAll(a, next...); err != nil {
		return err
	}
	part, err := atEnd.until(ids(next)...)
	if err != nil {
		return fmt.Errorf("Follow from the end: %w", err)
	}
	if err := same(part, next); err != nil {
		return fmt.Errorf("Follow from the end: %w", err)
	}
	return atEnd.stop()
}

// checkResume: a Follow that ends with apply's error can be resumed behind the
// last record that was applied, while others append.
func checkResume(t testing.TB, e Engine) error {
	a, b := e.Connect(t), e.Connect(t)
	if _, err := tail(b); err != nil {
		return err
	}
	records := makeRecords(300)
	appending := make(chan error, 1)
	go func() { appending <- appendAll(a, records...) }()

	errEnough := errors.New("the check has enough")
	var got []hub.SequencedRecord
	after := uint64(0)
	missing := ids(records)
	for n := 0; len(missing) > 0; n++ {
		batches := 1 + n%3
		f := follow(t, b, after, func([]hub.SequencedRecord) error {
			if batches--; batches < 0 {
				return errEnough
			}
			return nil
		})
		if _, err := f.until(missing...); err == nil {
			f.cancel(errEnough) // or apply returns it first
		} else if !errors.Is(err, errEnough) {
			return err
		}
		if err := f.wait(prompt, "the check has enough"); err != nil {
			return err
		}
		if !errors.Is(f.err, errEnough) {
			return fmt.Errorf("Follow returned %q, not the error of apply", f.err)
		}
		part, err := f.records()
		if err != nil {
			return err
		}
		if len(part) == 0 {
			return errors.New("Follow ended before apply had refused a batch")
		}
		after = part[len(part)-1].Position
		got = append(got, part...)
		for _, r := range part {
			missing = slices.DeleteFunc(missing, func(id uuid.UUID) bool { return id == r.ID })
		}
	}
	if err := <-appending; err != nil {
		return err
	}
	return same(got, records)
}

// checkSlow: what comes while apply takes its time is not dropped.
func checkSlow(t testing.TB, e Engine) error {
	const n, appenders = 3000, 50
	a, b := e.Connect(t), e.Connect(t)
	if _, err := tail(b); err != nil {
		return err
	}
	applying, appendedAll := make(chan struct{}), make(chan struct{})
	var once sync.Once
	f := follow(t, b, 0, func([]hub.SequencedRecord) error {
		once.Do(func() { close(applying) })
		<-appendedAll
		return nil
	})
	if err := appendAll(a, makeRecord([]byte("first"))); err != nil {
		return err
	}
	select {
	case <-applying:
	case <-time.After(patience):
		return fmt.Errorf("no record came for %v", patience)
	}
	records := make([]hub.Record, n)
	for i := range records {
		records[i] = makeRecord(bytes.Repeat([]byte{byte(i)}, 4<<10))
	}
	err := concurrently(appenders, func(i int) error {
		return appendAll(a, records[i*n/appenders:(i+1)*n/appenders]...)
	})
	close(appendedAll)
	if err != nil {
		return err
	}
	got, err := f.until(ids(records)...)
	if err != nil {
		return err
	}
	again, err := replay(t, a, 0, records)
	if err != nil {
		return err
	}
	if err := identical(got, again); err != nil {
		return err
	}
	return f.stop()
}

// checkBeyond: a Follow from a position that the sequence has not reached ends,
// as the sequence must be another one than the caller knows.
func checkBeyond(t testing.TB, e Engine) error {
	b := e.Connect(t)
	if _, err := tail(b); err != nil {
		return err
	}
	for _, n := range []int{0, 3} {
		if err := appendAll(b, makeRecords(n)...); err != nil {
			return err
		}
		end, err := tail(b)
		if err != nil {
			return err
		}
		f := follow(t, b, end.Last+1000, nil)
		if err := f.end(noticed, "it was given a position beyond the end"); err != nil {
			return err
		}
		if got, _ := f.records(); len(got) > 0 {
			return fmt.Errorf("Follow from beyond the end handed over position %d", got[0].Position)
		}
	}
	return nil
}

// checkIdle: a connection on which nothing happens lives.
func checkIdle(t testing.TB, e Engine) error {
	a, b := e.Connect(t), e.Connect(t)
	if _, err := tail(b); err != nil {
		return err
	}
	f := follow(t, b, 0, nil)
	records := makeRecords(2)
	if err := appendAll(a, records[0]); err != nil {
		return err
	}
	if _, err := f.until(records[0].ID); err != nil {
		return err
	}
	timer := time.NewTimer(noticed)
	defer timer.Stop()
	select {
	case <-f.done:
		return fmt.Errorf("Follow ended while nothing happened: %w", f.err)
	case <-timer.C:
	}
	if err := appendAll(a, records[1]); err != nil {
		return err
	}
	got, err := f.until(records[1].ID)
	if err != nil {
		return err
	}
	if err := same(got, records); err != nil {
		return err
	}
	return f.stop()
}

// checkRetention: what the engine does not retain is passed over, and Tail says
// so. Positions go on, and the epoch stays.
func checkRetention(t testing.TB, e Engine) error {
	b := e.Connect(t)
	begin, err := tail(b)
	if err != nil {
		return err
	}
	records := makeRecords(50)
	if err := appendAll(b, records...); err != nil {
		return err
	}
	all, err := replay(t, b, 0, records)
	if err != nil {
		return err
	}
	last := all[len(all)-1].Position
	for _, retained := range []int{10, 0} {
		e.Retain(t, retained)
		end, err := tail(b)
		if err != nil {
			return err
		}
		first := last + 1
		if retained > 0 {
			first = all[len(all)-retained].Position
		}
		if end.First != first || end.Last != last || end.Epoch != begin.Epoch {
			return fmt.Errorf("with %d records retained, Tail returned first position %d, last position %d and epoch %q, want %d, %d and %q",
				retained, end.First, end.Last, end.Epoch, first, last, begin.Epoch)
		}
		next := makeRecord([]byte("next"))
		if err := appendAll(b, next); err != nil {
			return err
		}
		want := append(records[len(records)-retained:len(records):len(records)], next)
		for _, after := range []uint64{0, all[4].Position, last} {
			want := want
			if after == last {
				want = want[retained:]
			}
			got, err := replay(t, b, after, want)
			if err != nil {
				return fmt.Errorf("with %d records retained, Follow from position %d: %w", retained, after, err)
			}
			if err := same(got, want); err != nil {
				return fmt.Errorf("with %d records retained, Follow from position %d: %w", retained, after, err)
			}
			if position := got[len(got)-1].Position; position <= last {
				return fmt.Errorf("the record after position %d has position %d", last, position)
			}
		}
		// The record that was just appended is the newest for the next round.
		records = append(records, next)
		all, err = replay(t, b, 0, want)
		if err != nil {
			return err
		}
		last = all[len(all)-1].Position
	}
	return nil
}
