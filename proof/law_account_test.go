package proof

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// A lawAccount holds what one client received against the history. Everything in
// it is guarded by law.mu.
type lawAccount struct {
	*history
	last string // the id from which it will resume
	next int    // every fact before this is settled: received, not wanted, or covered by a gap
	got  map[int]bool
	lawCounts
	first string // what went wrong first
}

// A lawStream is what the account knows of one stream: of one connection, or of
// one request where the client polls.
type lawStream struct {
	view
	begun     time.Time
	first     int // how many facts had been published when it was asked for
	resumed   string
	forbidden bool // it was asked for with a topic that its user might not follow
	open      bool // a frame has come
	unknown   bool // its first cursor was that of a client that must be told of a gap
	received  bool // events have come
	told      int  // a gap that it was told of covers what is gone of the facts before this
	// added are the topics that it began to follow while it was open, with how
	// many facts had been published when the client learned it. What was gone
	// before that is no gap: the client reads the topic's state afterwards.
	added map[string]int
	// What the schedule did to it.
	deaf    int                // no fact from here on may come, below zero: all may
	left    map[string]int     // no fact of these topics from here on may come
	joined  map[string]bool    // the server let it join these
	owed    map[hub.Reason]int // if it ends for this reason, every fact before this must have come
	refused bool               // a change that it asked for may be refused
	asking  bool               // the client asked for other topics, and the server may do so yet
}

// lawCounts add up what clients saw. From Lost on they are zero, or a promise is
// broken.
type lawCounts struct {
	Connections, Delivered, Ephemeral, Superseded, Declared, Gaps, Unknown, Changes, Forbidden int

	Lost, Doubled, Disordered, Foreign, FalseGaps, Late, Wrong int
}

func (c *lawCounts) add(d lawCounts) {
	c.Connections += d.Connections
	c.Delivered += d.Delivered
	c.Ephemeral += d.Ephemeral
	c.Superseded += d.Superseded
	c.Declared += d.Declared
	c.Gaps += d.Gaps
	c.Unknown += d.Unknown
	c.Changes += d.Changes
	c.Forbidden += d.Forbidden
	c.Lost += d.Lost
	c.Doubled += d.Doubled
	c.Disordered += d.Disordered
	c.Foreign += d.Foreign
	c.FalseGaps += d.FalseGaps
	c.Late += d.Late
	c.Wrong += d.Wrong
}

// broken says which promises the account shows to be broken, and what was seen
// first.
func (a *lawAccount) broken() error {
	if a.first == "" {
		return nil
	}
	return fmt.Errorf("lost %d, doubled %d, out of order %d, foreign %d, false gaps %d, late %d, wrong %d; the first: %s",
		a.Lost, a.Doubled, a.Disordered, a.Foreign, a.FalseGaps, a.Late, a.Wrong, a.first)
}

// breach counts a broken promise.
func (a *lawAccount) breach(count *int, format string, args ...any) {
	*count++
	if a.first == "" {
		a.first = fmt.Sprintf(format, args...)
	}
}

// begin enters that the client asks for a stream, from the last id that it saw.
func (a *lawAccount) begin(v view) *lawStream {
	s := &lawStream{
		view: v, begun: time.Now(), first: len(a.facts), resumed: a.last, deaf: -1,
		added: map[string]int{}, left: map[string]int{}, joined: map[string]bool{}, owed: map[hub.Reason]int{},
	}
	if n, ok := a.cursors[a.last]; ok {
		a.next = n
	} else if n, ok := a.numbers[a.last]; ok {
		a.next = n + 1
	}
	return s
}

// receive enters a frame of a stream.
func (a *lawAccount) receive(s *lawStream, f frame) {
	s.open = true
	if f.ID != "" {
		a.last = f.ID
	}
	switch f.Event {
	case "stream.cursor":
		a.cursor(s, f.ID)
	case "stream.gap":
		a.gap(s, f)
	case "stream.filter":
		a.changed(s, f)
	case "stream.error":
		a.Forbidden++
		if !s.refused {
			a.breach(&a.Wrong, "a change was refused that is allowed: %s", f.Data)
		}
	case "stream.end":
		a.ended(s, f)
	default:
		a.event(s, f)
	}
}

