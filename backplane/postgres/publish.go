package postgres

import (
	"context"
	"database/sql"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// audiencesPerRecord is what [hub.NewRecord] takes.
const audiencesPerRecord = 256

// PublishTx makes an event part of the caller's transaction, which is a pgx.Tx in
// the backplane's database: the event is published if the transaction commits,
// and never otherwise. Without audiences, it is for the event's own user. For
// everything else see [Backplane.InsertTx]; for more than 256 audiences, the event
// takes several rows. The process needs no hub.
//
// Errors: those of [hub.NewRecord], a [hub.RecordTooLargeError], or that of the
// transaction, unchanged.
func (b *Backplane) PublishTx(ctx context.Context, tx interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}, e *event.Event, to ...hub.Audience) error {
	return publish(e, to, func(r hub.Record) error { return b.InsertTx(ctx, tx, r) })
}

// PublishSQLTx is PublishTx for a *sql.Tx, with any driver for PostgreSQL.
func (b *Backplane) PublishSQLTx(ctx context.Context, tx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}, e *event.Event, to ...hub.Audience) error {
	return publish(e, to, func(r hub.Record) error { return b.InsertSQLTx(ctx, tx, r) })
}

// publish calls insert for each record that the event needs.
func publish(e *event.Event, to []hub.Audience, insert func(hub.Record) error) error {
	if len(to) == 0 {
		to = []hub.Audience{hub.User(e.User())}
	}
	for some := range slices.Chunk(to, audiencesPerRecord) {
		r, err := hub.NewRecord(e, some...)
		if err == nil {
			err = insert(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
