package nats

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/crier-go/crier/hub"
)

// A Backplane is a [hub.Backplane] on a JetStream stream. All methods are safe
// for concurrent use. It has nothing to close: what it holds ends with its
// connection.
type Backplane struct {
	nc  *nats.Conn
	js  jetstream.JetStream
	o   Options
	err error // of New; what every method returns

	pending chan struct{} // a token for each publish without acknowledgement

	// known is the sequence that the last Tail returned; nil before.
	known atomic.Pointer[sequence]
	bound atomic.Bool  // a Tail has set the stream's bounds
	noTTL atomic.Bool  // the stream cannot retain single records for less
	size  atomic.Int32 // of the stream's largest message; zero means that of the server
}

// A sequence is the stream in one epoch.
type sequence struct {
	epoch string
	seen  atomic.Uint64 // the last position that was acknowledged or delivered
}

// note notes that a position exists.
func (s *sequence) note(position uint64) {
	for {
		seen := s.seen.Load()
		if position <= seen || s.seen.CompareAndSwap(seen, position) {
			return
		}
	}
}

// New returns a backplane on a connection. It does not use the connection yet:
// the stream is created, or checked, by Tail, which [hub.Open] calls.
//
// The connection must be one that never stops to reconnect: see
// [ConnectOptions]. Other users of the connection share its fate: if it answers
// nothing for 10 seconds, the backplane makes it reconnect.
func New(nc *nats.Conn, o *Options) *Backplane {
	b := &Backplane{nc: nc, o: o.resolved()}
	b.pending = make(chan struct{}, b.o.MaxPending)
	b.js, b.err = jetstream.New(nc,
		jetstream.WithPublishAsyncMaxPending(b.o.MaxPending),
		jetstream.WithPublishAsyncTimeout(min(answerTime, b.o.Timeout)),
	)
	switch {
	case b.err != nil:
	case nc.Opts.MaxReconnect >= 0 || !nc.Opts.AllowReconnect:
		b.err = errors.New("nats: the connection gives up after some attempts to reconnect: connect with ConnectOptions, or with MaxReconnects(-1)")
	}
	return b
}

// ConnectOptions returns options for a connection that outlives any outage of
// the servers: it also starts without them, and never stops to reconnect.
func ConnectOptions() []nats.Option {
	return []nats.Option{
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(250*time.Millisecond, 250*time.Millisecond),
	}
}

// sequence returns the sequence that the last Tail returned. Before, it is one
// without an epoch.
func (b *Backplane) sequence() *sequence {
	if s := b.known.Load(); s != nil {
		return s
	}
	return &sequence{}
}

// bounded returns a context for requests, which ends after Options.Timeout.
func (b *Backplane) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, b.o.Timeout, fmt.Errorf("no answer for %v", b.o.Timeout))
}

// ask makes a request of the JetStream API, which must be one that can be
// repeated: while a cluster elects a leader, requests stay without an answer.
func ask[T any](ctx context.Context, request func(context.Context) (T, error)) (T, error) {
	for {
		try, cancel := context.WithTimeout(ctx, answerTime)
		answer, err := request(try)
		late := try.Err() != nil
		cancel()
		if err == nil || !late || ctx.Err() != nil {
			return answer, err
		}
	}
}

// retryWait is the time between two tries.
const retryWait = 100 * time.Millisecond

// sleep waits for d, or until ctx ends, and returns its cause.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// answerTime is how long a request or a publish waits for its answer before it
// is repeated.
const answerTime = 2 * time.Second

// revive makes a connection reconnect that looks open but carries nothing.
func (b *Backplane) revive() {
	if b.nc.Status() == nats.CONNECTED && b.nc.FlushTimeout(probe) != nil && b.nc.Status() == nats.CONNECTED {
		// The error is that the connection is closed, which others will say.
		_ = b.nc.ForceReconnect()
	}
}

// probe is how long a connection has to answer a ping.
const probe = 2 * time.Second

// classify returns err as the contract wants it: what may pass wraps
// ErrUnavailable, and so does the end of ctx, with its cause.
func (b *Backplane) classify(ctx context.Context, what string, err error) error {
	api, ok := errors.AsType[*jetstream.APIError](err)
	_, wrong := errors.AsType[*StreamError](err)
	switch {
	case wrong:
		return err
	case b.nc.IsClosed():
		return fmt.Errorf("nats: %s: %w", what, nats.ErrConnectionClosed)
	case errors.Is(err, hub.ErrUnavailable):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("nats: %s: %w: %w", what, hub.ErrUnavailable, context.Cause(ctx))
	case errors.Is(err, nats.ErrPermissionViolation),
		errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount),
		ok && !passing(api):
		return fmt.Errorf("nats: %s: %w", what, err)
	}
	return fmt.Errorf("nats: %s: %w: %w", what, hub.ErrUnavailable, err)
}

// passing reports whether trying again can mend an error of JetStream. Its codes
// are those of HTTP, with exceptions.
func passing(err *jetstream.APIError) bool {
	switch err.ErrorCode {
	case jetstream.JSErrCodeStreamNotFound, // it is being created, or was deleted: Tail creates it
		jetstream.JSErrCodeConsumerNotFound, // its server went away
		jetstream.JSErrCodeConsumerDoesNotExist,
		codeInProcess, // a retry overtook the first try, which may yet be stored
		codeNoPeers:
		return true
	case codeInvalidConfig, codeNotClustered:
		return false
	}
	return err.Code/100 != 4
}
