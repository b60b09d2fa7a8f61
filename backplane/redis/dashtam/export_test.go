package dashtam

import (
	"context"
	"errors"
	"time"
)

// Settle waits for a checkpoint that is made after it was called.
func (b *Bridge) Settle(ctx context.Context) error {
	began := b.checkpoints.Load()
	for range 1000 {
		// The next may have been under way when this was called.
		if b.checkpoints.Load() >= began+2 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return errors.New("no checkpoint was made")
}
