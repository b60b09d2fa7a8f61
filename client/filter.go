package client

import (
	"encoding/json"
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

// filterRef marks the changes of filter among the messages that a server may
// reject.
const filterRef = "crier-client-filter"

// message returns the message that changes a filter to f. It reports false if
// no message can: there is none that asks for all categories again.
func (f Filter) message(before Filter) ([]byte, bool) {
	if len(f.Categories) == 0 && len(before.Categories) > 0 {
		return nil, false
	}
	message := map[string]any{"ref": filterRef}
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
	wanted    Filter   // what the next connection asks for
	confirmed Filter   // what the server has accepted
	pending   []Filter // sent on this connection and not answered, in order
	changed   bool     // this connection was opened with another than was confirmed before
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
	c := s.conn
	if c == nil || f.equal(before) {
		s.mu.Unlock()
		return nil
	}
	data, ok := f.message(before)
	if ok {
		s.filter.pending = append(s.filter.pending, f)
	}
	s.mu.Unlock()
	if !ok || c.send(data) != nil {
		s.replace(c) // it cannot be told, so another takes over
	}
	return nil
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
func (s *Stream) confirmed(f Filter) {
	s.mu.Lock()
	if len(s.filter.pending) > 0 {
		s.filter.confirmed = s.filter.pending[0]
		s.filter.pending = s.filter.pending[1:]
	} else if f.Topics != nil {
		// The server has added or taken topics. A later connection that asked for
		// one that was taken would be refused.
		s.filter.wanted.Topics, s.filter.confirmed.Topics = f.Topics, f.Topics
	}
	s.mu.Unlock()
	if s.options.OnFilter != nil {
		s.options.OnFilter(f)
	}
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
	if strings.Trim(string(e.Ref), `"`) == filterRef {
		e.Ref = nil
		s.mu.Lock()
		if len(s.filter.pending) > 0 {
			s.filter.pending = s.filter.pending[1:]
		}
		if len(s.filter.pending) == 0 {
			s.filter.wanted = s.filter.confirmed
		}
		s.mu.Unlock()
	}
	if s.options.OnError != nil {
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
