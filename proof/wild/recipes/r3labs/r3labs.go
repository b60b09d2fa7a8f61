// Package r3labs is the recipe for the client of github.com/r3labs/sse.
package r3labs

import (
	"context"
	"time"

	"github.com/r3labs/sse/v2"
)

// Follow subscribes again whenever a subscription ends: the library takes a
// clean end of the response for the end of all. The client keeps the last id.
func Follow(ctx context.Context, url string, handle func(*sse.Event)) error {
	client := sse.NewClient(url)
	for ctx.Err() == nil {
		client.SubscribeRawWithContext(ctx, handle)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	return ctx.Err()
}
