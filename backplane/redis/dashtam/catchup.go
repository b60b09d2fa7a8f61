package dashtam

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/redis/internal/client"
	"github.com/crier-go/crier/event"
)

const (
	// slack is how far apart the service's two writes of one event, to the
	// stream and to the channel, may be. A catch-up begins that much before the
	// last checkpoint.
	slack = 10 * time.Second
	// streamsAtOnce is how many streams are asked for in one pipeline. Each may
	// reply with its thousand events.
	streamsAtOnce = 16
)

// A found is a missed event in a user's stream.
type found struct {
	ms    int64 // when it was added, by the server's clock
	user  uuid.UUID
	event *event.Event
}

// catchUp publishes what was missed since the last checkpoint, as far as streams
// have it, and tells the hub of a gap for all others. Afterwards, now is the
// checkpoint. If it fails, the next session catches up from the old one.
func (b *Bridge) catchUp(ctx context.Context, now look) error {
	was := b.mark
	local := time.Now()
	// How many messages will come that now.publishes counts already is not
	// known before the first PING is answered.
	reached := checkpoint{look: now, local: local}
	reached.publishes = -1
	if was.replid == "" { // the first session
		b.mark, b.coverage = reached, local
		return nil
	}
	if now.replid == was.replid && was.publishes >= 0 && now.publishes == was.publishes+was.heard {
		b.mark = reached // nothing at all was published meanwhile
		return nil
	}

	var missed []found
	var complete []uuid.UUID
	if b.options.Retention && now.replid == was.replid && !b.seen.forgotten.After(was.local) {
		var err error
		if missed, complete, err = b.readStreams(ctx, was, local); err != nil {
			return err
		}
	}
	if !b.options.NoBroadcasts {
		complete = nil
	}
	if err := b.hub.TellGap(ctx, complete...); err != nil {
		return err
	}
	b.gaps.Add(1)
	for _, f := range missed {
		fresh, err := b.deliver(ctx, f.user, f.event)
		if err != nil {
			return err
		}
		if fresh {
			b.recovered.Add(1)
		}
	}
	b.mark, b.coverage = reached, local
	return nil
}

// readStreams reads what the streams of the hub's users have from the time of
// was on, in the order of the server's clock. complete are the users whose streams
// cannot have lost anything since.
func (b *Bridge) readStreams(ctx context.Context, was checkpoint, local time.Time) (missed []found, complete []uuid.UUID, err error) {
	const what = "read the streams of users"
	back := slack
	if !b.seen.forgotten.IsZero() {
		back = min(back, was.local.Sub(b.seen.forgotten))
	}
	from := strconv.FormatInt(max(was.at.Add(-back).UnixMilli(), 0), 10)
	for users := range slices.Chunk(b.hub.Users(), streamsAtOnce) {
		type reply struct {
			entries *redis.XMessageSliceCmd
			info    *redis.XInfoStreamCmd
		}
		replies, err := client.Bounded(ctx, what, func() ([]reply, error) {
			replies := make([]reply, len(users))
			_, err := b.client.Pipelined(ctx, func(p redis.Pipeliner) error {
				for i, user := range users {
					// The entries first: what the stream has afterwards, it
					// had before, unless it is a new one.
					key := userStream + user.String()
					replies[i] = reply{p.XRange(ctx, key, from, "+"), p.XInfoStream(ctx, key)}
				}
				return nil
			})
			for _, r := range replies {
				if cause := r.entries.Err(); cause != nil && !wrongType(cause) {
					return nil, client.Failed(b.client, what, cause)
				}
				if cause := r.info.Err(); cause != nil && !wrongType(cause) && !noKey(cause) {
					return nil, client.Failed(b.client, what, cause)
				}
				if r.info.Err() == nil && r.info.Val() == nil { // a connection that could not be set up
					return nil, client.Failed(b.client, what, err)
				}
			}
			return replies, nil
		})
		if err != nil {
			return nil, nil, err
		}
		for i, user := range users {
			r := replies[i]
			for _, entry := range r.entries.Val() {
				ms, err := entryTime(entry.ID)
				if err == nil {
					var e *event.Event
					if e, err = decodeEntry(b.hub.Registry(), user, entry.Values); err == nil {
						missed = append(missed, found{ms, user, e})
						continue
					}
				}
				b.drop(err)
			}
			var info *redis.XInfoStream
			if r.info.Err() == nil {
				info = r.info.Val()
			}
			if !wrongType(r.info.Err()) && b.isComplete(user, info, was, local) {
				complete = append(complete, user)
			}
		}
	}
	// Each user's are in order already; what two users missed within the same
	// millisecond has no known order.
	slices.SortStableFunc(missed, func(x, y found) int { return cmp.Compare(x.ms, y.ms) })
	return missed, complete, nil
}

// isComplete reports whether a stream has everything that was added to it since
// was. info is nil if there is no stream.
func (b *Bridge) isComplete(user uuid.UUID, info *redis.XInfoStream, was checkpoint, local time.Time) bool {
	if info != nil && info.Length > 0 {
		first, err := entryTime(info.FirstEntry.ID)
		if err != nil {
			return false
		}
		if first <= was.at.UnixMilli() {
			return true // it reaches back to before
		}
		if info.EntriesAdded != info.Length { // before Redis 7, 0
			return false // it was trimmed
		}
	}
	// There is no stream, or one that began since. The TTL is set once, so that
	// a stream ends StreamLife after it began, whatever was added to it just
	// before. Was there one that ended since, and took events with it?
	life := b.options.StreamLife
	switch {
	case local.Sub(was.local) > life-slack:
		return false // one may have begun and ended since
	case was.local.Sub(b.coverage) < life+slack:
		return false // one may have begun when we did not listen
	}
	heard, ok := b.heard[user]
	return !ok || was.local.Sub(heard) > life+slack
}

// entryTime returns the milliseconds in the id of an entry.
func entryTime(id string) (int64, error) {
	digits, _, ok := strings.Cut(id, "-")
	ms, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil {
		return 0, fmt.Errorf("dashtam: the id %.50q of an entry is not milliseconds and a number", id)
	}
	return ms, nil
}

func wrongType(err error) bool { return err != nil && strings.HasPrefix(err.Error(), "WRONGTYPE") }
func noKey(err error) bool     { return strings.HasPrefix(err.Error(), "ERR no such key") }
