package hub

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"
	intern "unique"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub/internal/eventlog"
)

// A Subscription is one reader of a user's events: a filter and a position in
// the hub's order. It has no queue; Take reads from the hub's logs.
//
// One goroutine at a time may call Take; all other methods are safe for
// concurrent use. Close it, or the hub keeps it for ever.
type Subscription struct {
	reader eventlog.Reader[*Message] // first, because an append touches it
	hub    *Hub

	mu        sync.Mutex // guards the reader, too
	delivered uint64
	until     position     // nothing behind this is taken
	over      Reason       // why it ended, once it has
	pending   []*Message   // control messages, to be taken first
	lastWrite atomic.Int64 // by the hub's clock; 0 means never. Beside what Take touches, and not guarded.
	gaps      uint64
	draining  bool     // it ends when everything up to until has been taken
	closed    bool     // Close has been called
	topical   bool     // it follows topics, or has done so: TypeFilter names them
	removed   []string // topics that Leave has taken
	start     start    // where it began, until a gap of an unknown id has been taken; else zero
	trail     trail
	abort     func()
	onEnd     func()
	expiry    *time.Timer

	id         uint64
	session    Session // mu guards Expires
	transport  string
	remoteAddr string
	userAgent  intern.Handle[string] // thousands of clients have a few
	started    int64                 // by the hub's clock
	began      Start
	allowed    categorySet
}

// batchBytes bounds what one Take returns, unless a single message is larger.
const batchBytes = 64 << 10

// Take returns what is new: events and control messages, in the hub's order, at
// most 64 KiB or one message. It appends to buf[:0], so that a buffer can be
// used again. It never blocks.
//
// An empty result without an error means that there is nothing and that the
// subscription now sleeps: whatever happens next signals Ready, or calls
// Request.Notify, exactly once. An error is the [Reason] for which the
// subscription has ended; nothing follows it.
func (s *Subscription) Take(buf []*Message) ([]*Message, error) {
	s.mu.Lock()
	m, ok := s.takeOne()
	s.mu.Unlock()
	switch {
	case ok && m == nil:
		return buf[:0], nil
	case ok:
		return append(buf[:0], m), nil
	}
	batch, gaps, err := s.takeBatch(buf[:0])
	if gaps > 0 {
		s.hub.observeGaps(s, batch)
	}
	return batch, err
}

// takeOne is Take where at most one event is new, as after a sleep: it returns
// the event, or nil once the subscription sleeps. It reports false if that does
// not apply. It is short because a sleeper's memory is cold, its stack included:
// through takeBatch a delivery cost a fifth more. The caller holds s.mu.
func (s *Subscription) takeOne() (m *Message, ok bool) {
	s.reader.Rouse()
	if s.over != "" || s.pending != nil {
		return nil, false
	}
	head := s.hub.store.Head()
	if head != s.reader.Position() {
		m, wanted, ok := s.reader.Single(head)
		if !ok {
			return nil, false
		}
		if wanted {
			s.delivered++
			return m, true
		}
	}
	return nil, s.reader.Sleep(head)
}

func (s *Subscription) takeBatch(buf []*Message) (batch []*Message, gaps int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if s.over != "" && !s.draining {
			return nil, 0, s.over
		}
		if s.pending != nil {
			buf = append(buf, s.pending...)
			s.pending, s.start = nil, start{}
		}
		head := min(s.hub.store.Head(), s.until)
		before := s.reader.Position()
		batch, more := s.reader.Read(buf, head, batchBytes)
		switch {
		case len(batch) > 0:
			return batch, s.count(batch, before), nil
		case more:
			continue
		case s.draining:
			s.draining = false // told: no later reason takes its place
			return nil, 0, s.over
		}
		if s.reader.Sleep(head) {
			return batch, 0, nil
		}
	}
}

// count counts what a batch has of events and of gaps. The batch was read from
// position before. The caller holds s.mu.
//
// A gap behind an event of the batch is one of TellGap: it covers nothing that any
// log holds.
func (s *Subscription) count(batch []*Message, before position) (gaps int) {
	for _, m := range batch {
		switch m.Type() {
		case TypeGap:
			gaps++
			if p, _, ours := s.hub.cursors.Load().decode(m.ID()); ours && m.gapReason() == GapEvicted {
				s.noteGap(min(before, p), p)
			}
		case TypeFilter:
		default:
			s.delivered++
			before = lastPosition
		}
	}
	s.gaps += uint64(gaps)
	return gaps
}

// Cursor returns the position up to which everything has been taken, as a
// client may present it to resume. It moves past what is not for this
// subscription, so that a filter that matches nothing for hours still resumes
// without a gap.
func (s *Subscription) Cursor() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.start.unknown {
		return s.hub.cursors.Load().unknownCursor(s.start).String()
	}
	if s.pending == nil && s.over == "" {
		s.skip()
	}
	return s.hub.cursors.Load().encode(s.reader.Position()).String()
}

