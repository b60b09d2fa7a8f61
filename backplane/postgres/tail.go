package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/crier-go/crier/hub"
)

// An inspection is what inspectSQL returns.
type inspection struct {
	version  *int
	first    *int64
	origin   *string
	name     *uuid.UUID // of the sequence
	last     *int64
	here     string // what origin should be
	timeline string
	pending  bool
	snapshot string
}

func (i *inspection) scan() []any {
	return []any{&i.version, &i.first, &i.origin, &i.name, &i.last, &i.here, &i.timeline, &i.pending, &i.snapshot}
}

// begun reports whether the sequence exists, and began in this database.
func (i *inspection) begun() bool {
	return i.version != nil && i.name != nil && *i.origin == i.here
}

// epoch names what must be the same for positions to be: the server's data, its
// history (which a promoted standby branches off), the database, the table, and
// what is in the table.
func (i *inspection) epoch() string {
	return i.here + "/" + i.timeline + "/" + i.name.String()
}

// Tail implements [hub.Backplane]. It creates what [Schema] describes if it does
// not exist, and returns an error that says so if it may not. Records that were
// committed before the call and have no position are given theirs first, by this
// process if no other does. So Tail waits, at most until ctx ends, if the process
// that does hangs.
func (b *Backplane) Tail(ctx context.Context) (hub.Tail, error) {
	i, err := b.end(ctx)
	if err != nil && stale(err) && ctx.Err() == nil {
		i, err = b.end(ctx)
	}
	if err != nil {
		return hub.Tail{}, failed(ctx, "look for the end of the sequence", err)
	}
	epoch := i.epoch()
	b.epoch.Store(&epoch)
	return hub.Tail{Epoch: epoch, First: uint64(*i.first), Last: uint64(*i.last)}, nil
}

// end returns the state of the sequence when everything that was committed
// before the call has a position.
func (b *Backplane) end(ctx context.Context) (i inspection, err error) {
	c, err := b.pool.Acquire(ctx)
	if err != nil {
		return i, err
	}
	defer c.Release()
	s := &session{Conn: c.Conn(), mode: pgx.QueryExecModeCacheDescribe}
	if i, err = b.prepare(ctx, s); err != nil || !i.pending {
		return i, err
	}
	if err := b.settle(ctx, s, i.snapshot); err != nil {
		return i, err
	}
	if i, err = b.inspect(ctx, s); err == nil && !i.begun() {
		err = unavailable("the sequence was removed")
	}
	return i, err
}

// prepare returns the state of a sequence that exists.
func (b *Backplane) prepare(ctx context.Context, s *session) (inspection, error) {
	for range 5 {
		i, err := b.inspect(ctx, s)
		switch {
		case missing(err):
			err = b.create(ctx, s)
		case err != nil:
			return i, err
		case i.version != nil && *i.version != version:
			return i, refused("the tables in schema %s have version %d, and this package knows %d", b.options.Schema, *i.version, version)
		case i.begun():
			return i, b.check(ctx, s)
		default:
			if err = b.check(ctx, s); err == nil {
				err = b.begin(ctx, s, i.here)
			}
		}
		if err != nil {
			return i, err
		}
	}
	return inspection{}, unavailable("the tables are removed again and again")
}

func (b *Backplane) inspect(ctx context.Context, s *session) (i inspection, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, queryTimeout, errNoAnswer)
	defer cancel()
	err = b.settled(ctx, s, b.sql(inspectSQL), nil, i.scan()...)
	return i, err
}

// create creates the tables. Of several processes, one does at a time: IF NOT
// EXISTS alone does not make that safe.
func (b *Backplane) create(ctx context.Context, s *session) error {
	ctx, cancel := context.WithTimeoutCause(ctx, numberTimeout, errNoAnswer)
	defer cancel()
	err := pgx.BeginFunc(ctx, s.Conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, s.mode, b.lock+1); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, Schema(b.options.Schema), pgx.QueryExecModeSimpleProtocol)
		return err
	})
	if code(err) == insufficientPrivilege {
		return refused("the tables in schema %s do not exist, and this role may not create them; run what postgres.Schema returns as another one: %w", b.options.Schema, err)
	}
	return err
}

// begin gives the sequence its name, once.
func (b *Backplane) begin(ctx context.Context, s *session, origin string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, numberTimeout, errNoAnswer)
	defer cancel()
	ok, err := b.exclusively(ctx, s, func(tx pgx.Tx) error {
		for n, sql := range beginSQL {
			var args []any
			if n >= 3 {
				args = []any{origin}
			}
			if _, err := tx.Exec(ctx, b.sql(sql), append([]any{s.mode}, args...)...); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && !ok {
		sleep(ctx, 50*time.Millisecond)
	}
	return err
}

// check returns an error if the tables cannot serve.
func (b *Backplane) check(ctx context.Context, s *session) error {
	ctx, cancel := context.WithTimeoutCause(ctx, queryTimeout, errNoAnswer)
	defer cancel()
	var privileges, unlogged *string
	if err := s.query(ctx, b.sql(checkSQL)).Scan(&privileges, &unlogged); err != nil {
		return err
	}
	if privileges != nil {
		return refused("this role lacks privileges: %s", *privileges)
	}
	if unlogged != nil {
		return refused("a crash would empty tables that are not logged: %s", *unlogged)
	}
	return nil
}

// settle returns when everything that a snapshot sees has a position.
func (b *Backplane) settle(ctx context.Context, s *session, snapshot string) error {
	for delay := time.Millisecond; ; delay = min(2*delay, 20*time.Millisecond) {
		var last int64
		var more bool
		pass, cancel := context.WithTimeoutCause(ctx, numberTimeout, errNoAnswer)
		ok, err := b.exclusively(pass, s, func(tx pgx.Tx) (err error) {
			_, last, more, err = b.move(pass, tx, s.mode)
			return err
		})
		if ok && err == nil && last > 0 {
			err = b.notify(pass, s, fmt.Sprint(last))
		}
		if err == nil && !ok {
			more, err = b.ask(pass, s, stillPendingSQL, snapshot)
		}
		cancel()
		if err != nil || !more {
			return err
		}
		if !ok && !sleep(ctx, delay) {
			return context.Cause(ctx)
		}
	}
}
