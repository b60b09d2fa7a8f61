package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// removeEvery is the time between two removals of old records.
	removeEvery = time.Second
	// removeLimit is how many records are removed in one transaction.
	removeLimit = 10_000
)

// A retention removes old records for the process that numbers.
type retention struct {
	b *Backplane
	s *session

	due     time.Time
	expired time.Time // by the server's clock: what ends before is removed
}

// run does what is due, in short transactions: if there is more to remove, it
// goes on with the next call.
func (r *retention) run(ctx context.Context) error {
	if time.Now().Before(r.due) {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, numberTimeout, errNoAnswer)
	defer cancel()
	var more bool
	var err error
	if r.s.direct {
		more, err = r.remove(ctx, r.s)
	} else {
		_, err = r.b.exclusively(ctx, r.s, func(tx pgx.Tx) (err error) {
			more, err = r.remove(ctx, tx)
			return err
		})
	}
	if err == nil && !more {
		r.due = time.Now().Add(removeEvery)
	}
	return err
}

func (r *retention) remove(ctx context.Context, q querier) (more bool, err error) {
	old, err := r.b.retain(ctx, q, r.s.mode, r.b.options.MaxRecords)
	if err != nil {
		return false, err
	}
	var n int
	var now time.Time
	err = q.QueryRow(ctx, r.b.sql(expireSQL), r.s.mode, r.expired, removeLimit).Scan(&n, &now)
	if err != nil {
		return false, err
	}
	if n < removeLimit {
		// The server's clock may be set back a little. What is missed for
		// that reason goes with MaxAge.
		r.expired = now.Add(-time.Minute)
	}
	return old == removeLimit || n == removeLimit, nil
}

// retain removes records that are too old or too many.
func (b *Backplane) retain(ctx context.Context, q querier, mode pgx.QueryExecMode, newest int) (removed int, err error) {
	err = q.QueryRow(ctx, b.sql(retainSQL), mode, newest, b.options.MaxAge.Seconds(), removeLimit).Scan(&removed)
	return removed, err
}
