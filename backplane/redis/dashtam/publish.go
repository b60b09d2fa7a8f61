package dashtam

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/redis/internal/client"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// publishScript adds an event to its user's stream and publishes it, both or
// neither. The TTL is set once, when the stream begins, as the service does.
//
// KEYS: the stream. ARGV: the channel, the message, MAXLEN, the TTL in seconds,
// and the fields and values of the entry.
var publishScript = redis.NewScript(`
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', unpack(ARGV, 5))
if redis.call('TTL', KEYS[1]) < 0 then
	redis.call('EXPIRE', KEYS[1], ARGV[4])
end
return redis.call('PUBLISH', ARGV[1], ARGV[2])`)

// Publish publishes e to its user through Redis, in the forms in which the
// Python service does: to the user's channel, and with Options.Retention to the
// user's stream. The service's subscribers hear it, and the hub does, when it
// comes back to this bridge. An application publishes with this method in place
// of the hub's: what is published to the hub directly stays in this process.
//
// nil means that Redis has accepted the event. Errors: hub.ErrNoUser,
// event.ErrUnknownType for a type that the hub's registry does not have, and one
// that wraps hub.ErrUnavailable if Redis cannot be reached, the outcome is
// unclear, or ctx ends. Then the same event may be published again: hubs behind
// a bridge hear it once, but Python subscribers may hear it twice.
func (b *Bridge) Publish(ctx context.Context, e *event.Event) error {
	user := e.User()
	if user == uuid.Nil {
		return hub.ErrNoUser
	}
	channel, stream := userChannel+user.String(), userStream+user.String()
	return b.send(ctx, e, func(message []byte) error {
		if !b.options.Retention {
			return b.client.Publish(ctx, channel, message).Err()
		}
		return publishScript.Run(ctx, b.client, []string{stream}, channel, message,
			b.options.StreamLength, int64(b.options.StreamLife/time.Second),
			fieldID, e.ID().String(), fieldType, string(e.Type()),
			fieldData, []byte(e.Data()), fieldTime, e.Time().Format(pythonTime)).Err()
	})
}

// Broadcast publishes e to everyone through Redis, whoever its own user is.
// Broadcasts are not retained in Redis. Errors are those of [Bridge.Publish], and
// one if Options.NoBroadcasts is set.
func (b *Bridge) Broadcast(ctx context.Context, e *event.Event) error {
	if b.options.NoBroadcasts {
		return errors.New("dashtam: Options.NoBroadcasts is set: no bridge would hear a broadcast")
	}
	return b.send(ctx, e, func(message []byte) error {
		return b.client.Publish(ctx, broadcastChannel, message).Err()
	})
}

func (b *Bridge) send(ctx context.Context, e *event.Event, write func([]byte) error) error {
	const what = "publish an event"
	if _, err := b.hub.Registry().Lookup(e.Type()); err != nil {
		return fmt.Errorf("dashtam: %w", err)
	}
	message, err := encodeMessage(e)
	if err != nil {
		return fmt.Errorf("dashtam: %w", err)
	}
	_, err = client.Bounded(ctx, what, func() (struct{}, error) { return struct{}{}, write(message) })
	if err != nil {
		return client.Failed(b.client, what, err)
	}
	return nil
}
