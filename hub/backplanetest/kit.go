package backplanetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
)

// makeRecords returns n records, each with data of its own.
func makeRecords(n int) []hub.Record {
	records := make([]hub.Record, n)
	for i := range records {
		records[i] = makeRecord(fmt.Appendf(nil, "record %d", i))
	}
	return records
}

func makeRecord(data []byte) hub.Record {
	return hub.Record{ID: uuid.Must(uuid.NewV7()), Data: data}
}

func ids(records []hub.Record) []uuid.UUID {
	all := make([]uuid.UUID, len(records))
	for i, r := range records {
		all[i] = r.ID
	}
	return all
}

// appendAll appends records one after the other. None may fail. Each has its
// data in the same buffer, which Append must not retain.
func appendAll(b hub.Backplane, records ...hub.Record) error {
	var buf []byte
	for i, r := range records {
		buf = append(buf[:0], r.Data...)
		r.Data = buf
		if err := appendOne(b, r); err != nil {
			return fmt.Errorf("record %d of %d: %w", i, len(records), err)
		}
		clear(buf)
	}
	return nil
}

func appendOne(b hub.Backplane, r hub.Record) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := b.Append(ctx, r); err != nil {
		return fmt.Errorf("Append: %w", err)
	}
	return nil
}

// persist appends a record and tries again while the engine is unavailable.
func persist(b hub.Backplane, r hub.Record) error {
	return retry("Append", func(ctx context.Context) error { return b.Append(ctx, r) })
}

// tail calls Tail, and tries again while the engine is unavailable.
func tail(b hub.Backplane) (t hub.Tail, err error) {
	err = retry("Tail", func(ctx context.Context) error {
		t, err = b.Tail(ctx)
		return err
	})
	if err != nil {
		return t, err
	}
	if t.Epoch == "" {
		return t, errors.New("Tail returned no epoch")
	}
	if t.First == 0 || t.First > t.Last+1 {
		return t, fmt.Errorf("Tail returned first position %d with last position %d", t.First, t.Last)
	}
	return t, nil
}

// retry calls f until it succeeds, for as long as a check's patience lasts.
func retry(what string, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := f(ctx)
		if err == nil {
			return nil
		}
		if !errors.Is(err, hub.ErrUnavailable) {
			return fmt.Errorf("%s: %w", what, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s failed for %v, last with: %w", what, patience, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// concurrently calls f for 0 to n-1, each in a goroutine of its own, and returns
// one of the errors.
func concurrently(n int, f func(i int) error) error {
	errs := make(chan error, n)
	for i := range n {
		go func() { errs <- f(i) }()
	}
	var first error
	for range n {
		if err := <-errs; first == nil {
			first = err
		}
	}
	return first
}

// replay follows from position after until all of records came, and returns
// what did.
func replay(t testing.TB, b hub.Backplane, after uint64, records []hub.Record) ([]hub.SequencedRecord, error) {
	f := follow(t, b, after, nil)
	got, err := f.until(ids(records)...)
	if err != nil {
		return nil, err
	}
	return got, f.stop()
}

// same returns an error unless got, without repetitions, is what was appended,
// in the same order.
func same(got []hub.SequencedRecord, want []hub.Record) error {
	seen := make(map[uuid.UUID]bool, len(got))
	n := 0
	for _, r := range got {
		if seen[r.ID] {
			continue
		}
		seen[r.ID] = true
		if n == len(want) {
			return fmt.Errorf("position %d is a record too many: %v", r.Position, r.ID)
		}
		w := want[n]
		if r.ID != w.ID {
			at := slices.IndexFunc(want, func(w hub.Record) bool { return w.ID == r.ID })
			return fmt.Errorf("position %d has the record with index %d (%v), want that with index %d", r.Position, at, r.ID, n)
		}
		if !bytes.Equal(r.Data, w.Data) {
			return fmt.Errorf("position %d has %s, want %s", r.Position, abridged(r.Data), abridged(w.Data))
		}
		n++
	}
	if n < len(want) {
		return fmt.Errorf("%d of %d records came", n, len(want))
	}
	return nil
}

// identical returns an error unless both followers got the same records at the
// same positions.
func identical(a, b []hub.SequencedRecord) error {
	n := min(len(a), len(b))
	for i := range n {
		if a[i].Position != b[i].Position || a[i].ID != b[i].ID || !bytes.Equal(a[i].Data, b[i].Data) {
			return fmt.Errorf("two Follows differ: one got record %v at position %d, the other %v at %d",
				a[i].ID, a[i].Position, b[i].ID, b[i].Position)
		}
	}
	return nil
}

func abridged(data []byte) string {
	if len(data) > 32 {
		return fmt.Sprintf("%q and %d bytes more", data[:32], len(data)-32)
	}
	return fmt.Sprintf("%q", data)
}
