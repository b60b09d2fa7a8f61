package backplanetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
)

// checkEmpty: the first Tails create the sequence, also concurrently.
func checkEmpty(t testing.TB, e Engine) error {
	a, b := e.Connect(t), e.Connect(t)
	var tails [2]hub.Tail
	err := concurrently(2, func(i int) (err error) {
		tails[i], err = tail([]hub.Backplane{a, b}[i])
		return err
	})
	if err != nil {
		return err
	}
	for _, t := range tails {
		if t.Last != 0 || t.First != 1 {
			return fmt.Errorf("an empty sequence has first position %d and last position %d, want 1 and 0", t.First, t.Last)
		}
	}
	if tails[0].Epoch != tails[1].Epoch {
		return fmt.Errorf("two processes see the epochs %q and %q", tails[0].Epoch, tails[1].Epoch)
	}
	return nil
}

// checkOrder: records come in the order of their Appends, to whoever follows.
func checkOrder(t testing.TB, e Engine) error {
	a, b := e.Connect(t), e.Connect(t)
	if _, err := tail(a); err != nil {
		return err
	}
	live := follow(t, b, 0, nil)
	records := makeRecords(100)
	for i, r := range records {
		if err := appendAll([]hub.Backplane{a, b}[i%2], r); err != nil {
			return err
		}
	}
	got, err := live.until(ids(records)...)
	if err != nil {
		return fmt.Errorf("a Follow that was there before: %w", err)
	}
	if err := same(got, records); err != nil {
		return fmt.Errorf("a Follow that was there before: %w", err)
	}
	again, err := replay(t, a, 0, records)
	if err != nil {
		return fmt.Errorf("a Follow that came later: %w", err)
	}
	if err := identical(got, again); err != nil {
		return err
	}
	end, err := tail(a)
	if err != nil {
		return err
	}
	if first, last := got[0].Position, got[len(got)-1].Position; end.First != first || end.Last != last {
		return fmt.Errorf("Tail returned first position %d and last position %d, Follow %d and %d", end.First, end.Last, first, last)
	}
	return live.stop()
}

// checkBytes: data may be any bytes, also none.
func checkBytes(t testing.TB, e Engine) error {
	var all []byte
	for i := range 256 {
		all = append(all, byte(i))
	}
	records := []hub.Record{
		makeRecord(nil),
		makeRecord(all),
		makeRecord([]byte{}),
		makeRecord([]byte("\r\n\r\n$5\r\n")),
		makeRecord([]byte{0}),
		makeRecord(bytes.Repeat([]byte{0xff}, 1000)),
		makeRecord([]byte(`{"json": "\u0000", 'quote"`)),
		makeRecord(nil),
	}
	b := e.Connect(t)
	if _, err := tail(b); err != nil {
		return err
	}
	if err := appendAll(b, records...); err != nil {
		return err
	}
	got, err := replay(t, b, 0, records)
	if err != nil {
		return err
	}
	return same(got, records)
}

// checkBig: a record of the largest size is accepted, and a larger one is an
// error that says so and leaves nothing behind.
func checkBig(t testing.TB, e Engine) error {
	b := e.Connect(t)
	if _, err := tail(b); err != nil {
		return err
	}
	largest := 64 << 10
	if e.Limit > 0 {
		largest = e.Limit
	}
	records := []hub.Record{makeRecord(bytes.Repeat([]byte("0123456789abcdef"), largest/16+1)[:largest]), makeRecord([]byte("small"))}
	if err := appendAll(b, records[0]); err != nil {
		return fmt.Errorf("a record of %d bytes: %w", largest, err)
	}
	if e.Limit > 0 {
		size := e.Limit + 1
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		err := b.Append(ctx, makeRecord(make([]byte, size)))
		tooLarge, ok := errors.AsType[*hub.RecordTooLargeError](err)
		switch {
		case !ok:
			return fmt.Errorf("Append of %d bytes returned %v, want a *hub.RecordTooLargeError", size, err)
		case errors.Is(err, hub.ErrUnavailable):
			return fmt.Errorf("%q wraps hub.ErrUnavailable, but trying again cannot mend it", err)
		case tooLarge.Limit <= 0 || tooLarge.Size <= tooLarge.Limit:
			return fmt.Errorf("%q says that %d is over %d", err, tooLarge.Size, tooLarge.Limit)
		}
	}
	if err := appendAll(b, records[1]); err != nil {
		return fmt.Errorf("after a record that was too large: %w", err)
	}
	got, err := replay(t, b, 0, records)
	if err != nil {
		return err
	}
	return same(got, records)
}

// An appended is when an Append began and ended, by a clock that counts.
type appended struct {
	began, ended int64
}