// cursor enters that the client stands behind everything up to a cursor.
func (a *lawAccount) cursor(s *lawStream, id string) {
	n, ok := a.cursors[id]
	switch {
	case ok && s.unknown:
		a.breach(&a.Lost, "the client of an unknown id got the cursor of fact %d, and no gap", n)
	case ok && n < a.next:
		a.breach(&a.Disordered, "a cursor went back from fact %d to %d", a.next, n)
	case ok:
		a.settle(s, n)
	case s.received:
		a.breach(&a.Wrong, "an unknown cursor in the middle of a stream")
	default:
		s.unknown = true // a gap must follow
	}
}

func (a *lawAccount) gap(s *lawStream, f frame) {
	a.Gaps++
	n, ok := a.cursors[f.ID]
	if !ok || n < a.next {
		a.breach(&a.Disordered, "a gap with the cursor of fact %d, known: %v; the client stands at %d", n, ok, a.next)
		return
	}
	s.told = len(a.facts)
	if string(f.Data) != `{"reason":"unknown"}` {
		if !a.mayHaveGap(s) {
			a.breach(&a.FalseGaps, "a gap up to fact %d behind %d, where nothing is missing", n, a.next)
		}
		a.settle(s, n)
		return
	}
	a.Unknown++
	if s.received || a.resolvable(s.resumed, &s.view) {
		a.breach(&a.FalseGaps, "id %s is unknown, although it is of something that is retained", s.resumed)
	}
	s.unknown = false
	for ; a.next < n; a.next++ { // the gap covers it, there or not
		if f := &a.facts[a.next]; s.wants(f) && !f.info.Ephemeral && !a.got[a.next] {
			a.Declared++
		}
	}
}

// mayHaveGap reports whether something may be missing that the stream wants. What
// a bound of the whole hub has evicted may have been of a log that was made anew:
// there nobody knows.
func (a *lawAccount) mayHaveGap(s *lawStream) bool {
	for n := a.next; n < len(a.facts); n++ {
		f := &a.facts[n]
		if a.tight || a.tooOld(n) {
			return true
		}
		if f.info.Ephemeral || !s.wants(f) {
			continue
		}
		for i, to := range f.to {
			if s.follows(to) && a.mayBeGone(n, i) {
				return true
			}
		}
	}
	return false
}

// changed enters what is in force from here on.
func (a *lawAccount) changed(s *lawStream, f frame) {
	a.Changes++
	a.cursor(s, f.ID)
	var now struct {
		Categories []event.Category `json:"categories"`
		Topics     []string         `json:"topics"`
	}
	if err := json.Unmarshal(f.Data, &now); err != nil {
		a.breach(&a.Wrong, "stream.filter %s: %v", f.Data, err)
	}
	for _, topic := range now.Topics {
		if !slices.Contains(s.topics, topic) {
			s.added[topic] = len(a.facts)
		}
	}
	s.categories, s.topics = now.Categories, now.Topics
}

func (a *lawAccount) ended(s *lawStream, f frame) {
	var end struct {
		Reason hub.Reason `json:"reason"`
	}
	if err := json.Unmarshal(f.Data, &end); err != nil {
		a.breach(&a.Wrong, "stream.end %s: %v", f.Data, err)
	}
	if f.ID == "" {
		return // it was refused
	}
	a.cursor(s, f.ID)
	if owed := s.owed[end.Reason]; !s.unknown && a.next < owed {
		a.breach(&a.Lost, "a stream ended as %q at fact %d, and was to be given all before %d", string(end.Reason), a.next, owed)
	}
}

