package nats

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/crier-go/crier/hub"
)

const (
	// heartbeat is how often a server says that it has nothing to say. Two
	// that are missing mean that the connection, or the consumer, is dead.
	heartbeat = 2 * time.Second
	// maxBatch and maxBatchBytes bound what waits for apply. A single record
	// may be larger.
	maxBatch      = 1024
	maxBatchBytes = 4 << 20
	// unknownTries is how often Follow asks for a consumer that the server of
	// its connection does not know, retryWait apart.
	unknownTries = 20
	// pulled and pulledBytes bound what a server sends ahead. The largest
	// message must fit into it.
	pulled      = 4096
	pulledBytes = 8 << 20
	// abandoned is after which time a server removes a consumer that nobody
	// reads.
	abandoned = 30 * time.Second
	// expiredWait is how often Follow asks whether more will come, until it
	// has come to where the stream ended when it began.
	expiredWait = 100 * time.Millisecond
	// farewell is how long Follow waits for the server to remove its consumer.
	farewell = 500 * time.Millisecond
)

// Follow is that of [hub.Backplane]. It reads through an ephemeral consumer of
// its own, and ends when the connection breaks, when the server was silent for
// 4 seconds, and when the consumer or the stream is gone.
func (b *Backplane) Follow(ctx context.Context, after uint64, apply func(batch []hub.SequencedRecord) error) error {
	if b.err != nil {
		return b.err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	// From here on, nothing that happens to the connection is missed.
	status := b.nc.StatusChanged(nats.DISCONNECTED, nats.RECONNECTING, nats.CLOSED)
	defer b.nc.RemoveStatusListener(status)
	if !b.nc.IsConnected() {
		return b.classify(ctx, "follow", nats.ErrDisconnected)
	}

	f := &following{b: b, last: after}
	consumer, err := f.open(ctx, after)
	if err != nil {
		return err
	}
	for range unknownTries {
		// In a cluster, the server of this connection may not have heard of the
		// consumer yet.
		f = f.fresh()
		if err = f.run(ctx, consumer, status, apply); !f.begin || !errors.Is(err, nats.ErrNoResponders) {
			break
		}
		if late := sleep(ctx, retryWait); late != nil {
			err = late
			break
		}
	}
	if errors.Is(err, jetstream.ErrNoHeartbeat) {
		b.revive()
	}
	f.close(consumer)
	return err
}

// A following is one running Follow. The consumer's goroutine fills a batch;
// that of Follow applies it, and fills the next one meanwhile.
type following struct {
	b        *Backplane
	sequence *sequence

	last  uint64 // the last position that was handed to apply
	begin bool   // nothing was handed to it yet
	end   uint64 // the stream's last position when it began

	ready chan struct{} // something is in next, or failed is set
	room  chan struct{} // next was taken
	ended chan struct{} // run returns

	mu     sync.Mutex
	next   []hub.SequencedRecord
	size   int    // of the data in next, in bytes
	count  uint64 // the consumer's own number of the last message
	failed error  // why nothing more will come
}

// fresh returns a following that has received nothing.
func (f *following) fresh() *following {
	return &following{
		b: f.b, sequence: f.sequence, last: f.last, end: f.end, begin: true,
		ready: make(chan struct{}, 1), room: make(chan struct{}, 1), ended: make(chan struct{}),
	}
}

// open creates a consumer behind position after, and then makes sure that it is
// one of the sequence that the hub knows.
func (f *following) open(ctx context.Context, after uint64) (jetstream.Consumer, error) {
	b := f.b
	bounded, cancel := b.bounded(ctx)
	defer cancel()
	config := jetstream.ConsumerConfig{
		Name:              nuid.Next(),
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       after + 1,
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: abandoned,
	}
	consumer, err := ask(bounded, func(ctx context.Context) (jetstream.Consumer, error) {
		return b.js.CreateOrUpdateConsumer(ctx, b.o.Stream, config)
	})
	var info *jetstream.StreamInfo
	if err == nil {
		info, err = b.info(bounded)
	}
	if err == nil {
		epoch := epochOf(info)
		switch s := b.sequence(); {
		case s.epoch != "" && s.epoch != epoch:
			err = fmt.Errorf("nats: follow: %w: the stream is another one than Tail has seen", hub.ErrUnavailable)
		case after > info.State.LastSeq:
			err = fmt.Errorf("nats: follow: %w: the stream ends at position %d, before %d", hub.ErrUnavailable, info.State.LastSeq, after)
		default:
			f.sequence, f.last, f.end = s, after, info.State.LastSeq
			return consumer, nil
		}
	}
	err = b.classify(bounded, "follow", err)
	switch {
	case consumer != nil:
		f.close(consumer)
	case bounded.Err() != nil && ctx.Err() == nil:
		b.revive()
	}
	return nil, err
}

// close removes the consumer. If the server does not answer, it removes the
// consumer itself, later.
func (f *following) close(consumer jetstream.Consumer) {
	if !f.b.nc.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	_ = f.b.js.DeleteConsumer(ctx, f.b.o.Stream, consumer.CachedInfo().Name)
}

func (f *following) run(ctx context.Context, consumer jetstream.Consumer, status <-chan nats.Status, apply func([]hub.SequencedRecord) error) error {
	consuming, err := consumer.Consume(f.receive,
		jetstream.PullMaxMessagesWithBytesLimit(pulled, max(pulledBytes, 2*int(f.b.nc.MaxPayload()))),
		jetstream.PullHeartbeat(heartbeat),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) { f.fail(err) }),
	)
	if err != nil {
		return f.b.classify(ctx, "follow", err)
	}
	defer consuming.Stop()
	defer close(f.ended)
	expired := time.NewTicker(expiredWait)
	defer expired.Stop()
	var batch []hub.SequencedRecord
	for {
		if f.last >= f.end {
			expired.Stop()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case s := <-status:
			return fmt.Errorf("nats: follow: %w: the connection is %v", hub.ErrUnavailable, s)
		case <-f.ready:
		case <-expired.C:
			if err := f.skip(ctx, consumer); err != nil {
				return err
			}
		}
		clear(batch)
		f.mu.Lock()
		batch, f.next, f.size = f.next, batch[:0], 0
		err := f.failed
		f.mu.Unlock()
		signal(f.room)
		if len(batch) > 0 {
			if err := f.complete(ctx, batch); err != nil {
				return err
			}
			f.last, f.begin = batch[len(batch)-1].Position, false // apply may alter the batch
			f.sequence.note(f.last)
			if err := apply(batch); err != nil {
				return err
			}
		}
		if err != nil {
			return fmt.Errorf("nats: follow: %w: %w", hub.ErrUnavailable, err)
		}
	}
}

