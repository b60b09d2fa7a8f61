package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/redis/internal/client"
	"github.com/crier-go/crier/hub"
)

// A record is an entry with one field, whose value is the record's id (16
// bytes) and its data. One value costs go-redis less to read than several.
const (
	recordField  = "r"
	recordHeader = 16
)

const (
	// maxFlushes is how many pipelines are under way at once: while one waits
	// for its replies, the next is written.
	maxFlushes = 2
	// A pipeline is bounded by the number of its records and by their bytes.
	maxFlushRecords = 512
	maxFlushBytes   = 1 << 20
)

// A pending is an Append that waits for its outcome. It is reused with its
// command and its buffers.
type pending struct {
	value []byte
	cmd   *redis.StringCmd
	done  chan error // buffered
}

// MarshalBinary makes a *pending an argument for go-redis: unlike a slice, a
// pointer needs no allocation for that.
func (p *pending) MarshalBinary() ([]byte, error) { return p.value, nil }

// maxReused is the largest buffer that is kept for another record.
const maxReused = 16 << 10

func (b *Backplane) newPending(r hub.Record) *pending {
	p, ok := b.idle.Get().(*pending)
	if !ok {
		p = &pending{done: make(chan error, 1)}
		// NOMKSTREAM: a stream that XADD created would have no identity.
		p.cmd = redis.NewStringCmd(context.Background(), "XADD", b.options.Stream, "NOMKSTREAM",
			"MAXLEN", "~", b.options.MaxRecords, "0-*", recordField, p)
	}
	// A copy: the pipeline may outlive the context of Append.
	p.value = append(append(p.value[:0], r.ID[:]...), r.Data...)
	return p
}

// release takes back a pending whose outcome has been received.
func (b *Backplane) release(p *pending) {
	if cap(p.value) <= maxReused {
		p.cmd.SetErr(nil)
		p.cmd.SetVal("")
		b.idle.Put(p)
	}
}

// Append implements [hub.Backplane]. Concurrent Appends are pipelined
// automatically. nil means that the server has executed the XADD: the record is
// in its memory, and on its disk according to appendfsync. An error that wraps
// hub.ErrUnavailable leaves open whether the record is in the stream.
//
// When the connection fails, the client tries again as its MaxRetries says; then
// a record may stand in the stream twice. Append itself does not try again.
func (b *Backplane) Append(ctx context.Context, r hub.Record) error {
	if len(r.Data) > b.options.MaxRecord {
		return &hub.RecordTooLargeError{Size: len(r.Data), Limit: b.options.MaxRecord}
	}
	if ctx.Err() != nil {
		return client.Unavailable("append a record", context.Cause(ctx))
	}
	p := b.newPending(r)
	b.mu.Lock()
	b.waiting = append(b.waiting, p)
	if b.flushes < maxFlushes {
		b.flushes++
		go b.flush()
	}
	b.mu.Unlock()

	select {
	case err := <-p.done:
		b.release(p)
		return err
	case <-ctx.Done():
		b.abandon(p)
		return client.Unavailable("append a record", context.Cause(ctx))
	}
}

// abandon takes p out of the queue if no flush has taken it.
func (b *Backplane) abandon(p *pending) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.waiting, p); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
	}
}

// flush writes what waits until nothing does.
func (b *Backplane) flush() {
	for {
		batch := b.take()
		if batch == nil {
			return
		}
		b.write(batch)
	}
}

// take takes the beginning of the queue. It returns nil if the queue is empty;
// the flush has then been signed off.
func (b *Backplane) take() []*pending {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, size := 0, 0
	for n < len(b.waiting) && n < maxFlushRecords {
		size += len(b.waiting[n].value)
		if n > 0 && size > maxFlushBytes {
			break
		}
		n++
	}
	if n == 0 {
		b.waiting = nil
		b.flushes--
		return nil
	}
	batch := slices.Clone(b.waiting[:n])
	b.waiting = slices.Delete(b.waiting, 0, n)
	return batch
}

// write appends a batch in one pipeline and tells every Append its outcome.
func (b *Backplane) write(batch []*pending) {
	const what = "append a record"
	// The client's timeouts bound this. The contexts of the Appends do not:
	// one that ends must not cost the others their outcome.
	ctx := context.Background()
	n, err := client.Node(ctx, b.client, b.options.Stream)
	if err != nil {
		for _, p := range batch {
			p.done <- err
		}
		return
	}
	pipe := n.Pipeline()
	for _, p := range batch {
		_ = pipe.Process(ctx, p.cmd)
	}
	var wait *redis.IntCmd
	if b.options.Replicas > 0 {
		wait = redis.NewIntCmd(ctx, "WAIT", b.options.Replicas, b.options.ReplicaTimeout.Milliseconds())
		_ = pipe.Process(ctx, wait)
	}
	_, err = pipe.Exec(ctx)

	var replicated error
	if wait != nil && wait.Err() == nil && wait.Val() < int64(b.options.Replicas) {
		replicated = client.Unavailable(what, fmt.Errorf("%d of %d replicas received it within %v",
			wait.Val(), b.options.Replicas, b.options.ReplicaTimeout))
	} else if wait != nil && wait.Err() != nil {
		replicated = client.Classify("wait for replicas", wait.Err())
	}
	for _, p := range batch {
		outcome := replicated
		switch own := p.cmd.Err(); {
		case errors.Is(own, redis.Nil):
			outcome = client.Unavailable(what, errNoStream)
		case own != nil:
			outcome = client.Failed(b.client, what, own)
		case p.cmd.Val() == "": // a connection that could not be set up
			outcome = client.Failed(b.client, what, err)
		}
		p.done <- outcome // p is not ours any more
	}
}
