package postgres

import (
	"context"
	"errors"
	"runtime"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/crier-go/crier/hub"
)

const (
	// maxFlushes is how many transactions insert records at a time. While one
	// waits for the disk, the other gathers.
	maxFlushes = 2
	// maxBatch and maxBatchBytes bound what one of them inserts.
	maxBatch      = 1000
	maxBatchBytes = 1 << 20
)

// A pending is an Append whose record no transaction has inserted yet.
type pending struct {
	id     uuid.UUID
	data   []byte
	lifeUS *int64
	done   chan error
}

// Append implements [hub.Backplane]. It returns nil when the transaction that
// inserted the record has committed. Appends that come while others are on
// their way share a transaction.
//
// A record is refused if it is larger than Options.MaxRecord. If no answer comes
// for 5 seconds, Append fails with hub.ErrUnavailable also if its context lasts
// longer.
func (b *Backplane) Append(ctx context.Context, r hub.Record) error {
	if err := b.fits(r); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return failed(ctx, "append", ctx.Err())
	}
	p := &pending{id: r.ID, data: append([]byte{}, r.Data...), lifeUS: life(r), done: make(chan error, 1)}
	b.mu.Lock()
	b.waiting = append(b.waiting, p)
	if b.flushes < maxFlushes {
		b.flushes++
		go b.flush()
	}
	b.mu.Unlock()
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
		b.mu.Lock()
		if i := slices.Index(b.waiting, p); i >= 0 {
			b.waiting = slices.Delete(b.waiting, i, i+1)
		}
		b.mu.Unlock()
		return failed(ctx, "append", ctx.Err())
	}
}

// flush inserts until nothing is waiting.
func (b *Backplane) flush() {
	for {
		// Those who were just answered may append again at once: let them
		// share the next transaction.
		runtime.Gosched()
		batch := b.take()
		if len(batch) == 0 {
			return
		}
		err := b.insert(batch)
		for _, p := range batch {
			p.done <- err
		}
		select {
		case b.appended <- struct{}{}:
		default:
		}
	}
}

// take returns the next batch. If there is none, the flush has ended.
func (b *Backplane) take() []*pending {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, size := 0, 0
	for n < len(b.waiting) && n < maxBatch {
		size += len(b.waiting[n].data)
		if n > 0 && size > maxBatchBytes {
			break
		}
		n++
	}
	if n == 0 {
		b.flushes--
		return nil
	}
	batch := b.waiting[:n:n]
	b.waiting = slices.Clone(b.waiting[n:])
	return batch
}

const insertManySQL = `
INSERT INTO crier.outbox (record, data, life_us)
SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::bigint[])`

// insert inserts records in one transaction.
func (b *Backplane) insert(records []*pending) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), queryTimeout, errNoAnswer)
	defer cancel()
	ids := make([][16]byte, len(records))
	data := make([][]byte, len(records))
	lives := make([]*int64, len(records))
	for i, p := range records {
		ids[i], data[i], lives[i] = p.id, p.data, p.lifeUS
	}
	attempt := func() error {
		var batch pgx.Batch
		batch.Queue(settingsSQL, true)
		batch.Queue(b.sql(insertManySQL), ids, data, lives)
		return b.pool.SendBatch(ctx, &batch).Close()
	}
	err := attempt()
	if err != nil && stale(err) && ctx.Err() == nil {
		// If the connection broke just now, the records may be inserted
		// twice, which hubs expect.
		err = attempt()
	}
	return failed(ctx, "append", err)
}

var errNoAnswer = errors.New("the server did not answer in time")
