package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// RetainNewest does what Options.MaxRecords would.
func (b *Backplane) RetainNewest(ctx context.Context, n int) error {
	s, err := b.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	for {
		ok, err := b.exclusively(ctx, s, func(tx pgx.Tx) error {
			_, err := b.retain(ctx, tx, s.mode, n)
			return err
		})
		if ok || err != nil {
			return err
		}
	}
}

// PendingSQL is what the process that numbers asks all the time.
func (b *Backplane) PendingSQL() string { return b.sql(anyPendingSQL) }

// NumberWithoutLock numbers until there is nothing to do or it is refused.
func (b *Backplane) NumberWithoutLock(ctx context.Context) error {
	s, err := b.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if _, err := s.Exec(ctx, settingsSQL, s.mode, false); err != nil {
		return err
	}
	for range 50 {
		if _, _, err := b.pass(ctx, s); err != nil {
			return err
		}
	}
	return nil
}
