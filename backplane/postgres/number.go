package postgres

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/crier-go/crier/hub"
)

const (
	// numberLimit and numberLimitBytes bound what gets positions in one
	// transaction.
	numberLimit      = 5000
	numberLimitBytes = 16 << 20
	// numberTimeout bounds that transaction. It is longer than queryTimeout,
	// as a statement that fails for its size would fail again.
	numberTimeout = time.Minute
)

// number runs as long as a Follow. It makes this process the one that numbers
// as soon as none does. The error is one that does not pass.
func (b *Backplane) number(ctx context.Context) error {
	for {
		err := failed(ctx, "number records", b.lead(ctx))
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !errors.Is(err, hub.ErrUnavailable) {
			return err
		}
		if !sleep(ctx, candidacy) {
			return nil
		}
	}
}

// lead returns nil if another process numbers. Else it numbers until ctx ends or
// the connection fails.
func (b *Backplane) lead(ctx context.Context) error {
	if free, err := b.vacant(ctx); err != nil || !free {
		return err
	}
	s, err := b.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if s.direct {
		if ok, err := b.seize(ctx, s); err != nil || !ok {
			return err
		}
	}
	// What the process before has numbered, it may not have told.
	if err := b.notify(ctx, s, ""); err != nil {
		return err
	}
	w := retention{b: b, s: s}
	for delay := minPoll; ; {
		numbered, more, err := b.pass(ctx, s)
		if err == nil {
			err = w.run(ctx)
		}
		if err != nil {
			return err
		}
		if numbered {
			delay = minPoll
		} else {
			delay = min(2*delay, b.options.Poll)
		}
		if more {
			continue
		}
		if numbered {
			if !sleep(ctx, minPoll) {
				return context.Cause(ctx)
			}
			continue
		}
		timer := time.NewTimer(delay)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-b.appended:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// vacant reports whether nobody numbers. It takes the lock and releases it with
// the end of the statement. Waiting for the lock instead would hold a snapshot
// for hours, and VACUUM could not remove what it still sees.
func (b *Backplane) vacant(ctx context.Context) (free bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, queryTimeout, errNoAnswer)
	defer cancel()
	err = b.pool.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock($1)`, b.lock).Scan(&free)
	return free, err
}

// seize takes the lock for as long as the session lasts. If this process hangs,
// or its machine is gone, the server ends the session.
func (b *Backplane) seize(ctx context.Context, s *session) (ok bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, queryTimeout, errNoAnswer)
	defer cancel()
	err = s.set(ctx, map[string]string{
		"idle_session_timeout":                strconv.FormatInt(grace.Milliseconds(), 10),
		"idle_in_transaction_session_timeout": strconv.FormatInt(grace.Milliseconds(), 10),
	})
	if err != nil {
		return false, err
	}
	if _, err := s.Exec(ctx, settingsSQL, s.mode, false); err != nil {
		return false, err
	}
	err = s.query(ctx, `SELECT pg_try_advisory_lock($1)`, b.lock).Scan(&ok)
	return ok, err
}

// pass numbers what is there, once, and tells the followers.
func (b *Backplane) pass(ctx context.Context, s *session) (numbered, more bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, numberTimeout, errNoAnswer)
	defer cancel()
	var any bool
	if s.direct {
		err = s.query(ctx, b.sql(anyPendingSQL)).Scan(&any)
	} else {
		any, err = b.ask(ctx, s, anyPendingSQL)
	}
	if err != nil || !any {
		return false, false, err
	}
	var n, last int64
	if s.direct {
		n, last, more, err = b.move(ctx, s, s.mode)
	} else {
		_, err = b.exclusively(ctx, s, func(tx pgx.Tx) (err error) {
			n, last, more, err = b.move(ctx, tx, s.mode)
			return err
		})
	}
	if err != nil || n == 0 {
		return false, false, err
	}
	// In a transaction of its own, which writes nothing: NOTIFY takes a lock
	// of the whole server until its transaction has committed, and this one
	// does not wait for the disk, nor for a standby.
	return true, more, b.notify(ctx, s, strconv.FormatInt(last, 10))
}

func (b *Backplane) notify(ctx context.Context, s *session, payload string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, queryTimeout, errNoAnswer)
	defer cancel()
	_, err := s.Exec(ctx, `SELECT pg_notify($1, $2)`, s.mode, b.channel(), payload)
	return err
}

// channel is where the process that numbers tells the last position.
func (b *Backplane) channel() string {
	return "crier_" + b.options.Schema
}

type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func (b *Backplane) move(ctx context.Context, q querier, mode pgx.QueryExecMode) (n, last int64, more bool, err error) {
	err = q.QueryRow(ctx, b.sql(numberSQL), mode, numberLimit, numberLimitBytes).Scan(&n, &last, &more)
	return n, last, more, err
}

// exclusively calls f in a transaction that holds the lock, unless another
// session holds it. The lock comes with a statement of its own, so that the
// snapshots of the next ones see what the session before has done.
func (b *Backplane) exclusively(ctx context.Context, s *session, f func(tx pgx.Tx) error) (ok bool, err error) {
	err = pgx.BeginFunc(ctx, s.Conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, settingsSQL, s.mode, true); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock($1)`, s.mode, b.lock).Scan(&ok)
		if err != nil || !ok {
			return err
		}
		return f(tx)
	})
	return ok, err
}

// ask runs a statement that returns a bool, with the settings for it, in one
// round trip.
func (b *Backplane) ask(ctx context.Context, s *session, sql string, args ...any) (yes bool, err error) {
	err = b.settled(ctx, s, b.sql(sql), args, &yes)
	return yes, err
}

// settled runs a statement that returns one row, in one round trip and one
// transaction with the settings for it.
func (b *Backplane) settled(ctx context.Context, s *session, sql string, args []any, dest ...any) error {
	var batch pgx.Batch
	batch.Queue(settingsSQL, true)
	batch.Queue(sql, args...).QueryRow(func(row pgx.Row) error { return row.Scan(dest...) })
	return s.SendBatch(ctx, &batch).Close()
}

// sleep reports whether ctx lasts longer than d.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
