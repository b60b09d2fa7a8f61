package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/crier-go/crier/event"
)

// A filter is the categories that a stream asks for. An empty list means all.
type filter struct {
	wanted    []event.Category   // what the next connection asks for
	confirmed []event.Category   // what the server has accepted
	pending   [][]event.Category // sent on this connection and not answered, in order
	changed   bool               // this connection was opened with others than were confirmed before
}

func newFilter(categories []event.Category) filter {
	return filter{wanted: categories, confirmed: categories}
}

// refPrefix marks the changes of filter among the messages that a server may
// reject.
const refPrefix = "crier-client-filter"

// SetCategories changes which categories of events the stream receives, now and
// on later connections. There must be at least one.
//
// A WebSocket stays open. Over Server-Sent Events the stream reconnects, after
// 500 ms at the most, and resumes, so that no event of a category that stays is
// lost. Options.OnFilter is called when the change is in effect. Categories that
// the server does not know are reported to Options.OnError instead, and the
// previous ones stay in force.
func (s *Stream) SetCategories(categories ...event.Category) error {
	if len(categories) == 0 {
		return errors.New("client: SetCategories needs at least one category")
	}
	wanted := slices.Clone(categories)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	s.filter.wanted = wanted
	c := s.conn
	if c == nil {
		s.mu.Unlock()
		return nil // the next connection asks for them
	}
	s.filter.pending = append(s.filter.pending, wanted)
	s.mu.Unlock()

	data, err := json.Marshal(struct {
		Categories []event.Category `json:"categories"`
		Ref        string           `json:"ref"`
	}{wanted, refPrefix})
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	if c.send(data) != nil {
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
func (s *Stream) confirmed(categories []event.Category) {
	s.mu.Lock()
	if len(s.filter.pending) > 0 {
		s.filter.confirmed = s.filter.pending[0]
		s.filter.pending = s.filter.pending[1:]
	}
	s.mu.Unlock()
	if s.options.OnFilter != nil {
		s.options.OnFilter(categories)
	}
}

// reopened reports a change of filter that this connection was opened with.
func (s *Stream) reopened() {
	s.mu.Lock()
	changed, categories := s.filter.changed, slices.Clone(s.filter.confirmed)
	s.filter.changed = false
	s.mu.Unlock()
	if changed && s.options.OnFilter != nil {
		s.options.OnFilter(categories)
	}
}

// rejected handles stream.error.
func (s *Stream) rejected(e ServerError) {
	if strings.Trim(string(e.Ref), `"`) == refPrefix {
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

// revertFilter returns to the categories that the server has accepted before. It
// reports false if those are the ones that were asked for.
func (s *Stream) revertFilter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Equal(s.filter.wanted, s.filter.confirmed) {
		return false
	}
	s.filter.wanted = s.filter.confirmed
	return true
}