// checkConcurrent: many goroutines of several processes append; everybody sees
// the same sequence, and what was acknowledged before another Append began comes
// before it.
func checkConcurrent(t testing.TB, e Engine) error {
	const processes, goroutines, each = 3, 8, 25
	var backplanes []hub.Backplane
	for range processes {
		backplanes = append(backplanes, e.Connect(t))
	}
	if _, err := tail(backplanes[0]); err != nil {
		return err
	}
	followers := []*follower{
		follow(t, backplanes[0], 0, nil),
		follow(t, backplanes[0], 0, nil), // two on one backplane
		follow(t, backplanes[1], 0, nil),
	}

	var clock atomic.Int64
	var mu sync.Mutex
	var all []uuid.UUID
	times := map[uuid.UUID]appended{}
	err := concurrently(processes*goroutines, func(i int) error {
		for _, r := range makeRecords(each) {
			began := clock.Add(1)
			if err := appendAll(backplanes[i%processes], r); err != nil {
				return err
			}
			ended := clock.Add(1)
			mu.Lock()
			all = append(all, r.ID)
			times[r.ID] = appended{began, ended}
			mu.Unlock()
		}
		return nil
	})
	if err != nil {
		return err
	}
	var sequences [][]hub.SequencedRecord
	for _, f := range followers {
		got, err := f.until(all...)
		if err != nil {
			return err
		}
		sequences = append(sequences, got)
	}
	for _, other := range sequences[1:] {
		if err := identical(sequences[0], other); err != nil {
			return err
		}
	}
	if err := happensBefore(sequences[0], times); err != nil {
		return err
	}
	for _, f := range followers {
		if err := f.stop(); err != nil {
			return err
		}
	}
	return nil
}

// happensBefore returns an error if a record stands before one that had been
// acknowledged when its own Append began. Only a record's first position counts.
func happensBefore(got []hub.SequencedRecord, times map[uuid.UUID]appended) error {
	seen := map[uuid.UUID]bool{}
	var first []hub.SequencedRecord
	for _, r := range got {
		if !seen[r.ID] {
			seen[r.ID] = true
			first = append(first, r)
		}
	}
	earliest := int64(math.MaxInt64) // end of an Append whose record stands behind
	for i := len(first) - 1; i >= 0; i-- {
		a, ok := times[first[i].ID]
		if !ok {
			return fmt.Errorf("position %d has a record that nobody appended: %v", first[i].Position, first[i].ID)
		}
		if earliest < a.began {
			return fmt.Errorf("position %d has a record whose Append began after that of a later position had returned", first[i].Position)
		}
		earliest = min(earliest, a.ended)
	}
	return nil
}

// checkLife: Life is a hint. Whatever it is, the record is accepted, no other is
// harmed, and one that lives comes.
func checkLife(t testing.TB, e Engine) error {
	b := e.Connect(t)
	if _, err := tail(b); err != nil {
		return err
	}
	records := makeRecords(9)
	records[1].Life = time.Minute
	records[3].Life = time.Nanosecond
	records[4].Life = 1500 * time.Millisecond
	records[5].Life = 10 * 365 * 24 * time.Hour
	records[7].Life = time.Hour
	live := follow(t, b, 0, nil)
	if err := appendAll(b, records...); err != nil {
		return err
	}
	var lasting []hub.Record // what must come
	for _, r := range records {
		if r.Life == 0 || r.Life >= time.Minute {
			lasting = append(lasting, r)
		}
	}
	for _, f := range []*follower{live, follow(t, b, 0, nil)} {
		got, err := f.until(ids(lasting)...)
		if err != nil {
			return err
		}
		var rest []hub.SequencedRecord
		for _, r := range got {
			if r.ID != records[3].ID && r.ID != records[4].ID {
				rest = append(rest, r)
			}
		}
		if err := same(rest, lasting); err != nil {
			return err
		}
		if err := f.stop(); err != nil {
			return err
		}
	}
	return nil
}

// checkExpired: a Follow comes to the position that Tail said is the last, also
// if the last records are gone because their life was over.
func checkExpired(t testing.TB, e Engine) error {
	b := e.Connect(t)
	if _, err := tail(b); err != nil {
		return err
	}
	expire := func(n int) error {
		records := makeRecords(n)
		for i := range records {
			records[i].Life = time.Second
		}
		if err := appendAll(b, records...); err != nil {
			return err
		}
		<-time.After(3 * time.Second)
		end, err := tail(b)
		if err != nil {
			return err
		}
		f := follow(t, b, 0, nil)
		if end.First <= end.Last { // else Tail said that nothing will come
			if err := f.reach(end.Last); err != nil {
				return err
			}
		}
		return f.stop()
	}
	if err := expire(2); err != nil { // with nothing else
		return err
	}
	if err := appendAll(b, makeRecords(2)...); err != nil {
		return err
	}
	return expire(2)
}
