package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/crier-go/crier/hub"
)

const (
	// readLimit is how many records a query returns.
	readLimit = 2000
	// applyLimit and applyLimitBytes bound what is handed to apply at once.
	applyLimit      = 256
	applyLimitBytes = 1 << 20
)

// Follow implements [hub.Backplane]. While it runs, this process is also one of
// those that can number records and remove old ones.
func (b *Backplane) Follow(ctx context.Context, after uint64, apply func(batch []hub.SequencedRecord) error) error {
	following, stop := context.WithCancelCause(ctx)
	var numbering sync.WaitGroup
	numbering.Go(func() {
		if err := b.number(following); err != nil {
			stop(&permanentError{err})
		}
	})
	f := follower{b: b, after: after, apply: apply}
	err := f.run(following)
	stop(nil)
	numbering.Wait()

	if f.refused != nil {
		return f.refused
	}
	if p, ok := errors.AsType[*permanentError](context.Cause(following)); ok && ctx.Err() == nil {
		return p.error
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return failed(ctx, "follow", err)
}

// A permanentError ended the numbering.
type permanentError struct{ error }

var errRecreated = unavailable("the sequence is another one than the last Tail returned")

type follower struct {
	b       *Backplane
	s       *session
	after   uint64
	apply   func([]hub.SequencedRecord) error
	refused error // of apply

	name    uuid.UUID // of the sequence
	checked time.Time
	batch   []hub.SequencedRecord
	data    []byte // of batch
}

func (f *follower) run(ctx context.Context) error {
	var err error
	if f.s, err = f.b.dial(ctx); err != nil {
		return err
	}
	defer f.s.close()
	if err := f.begin(ctx); err != nil {
		return err
	}
	for delay := minPoll; ; {
		n, err := f.read(ctx)
		if err != nil {
			return err
		}
		if n == readLimit {
			continue
		}
		if n == 0 && time.Since(f.checked) >= heartbeat {
			if err := f.check(ctx); err != nil {
				return err
			}
		}
		switch {
		case f.s.direct:
			err = f.wait(ctx)
		case n > 0:
			delay = minPoll
			fallthrough
		default:
			sleep(ctx, delay)
			delay = min(2*delay, f.b.options.Poll)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// begin listens, and makes sure that after is a position of the sequence that
// the caller knows.
func (f *follower) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, queryTimeout, errNoAnswer)
	defer cancel()
	if f.s.direct {
		if _, err := f.s.Exec(ctx, "LISTEN "+pgx.Identifier{f.b.channel()}.Sanitize(), f.s.mode); err != nil {
			return err
		}
	}
	i, err := f.b.inspect(ctx, f.s)
	if err != nil {
		return err
	}
	if !i.begun() {
		return unavailable("the sequence does not exist")
	}
	if known := f.b.epoch.Load(); known != nil && *known != i.epoch() {
		return errRecreated
	}
	if uint64(*i.last) < f.after {
		return unavailable("position %d lies beyond the end of the sequence, %d", f.after, *i.last)
	}
	f.name, f.checked = *i.name, time.Now()
	return nil
}

// check asks whether the sequence is still the same.
func (f *follower) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, queryTimeout, errNoAnswer)
	defer cancel()
	var same bool
	err := f.s.query(ctx, f.b.sql(`SELECT EXISTS (SELECT FROM crier.log WHERE position = 0 AND record = $1)
		AND EXISTS (SELECT FROM crier.log WHERE position >= $2)`), [16]byte(f.name), int64(f.after)).Scan(&same)
	if err == nil && !same {
		err = errRecreated
	}
	f.checked = time.Now()
	return err
}

// wait returns when there is something behind after, perhaps.
func (f *follower) wait(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, heartbeat)
	defer cancel()
	for {
		n, err := f.s.WaitForNotification(wait)
		if err != nil {
			if wait.Err() != nil && !f.s.IsClosed() {
				return nil // nothing for a while
			}
			return err
		}
		if last, err := strconv.ParseUint(n.Payload, 10, 64); err != nil || last > f.after {
			return nil
		}
	}
}

// read hands over what one query returns, and returns how much that was.
func (f *follower) read(ctx context.Context) (n int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Bounds the time in which no row comes, not that which apply takes.
	silence := time.AfterFunc(queryTimeout, func() { cancel(errNoAnswer) })
	defer silence.Stop()
	rows, err := f.s.Query(ctx, f.b.sql(readSQL), f.s.mode, pgx.QueryResultFormats{pgx.BinaryFormatCode},
		int64(f.after), [16]byte(f.name), readLimit)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	f.batch, f.data = f.batch[:0], f.data[:0]
	for rows.Next() {
		values := rows.RawValues()
		r := hub.SequencedRecord{Position: binary.BigEndian.Uint64(values[0])}
		copy(r.ID[:], values[1])
		begin := len(f.data)
		f.data = append(f.data, values[2]...)
		r.Data = f.data[begin:len(f.data):len(f.data)]
		f.batch = append(f.batch, r)
		n++
		if len(f.batch) == applyLimit || len(f.data) >= applyLimitBytes {
			silence.Stop()
			if err := f.flush(); err != nil {
				return n, err
			}
		}
		silence.Reset(queryTimeout)
	}
	silence.Stop()
	if err := rows.Err(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return n, cause
		}
		return n, err
	}
	return n, f.flush()
}

func (f *follower) flush() error {
	if len(f.batch) == 0 {
		return nil
	}
	f.after = f.batch[len(f.batch)-1].Position
	f.refused = f.apply(f.batch)
	f.batch, f.data = f.batch[:0], f.data[:0]
	return f.refused
}
