package redis

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/redis/internal/client"
	"github.com/crier-go/crier/hub"
)

// A reader reads a stream from a position on.
type reader struct {
	client redis.UniversalClient // is told when its nodes have changed
	stream string
	after  uint64
	first  bool // nothing has been read yet
	count  int  // of the next XREAD

	batch []hub.SequencedRecord // reused
	data  []byte                // reused: what batch points into
}

var (
	errShape = errors.New("redis: the server's reply to XREAD is not one that we know")
	errHole  = client.Unavailable("follow the stream", errors.New("records were removed before they were read"))
)

// read returns the next records, or none after blockFor. They are valid until
// the next call.
func (r *reader) read(ctx context.Context, c *redis.Client) ([]hub.SequencedRecord, error) {
	// The general command, not c.XRead, which makes a map of every entry.
	cmd := redis.NewSliceCmd(ctx, "XREAD", "COUNT", r.count, "BLOCK", blockFor.Milliseconds(),
		"STREAMS", r.stream, fmt.Sprintf("0-%d", r.after))
	err := c.Process(ctx, cmd)
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, client.Failed(r.client, "follow the stream", err)
	}
	return r.decode(cmd.Val())
}

// decode reads a reply of XREAD in RESP2: of each stream its name and its
// entries, of each entry its id and its fields and values.
func (r *reader) decode(reply []any) ([]hub.SequencedRecord, error) {
	if len(reply) != 1 {
		return nil, errShape
	}
	stream, ok := reply[0].([]any)
	if !ok || len(stream) != 2 {
		return nil, errShape
	}
	entries, ok := stream[1].([]any)
	if !ok {
		return nil, errShape
	}
	r.batch, r.data = r.batch[:0], r.data[:0]
	largest := 1
	for _, e := range entries {
		entry, ok := e.([]any)
		if !ok || len(entry) != 2 {
			return nil, errShape
		}
		id, _ := entry[0].(string)
		fields, _ := entry[1].([]any)
		p, err := position(id)
		if err != nil {
			return nil, fmt.Errorf("redis: %w", err)
		}
		// Ids are dense, since only the server gives them. The first may lie
		// further on: the hub learns from Tail what was removed before.
		if p != r.after+1 && !r.first {
			return nil, errHole
		}
		if len(fields) != 2 || fields[0] != recordField {
			return nil, foreign(p)
		}
		value, _ := fields[1].(string)
		if len(value) < recordHeader {
			return nil, foreign(p)
		}
		largest = max(largest, len(value))
		start := len(r.data)
		r.data = append(r.data, value[recordHeader:]...)
		record := hub.SequencedRecord{Position: p}
		record.ID = uuid.UUID([]byte(value[:recordHeader]))
		record.Data = r.data[start:len(r.data):len(r.data)]
		r.batch = append(r.batch, record)
		r.after, r.first = p, false
	}
	r.count = min(max(replyBytes/largest, 1), 2*r.count, maxCount)
	return r.batch, nil
}

func foreign(p uint64) error {
	return fmt.Errorf("redis: the entry at position %d was not written by this package; nothing else may write to the stream", p)
}