// skip moves the position up to the next thing to be taken. The caller holds
// s.mu.
func (s *Subscription) skip() {
	head := s.hub.store.Head()
	for {
		before := s.reader.Position()
		if s.reader.Read(nil, head, 0); s.reader.Position() == before {
			return
		}
	}
}

// Hub returns the hub that the subscription belongs to.
func (s *Subscription) Hub() *Hub { return s.hub }

// Session returns the session that the subscription was opened with. Its Expires
// is that of the last Renew.
func (s *Subscription) Session() Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.session
}

// SetFilter changes what the subscription receives, within what its session
// allows. The filter applies to everything that has not been taken yet. The next
// Take begins with a message of [TypeFilter] that names the categories now in
// force; if the filter is set several times between two Takes, there is one
// message, for the last. An unknown category is an [UnknownCategoryError], and
// nothing changes.
func (s *Subscription) SetFilter(f Filter) error {
	return s.Change(context.Background(), Change{Filter: &f})
}

// mostPending bounds the control messages of a stream that is never taken.
const mostPending = 32

// announcing reports whether the next Take begins with what is now in force. That
// message has the present position: a filter that is set meanwhile is in force from
// there, too, so the reader must not move. The caller holds s.mu.
func (s *Subscription) announcing() bool {
	n := len(s.pending)
	return n > 0 && s.pending[n-1].Type() == TypeFilter
}

// announceFilter lets the next Take begin with what is now in force. It takes the
// place of what was announced before if replace is set: nothing may have been
// skipped since. What has no ref keeps the ref of what it replaces. The caller holds
// s.mu.
func (s *Subscription) announceFilter(replace bool, ref json.RawMessage) {
	if replace = replace && s.announcing(); replace && len(ref) == 0 {
		ref = s.pending[len(s.pending)-1].control.ref
	}
	inForce := struct {
		Categories []event.Category `json:"categories"`
		Topics     *[]string        `json:"topics,omitempty"`
		Ref        json.RawMessage  `json:"ref,omitempty"`
	}{Categories: s.hub.kinds.names(s.reader.Filter()), Ref: ref}
	if s.topical {
		topics := s.topics()
		inForce.Topics = &topics
	}
	data, err := json.Marshal(inForce)
	if err != nil { // names are valid UTF-8
		panic(err)
	}
	at := s.hub.cursors.Load().encode(s.reader.Position())
	switch {
	case replace:
		s.pending = s.pending[:len(s.pending)-1]
	case len(s.pending) >= mostPending: // what was in force in between is not told
		s.pending = []*Message{newControlMessage(at, TypeGap, gapData.evicted)}
	}
	m := newControlMessage(at, TypeFilter, data)
	m.control.ref = ref
	s.pending = append(s.pending, m)
}

// live reports whether s has not ended.
func (s *Subscription) live() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over == ""
}

// end ends the subscription. If drain is set, everything that was published
// until now can still be taken.
func (s *Subscription) end(reason Reason, drain bool) {
	s.finish(reason, drain, s.hub.store.Head())
}

// endAt ends the subscription. Everything that was published up to a position can
// still be taken; zero means until now.
func (s *Subscription) endAt(reason Reason, at position) {
	if at == 0 {
		at = s.hub.store.Head()
	}
	s.finish(reason, true, at)
}

func (s *Subscription) finish(reason Reason, drain bool, until position) {
	s.mu.Lock()
	onEnd := s.setReason(reason, drain, until)
	s.mu.Unlock()
	if onEnd != nil {
		onEnd()
	}
	s.reader.Wake()
}

// setReason records why the subscription ends, and returns what to call without
// the lock, or nil. The caller holds s.mu, and wakes the reader afterwards.
func (s *Subscription) setReason(reason Reason, drain bool, until position) (onEnd func()) {
	switch {
	case s.over == "":
		s.over, s.draining, s.until = reason, drain, until
		return s.onEnd
	case s.draining && !drain: // more urgent than a shutdown
		s.over, s.draining = reason, false
	}
	return nil
}

// Close releases the subscription; its reason is [ReasonGone] if it has not
// ended otherwise. It closes nothing else, and may be called again.
func (s *Subscription) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	var onEnd func()
	if s.over == "" {
		s.over, onEnd = ReasonGone, s.onEnd
	}
	s.draining = false
	if s.expiry != nil {
		s.expiry.Stop()
	}
	s.mu.Unlock()
	if onEnd != nil {
		onEnd()
	}
	s.hub.presence.update(s)
	s.reader.Close()
	s.hub.observeEnd(s)
}
