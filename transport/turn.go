package transport

import (
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport/internal/netwrite"
	"github.com/crier-go/crier/transport/internal/reactor"
)

// A turn is what a worker does for one stream: it takes batches, and writes them piece
// by piece. It is a slot of a worker, which has one stream after the other.
type turn struct {
	s      *Stream
	batch  []*hub.Message   // the last batch that was taken; its array is used again
	rest   []*hub.Message   // what of the batch has not been written
	taking bool             // Take has not returned
	piece  int              // how many messages the present write has
	room   *netwrite.Buffer // where they are joined; nil if that was not needed
}

// reset frees the slot. Nothing of the stream is left.
func (t *turn) reset() {
	clear(t.batch)
	t.release()
	*t = turn{batch: t.batch[:0]}
}

// release returns the buffer.
func (t *turn) release() {
	if t.room != nil {
		netwrite.Put(t.room)
		t.room = nil
	}
}

// next reports a batch that has been written, and takes another, unless last is set.
// It reports false if the turn is over: the stream sleeps, is queued again, or goes on
// in a goroutine of its own. Then nothing of the stream may be touched.
func (t *turn) next(now time.Time, last bool) (goesOn bool) {
	s := t.s
	defer s.contain(&goesOn)
	if len(t.rest) > 0 {
		return true
	}
	if written := t.batch; len(written) > 0 {
		t.release()
		*t = turn{}
		s.wrote(written, now) // if it does not return, s goes on in a goroutine of its own
		clear(written)        // must not keep messages alive
		t.s, t.batch = s, written[:0]
	}
	if last {
		s.crew.add(s)
		return false
	}
	return t.take()
}

// begin prepares a write. It reports false if the turn is over.
func (t *turn) begin(w *reactor.Write) (goesOn bool) {
	s := t.s
	defer s.contain(&goesOn)
	if len(t.rest) > 1 && t.room == nil {
		t.room = netwrite.Get()
	}
	joint := s.conn.(netwrite.Joint)
	if w.P, t.piece = joint.Begin(t.rest, t.room); t.piece == 0 {
		go s.resume(t.handOver(nil, nil))
		return false
	}
	w.Conn = joint.Joint()
	return true
}

// take takes a batch. It reports false if there is none, or if the stream's own
// goroutine takes it.
func (t *turn) take() bool {
	if t.s.beatDue.Load() {
		go t.s.loop()
		return false
	}
	t.taking = true
	batch, err := t.s.sub.Take(t.batch[:0])
	t.taking = false
	if err != nil {
		go t.s.loop() // is told the same
		return false
	}
	t.batch, t.rest = batch, batch
	return len(batch) > 0
}

// finish ends a write that has been made. It reports false if the turn is over.
func (t *turn) finish(w *reactor.Write) (goesOn bool) {
	s := t.s
	defer s.contain(&goesOn)
	if w.Err == reactor.ErrNotReady {
		w.Err = nil
	}
	t.rest = t.rest[t.piece:]
	if w.N < len(w.P) {
		go s.resume(t.handOver(w.P[w.N:], w.Err))
		return false
	}
	s.conn.(netwrite.Joint).Finish(nil, nil)
	return true
}

// An unfinished is a batch of which something has not been written.
type unfinished struct {
	batch []*hub.Message
	rest  []*hub.Message   // after the write that has begun
	p     []byte           // the rest of that write; nil if none has begun
	err   error            // why it has failed, if it has
	room  *netwrite.Buffer // where p may be
}

// handOver gives away what the turn has.
func (t *turn) handOver(p []byte, err error) unfinished {
	u := unfinished{batch: t.batch, rest: t.rest, p: p, err: err, room: t.room}
	*t = turn{}
	return u
}

// resume goes on with the write loop where a turn has left off. It is the stream's own
// goroutine.
func (s *Stream) resume(u unfinished) {
	goesOn := true
	defer s.contain(&goesOn)
	err := u.err
	if u.p != nil {
		err = s.conn.(netwrite.Joint).Finish(u.p, err)
	}
	if u.room != nil {
		netwrite.Put(u.room)
	}
	if err == nil && len(u.rest) > 0 {
		err = s.conn.Send(u.rest)
	}
	if err != nil {
		s.fail(err)
		return
	}
	s.wrote(u.batch, time.Now())
	s.writeLoop()
}