// complete returns an error if the stream has removed records before they were
// read, but for those whose own life was over.
func (f *following) complete(ctx context.Context, batch []hub.SequencedRecord) error {
	expected := f.last + 1
	if f.begin {
		expected = batch[0].Position
	}
	for _, r := range batch {
		if r.Position != expected {
			break
		}
		expected++
	}
	if expected > batch[len(batch)-1].Position {
		return nil
	}
	bounded, cancel := f.b.bounded(ctx)
	defer cancel()
	info, err := f.b.info(bounded)
	if err != nil {
		return f.b.classify(bounded, "follow", err)
	}
	if info.State.FirstSeq > expected {
		return fmt.Errorf("nats: follow: %w: the stream has removed records before they were read", hub.ErrUnavailable)
	}
	return nil
}

// skip adds the position where the stream ended to the batch if the records up to
// there are gone, so that nothing more will come of them.
func (f *following) skip(ctx context.Context, consumer jetstream.Consumer) error {
	if f.last >= f.end { // a tick from before
		return nil
	}
	bounded, cancel := f.b.bounded(ctx)
	defer cancel()
	info, err := ask(bounded, consumer.Info)
	if err != nil {
		return f.b.classify(bounded, "follow", err)
	}
	idle := func() bool { return info.NumPending == 0 && info.Delivered.Consumer == f.count && len(f.next) == 0 }
	f.mu.Lock()
	nothing := idle()
	f.mu.Unlock()
	if !nothing {
		return nil
	}
	// In a cluster, the consumer may be on a server that does not have the last
	// records yet. The leader of the stream has them.
	if left, err := f.b.has(bounded, f.last+1, f.end); left || err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if idle() {
		f.next = append(f.next, hub.SequencedRecord{Position: f.end})
	}
	return nil
}

// has reports whether the stream has a record from one position to another.
func (b *Backplane) has(ctx context.Context, from, to uint64) (bool, error) {
	m, err := ask(ctx, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		s, err := b.js.Stream(ctx, b.o.Stream)
		if err != nil {
			return nil, err
		}
		return s.GetMsg(ctx, from, jetstream.WithGetMsgSubject(">")) // the first from there on
	})
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return false, nil
	case err != nil:
		return false, b.classify(ctx, "follow", err)
	}
	return m.Sequence <= to, nil
}

// receive takes a message from the consumer's goroutine, which waits if apply
// is slower than the server.
func (f *following) receive(m jetstream.Msg) {
	meta, err := m.Metadata()
	if err != nil {
		f.fail(err)
		return
	}
	r := hub.SequencedRecord{Position: meta.Sequence.Stream}
	if r.ID, err = uuid.Parse(m.Headers().Get(jetstream.MsgIDHeader)); err == nil {
		r.Data = m.Data()
	} // else somebody else has published to the subject: only the position counts
	for {
		f.mu.Lock()
		switch {
		case f.failed != nil:
			f.mu.Unlock()
			return
		case meta.Sequence.Consumer != f.count+1:
			f.mu.Unlock()
			f.fail(fmt.Errorf("message %d came after %d", meta.Sequence.Consumer, f.count))
			return
		case len(f.next) < maxBatch && f.size < maxBatchBytes:
			f.count++
			f.size += len(r.Data)
			f.next = append(f.next, r)
			f.mu.Unlock()
			signal(f.ready)
			return
		}
		f.mu.Unlock()
		select {
		case <-f.room:
		case <-f.ended:
			return
		}
	}
}

// fail ends the Follow after the records that came before.
func (f *following) fail(err error) {
	f.mu.Lock()
	if f.failed == nil {
		f.failed = err
	}
	f.mu.Unlock()
	signal(f.ready)
}

// signal wakes who waits on c, now or later.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
