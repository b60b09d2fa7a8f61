package nats

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/crier-go/crier/hub"
)

// small records fit into every stream that check accepts. If a server takes
// less, its client library says so.
const small = minMessage - overhead

// overhead is what a message's headers may add to a record's data, in bytes.
const overhead = 128

// Error codes of JetStream that package jetstream has no name for.
const (
	codeNoPeers       jetstream.ErrorCode = 10005 // a cluster is not complete yet
	codeInvalidConfig jetstream.ErrorCode = 10052
	codeNotClustered  jetstream.ErrorCode = 10074
	codeInProcess     jetstream.ErrorCode = 10158 // the message id is that of a publish without an outcome
	codeTTLDisabled   jetstream.ErrorCode = 10166
)

// once tells the client library not to publish again by itself, for which it
// would retain the record's data after Append has returned.
var once = jetstream.WithRetryAttempts(0)

// Append is that of [hub.Backplane]. Concurrent Appends are pipelined: none
// waits for the acknowledgement of another. While the outcome is unclear, the
// record is published again, after 2 seconds at most, and until ctx ends or
// Options.Timeout has passed. The stream drops repetitions by the record's ID.
func (b *Backplane) Append(ctx context.Context, r hub.Record) error {
	if b.err != nil {
		return b.err
	}
	if len(r.Data) > small {
		if limit := b.limit(); limit > 0 && len(r.Data) > limit {
			return &hub.RecordTooLargeError{Size: len(r.Data), Limit: limit}
		}
	}
	if err := b.acquire(ctx); err != nil {
		return err
	}
	defer func() { <-b.pending }()
	// A publish without an acknowledgement ends after answerTime by itself. A
	// context for that would cost more than the rest of Append.
	start := time.Now()
	for {
		err := b.publish(ctx, r)
		if err == nil || ctx.Err() != nil || !errors.Is(err, hub.ErrUnavailable) {
			return err
		}
		if time.Since(start) >= b.o.Timeout {
			return fmt.Errorf("%w: no acknowledgement for %v", err, b.o.Timeout)
		}
		if late := sleep(ctx, retryWait); late != nil {
			return fmt.Errorf("%w: %w", err, late)
		}
	}
}

// acquire waits until fewer than Options.MaxPending records are on their way.
func (b *Backplane) acquire(ctx context.Context) error {
	select {
	case b.pending <- struct{}{}:
		return nil
	default:
	}
	ctx, cancel := b.bounded(ctx)
	defer cancel()
	select {
	case b.pending <- struct{}{}:
		return nil
	case <-ctx.Done():
		return b.classify(ctx, "publish", ctx.Err())
	}
}

// limit returns the largest record that the stream takes, in bytes of its data.
// Zero means that it is not known, because the connection was never open.
func (b *Backplane) limit() int {
	limit := int(b.size.Load())
	if server := int(b.nc.MaxPayload()); limit == 0 || server > 0 && server < limit {
		limit = server
	}
	return max(limit-overhead, 0)
}

// publish publishes a record once.
func (b *Backplane) publish(ctx context.Context, r hub.Record) error {
	if ctx.Err() != nil {
		return b.classify(ctx, "publish", ctx.Err())
	}
	sequence := b.known.Load()
	m := &nats.Msg{
		Subject: b.o.Subject,
		Data:    r.Data,
		Header:  nats.Header{jetstream.MsgIDHeader: []string{r.ID.String()}},
	}
	if ttl := b.ttl(r.Life); ttl != "" {
		m.Header[jetstream.MsgTTLHeader] = []string{ttl}
	}
	future, err := b.js.PublishMsgAsync(m, once)
	if err != nil {
		return b.refused(ctx, r, err)
	}
	select {
	case ack := <-future.Ok():
		if ack.Stream != b.o.Stream {
			return fmt.Errorf("nats: subject %s belongs to stream %s, not to %s", b.o.Subject, ack.Stream, b.o.Stream)
		}
		if sequence != nil {
			sequence.note(ack.Sequence)
		}
		return nil
	case err := <-future.Err():
		return b.refused(ctx, r, err)
	case <-ctx.Done():
		return b.classify(ctx, "publish", ctx.Err())
	}
}

// refused returns the error of a publish that was not acknowledged.
func (b *Backplane) refused(ctx context.Context, r hub.Record, err error) error {
	api, ok := errors.AsType[*jetstream.APIError](err)
	switch {
	case errors.Is(err, nats.ErrHeadersNotSupported) && !b.nc.IsConnected():
		err = nats.ErrDisconnected // it was never connected, so it does not know
	case errors.Is(err, nats.ErrMaxPayload), ok && api.ErrorCode == jetstream.JSErrCodeStreamMessageExceedsMaximum:
		return &hub.RecordTooLargeError{Size: len(r.Data), Limit: min(b.limit(), len(r.Data)-1)}
	case ok && api.ErrorCode == codeTTLDisabled:
		b.noTTL.Store(true) // somebody has changed the stream; the next try goes without
		return fmt.Errorf("nats: publish: %w: %w", hub.ErrUnavailable, err)
	}
	return b.classify(ctx, "publish", err)
}

// ttl returns the value of a message's TTL header, or nothing if the record
// lives as long as any other.
func (b *Backplane) ttl(life time.Duration) string {
	if life <= 0 || life >= b.o.MaxAge || b.noTTL.Load() {
		return ""
	}
	return (life + time.Second - 1).Truncate(time.Second).String() // the server counts in seconds
}
