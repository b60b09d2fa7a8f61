package nats

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// NewEpochs gives every stream of backplanes on a server a new epoch: all clients
// of all processes are told of a gap. Call it after acknowledged records were
// lost in a way that the stream does not show, such as when it was restored from
// a backup, before processes connect.
func NewEpochs(ctx context.Context, nc *nats.Conn) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	streams := js.ListStreams(ctx)
	for info := range streams.Info() {
		if _, ok := info.Config.Metadata[epochKey]; !ok {
			continue
		}
		if _, err := js.UpdateStream(ctx, withEpoch(info.Config)); err != nil {
			return fmt.Errorf("nats: stream %s: %w", info.Config.Name, err)
		}
	}
	if err := streams.Err(); err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	return nil
}