func (a *lawAccount) event(s *lawStream, f frame) {
	var p lawPayload
	if err := json.Unmarshal(f.Data, &p); err != nil || p.N >= len(a.facts) {
		a.breach(&a.Wrong, "event %s: number %d of %d, %v", f.ID, p.N, len(a.facts), err)
		return
	}
	n, got := p.N, &a.facts[p.N]
	id := got.id
	if got.info.Ephemeral {
		id = ""
	}
	switch {
	case f.ID != id || f.Event != string(got.info.Type):
		a.breach(&a.Wrong, "fact %d came as %s %s, not as %s %s", n, f.Event, f.ID, got.info.Type, id)
	case !s.wants(got):
		a.breach(&a.Foreign, "fact %d to %v in %s is not for a stream of %+v", n, got.to, got.info.Category, s.view)
	case got.info.Ephemeral && n < s.first:
		a.breach(&a.Foreign, "fact %d is ephemeral, and was replayed", n)
	case s.deaf >= 0 && n >= s.deaf:
		a.breach(&a.Foreign, "fact %d was published after the revocation at %d", n, s.deaf)
	case s.onlyLeft(n, got):
		a.breach(&a.Foreign, "fact %d was published to %v after the stream had left: %v", n, got.to, s.left)
	case a.got[n]:
		a.breach(&a.Doubled, "fact %d came twice", n)
	case n < a.next:
		a.breach(&a.Disordered, "fact %d came, and the client stands at %d", n, a.next)
	case s.unknown:
		a.breach(&a.Lost, "fact %d came, and no gap for an unknown id", n)
	default:
		a.settle(s, n)
		a.next = n + 1
		a.got[n] = true
		a.Delivered++
		if got.info.Ephemeral {
			a.Ephemeral++
		}
		s.received = true
	}
}

// onlyLeft reports whether a fact can have reached the stream only by topics that
// it had left before.
func (s *lawStream) onlyLeft(n int, f *fact) bool {
	for _, to := range f.to {
		if !s.follows(to) {
			continue
		}
		leftBefore := false
		for topic, at := range s.left {
			leftBefore = leftBefore || to == hub.Topic(topic) && n >= at
		}
		if !leftBefore {
			return false
		}
	}
	return true
}

// settle enters that the stream has passed every fact before a number.
func (a *lawAccount) settle(s *lawStream, to int) {
	for ; a.next < to; a.next++ {
		if s.wants(&a.facts[a.next]) && !a.facts[a.next].info.Ephemeral && !a.got[a.next] {
			if why := a.excuse(s, a.next); why != nil {
				*why++
			} else {
				a.breach(&a.Lost, "fact %d, %s to %v, is missing; the client goes on at %d", a.next, a.facts[a.next].info.Type, a.facts[a.next].to, to)
			}
		}
	}
}

// excuse returns why a fact that the stream wants may not have come, as the count
// of such facts: a newer one for the stream states the same value, or it is gone and
// told of. It returns nil if it had to come.
func (a *lawAccount) excuse(s *lawStream, n int) *int {
	covered := true
	for i, to := range a.facts[n].to {
		if !s.follows(to) {
			continue
		}
		if a.superseded(n, i) {
			return &a.Superseded
		}
		told := n < s.told
		for topic, learned := range s.added {
			told = told || to == hub.Topic(topic) && n < learned
		}
		covered = covered && told && a.mayBeGone(n, i)
	}
	if covered {
		return &a.Declared
	}
	return nil
}

// idle enters that nothing moves any more, although nothing is in the way of the
// stream: then everything must have come.
func (a *lawAccount) idle(s *lawStream) {
	for n := a.next; n < len(a.facts); n++ {
		if f := &a.facts[n]; s.wants(f) && !f.info.Ephemeral && a.excuse(s, n) == nil {
			a.breach(&a.Late, "fact %d, %s to %v, does not come, although nothing is in its way", n, f.info.Type, f.to)
			return
		}
	}
	s.asking = false
	for topic := range s.joined {
		if !slices.Contains(s.topics, topic) {
			a.breach(&a.Late, "the stream was let join %s, and does not know", topic)
		}
	}
}
