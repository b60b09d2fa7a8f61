package client

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/crier-go/crier/event"
)

// A Filter says what a stream receives. The zero Filter is everything that the
// session allows, and no topic.
type Filter struct {
	// Categories are the categories of events to receive. None means all that
	// the session allows.
	Categories []event.Category
	// Topics are the topics to follow besides the user's own events.
	Topics []string
}

func (f Filter) clone() Filter {
	return Filter{slices.Clone(f.Categories), slices.Clone(f.Topics)}
}

func (f Filter) equal(other Filter) bool {
	return slices.Equal(f.Categories, other.Categories) && slices.Equal(f.Topics, other.Topics)
}

// query puts the filter into a URL.
func (f Filter) query(u *url.URL) {
	if len(f.Categories) > 0 {
		names := make([]string, len(f.Categories))
		for i, c := range f.Categories {
			names[i] = string(c)
		}
		setQuery(u, "categories", strings.Join(names, ","))
	}
	if len(f.Topics) > 0 {
		setQuery(u, "topics", strings.Join(f.Topics, ","))
	}
}

// message returns the message that changes a filter to f, with a ref by which its
// answer is known. It reports false if no message can: there is none that asks for
// all categories again.
func (f Filter) message(before Filter, ref string) ([]byte, bool) {
	if len(f.Categories) == 0 && len(before.Categories) > 0 {
		return nil, false
	}
	message := map[string]any{"ref": ref}
	if len(f.Categories) > 0 {
		message["categories"] = f.Categories
	}
	if len(f.Topics)+len(before.Topics) > 0 {
		message["topics"] = append([]string{}, f.Topics...) // not null
	}
	data, err := json.Marshal(message)
	return data, err == nil && len(message) > 1
}

// A filterState is what a stream asks for. It is guarded by Stream.mu.
type filterState struct {
	wanted    Filter         // what the next connection asks for
	confirmed Filter         // what the server has accepted
	pending   []filterChange // sent on this connection and not answered, in order
	sent      int            // how many changes have been sent on all connections
	changed   bool           // this connection was opened with another than was confirmed before
}

// A filterChange is a change that the server has been asked for.
type filterChange struct {
	ref    string
	filter Filter // without the topics that the server has taken since
	taken  bool   // there are such topics: the server rejects the change
}

// take removes topics that the server has taken.
func (s *filterState) take(topics []string) {
	s.wanted.Topics = without(s.wanted.Topics, topics)
	for i := range s.pending {
		c := &s.pending[i]
		rest := without(c.filter.Topics, topics)
		c.taken = c.taken || len(rest) < len(c.filter.Topics)
		c.filter.Topics = rest
	}
}

// without returns a copy of topics that lacks some.
func without(topics, some []string) []string {
	return slices.DeleteFunc(slices.Clone(topics), func(topic string) bool { return slices.Contains(some, topic) })
}

// answered returns the change that a message with a ref answers, which is pending
// no longer, nor is what was asked for before it. It reports false for all other
// messages.
func (s *filterState) answered(ref json.RawMessage) (filterChange, bool) {
	i := slices.IndexFunc(s.pending, func(c filterChange) bool { return strings.Trim(string(ref), `"`) == c.ref })
	if i < 0 {
		return filterChange{}, false
	}
	c := s.pending[i]
	s.pending = s.pending[i+1:]
	return c, true
}

// SetFilter changes what the stream receives, now and on later connections.
//
// A WebSocket stays open, unless it is to receive all categories again. Over
// Server-Sent Events the stream reconnects, after 500 ms at the most, and
// resumes, so that nothing that both filters let through is lost.
// Options.OnFilter is called when the change is in effect. If the server rejects
// it, Options.OnError is called instead, and the previous filter stays in force.
func (s *Stream) SetFilter(f Filter) error {
	f = f.clone()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	before := s.filter.wanted
	s.filter.wanted = f
	if f.equal(before) {
		s.mu.Unlock()
		return nil
	}
	s.askAndUnlock(before)
	return nil
}

// askAndUnlock asks the server for the filter that is wanted now, if there is a
// connection. The caller holds s.mu, which is released.
func (s *Stream) askAndUnlock(before Filter) {
	c := s.conn
	if c == nil {
		s.mu.Unlock()
		return
	}
	s.filter.sent++
	change := filterChange{ref: fmt.Sprint("crier-client-filter:", s.filter.sent), filter: s.filter.wanted}
	data, ok := change.filter.message(before, change.ref)
	if ok {
		s.filter.pending = append(s.filter.pending, change)
	}
	s.mu.Unlock()
	if !ok || c.send(data) != nil {
		s.replace(c) // it cannot be told, so another takes over
	}
}

// replace closes a connection, upon which the stream opens another at once.
func (s *Stream) replace(c conn) {
	s.mu.Lock()
	if s.conn == c {
		s.conn = nil
	}
	s.mu.Unlock()
	c.close()
}

// confirmed handles stream.filter.
func (s *Stream) confirmed(f Filter, ref json.RawMessage) {
	s.mu.Lock()
	if c, ok := s.filter.answered(ref); ok {
		s.filter.confirmed = c.filter
	} else if f.Topics != nil {
		// The server has added or taken topics. Whoever asked for one that was taken
		// would be refused.
		s.filter.take(without(s.filter.confirmed.Topics, f.Topics))
		s.filter.confirmed.Topics = f.Topics
		if len(s.filter.pending) == 0 {
			s.filter.wanted.Topics = f.Topics
		}
	}
	s.mu.Unlock()
	if s.options.OnFilter != nil {
		s.options.OnFilter(f)
	}
}

// takenMeanwhile gives up topics for which the server refuses another connection, if
// it has let this stream follow them all before. It reports false if it has not, since
// then the application has asked for what it may not have, and if that changes nothing.
func (s *Stream) takenMeanwhile(topics []string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.connected || len(without(topics, s.filter.confirmed.Topics)) > 0 {
		return false
	}
	before := s.filter.wanted
	s.filter.take(topics)
	return !before.equal(s.filter.wanted)
}

// reopened reports a change of filter that this connection was opened with.
func (s *Stream) reopened() {
	s.mu.Lock()
	changed, f := s.filter.changed, s.filter.confirmed.clone()
	s.filter.changed = false
	s.mu.Unlock()
	if changed && s.options.OnFilter != nil {
		s.options.OnFilter(f)
	}
}

// rejected handles stream.error.
func (s *Stream) rejected(e ServerError) {
	s.mu.Lock()
	c, ok := s.filter.answered(e.Ref)
	if ok {
		e.Ref = nil
		if len(s.filter.pending) == 0 {
			if c.taken { // while it was asked for: ask for the rest
				s.askAndUnlock(s.filter.confirmed)
				return
			}
			s.filter.wanted = s.filter.confirmed
		}
	}
	s.mu.Unlock()
	if s.options.OnError != nil && !c.taken {
		s.options.OnError(e)
	}
}

// revertFilter returns to the filter that the server has accepted before. It
// reports false if that is the one that was asked for.
func (s *Stream) revertFilter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.filter.wanted.equal(s.filter.confirmed) {
		return false
	}
	s.filter.wanted = s.filter.confirmed
	return true
}
