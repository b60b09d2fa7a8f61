package postgres

import (
	"context"
	"database/sql"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/crier-go/crier/hub"
)

const insertOneSQL = `INSERT INTO crier.outbox (record, data, life_us) VALUES ($1::uuid, $2::bytea, $3::bigint)`

// InsertTx makes a record part of the caller's transaction, which is a pgx.Tx
// in the backplane's database: the record is published if the transaction
// commits, and never otherwise. It inserts one row, takes no lock and sends no
// NOTIFY, so it costs what any other insert costs. The position is given after
// the commit, in the order of commits: a record stands behind every record whose
// transaction had committed before this one was inserted.
//
// Errors: a [hub.RecordTooLargeError], or the one of the transaction, unchanged.
func (b *Backplane) InsertTx(ctx context.Context, tx interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}, r hub.Record) error {
	if err := b.fits(r); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, b.sql(insertOneSQL), r.ID.String(), nonNil(r.Data), life(r))
	return err
}

// InsertSQLTx is InsertTx for a *sql.Tx, with any driver for PostgreSQL.
func (b *Backplane) InsertSQLTx(ctx context.Context, tx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}, r hub.Record) error {
	if err := b.fits(r); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, b.sql(insertOneSQL), r.ID.String(), nonNil(r.Data), life(r))
	return err
}

func (b *Backplane) fits(r hub.Record) error {
	if len(r.Data) > b.options.MaxRecord {
		return &hub.RecordTooLargeError{Size: len(r.Data), Limit: b.options.MaxRecord}
	}
	return nil
}

// life returns a record's life in microseconds, rounded up, or nil if it has
// none of its own.
func life(r hub.Record) *int64 {
	if r.Life <= 0 {
		return nil
	}
	us := int64((r.Life-1)/time.Microsecond + 1)
	return &us
}

// nonNil keeps a record without data from being NULL.
func nonNil(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}
