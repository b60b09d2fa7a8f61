package client

import (
	"slices"
	"testing"
)

// What the server has taken must not be asked for again: the next connection would
// be refused.
func TestServerChangesTopics(t *testing.T) {
	both := Filter{Topics: []string{"a", "b"}}
	s := &Stream{filter: filterState{wanted: both, confirmed: both}}
	wanted := func(when string, topics ...string) {
		t.Helper()
		if got := s.filter.wanted.Topics; !slices.Equal(got, topics) {
			t.Errorf("%s: the next connection asks for %q, want %q", when, got, topics)
		}
	}
	s.confirmed(Filter{}, nil)
	wanted("a filter without topics", "a", "b")
	s.confirmed(Filter{Topics: []string{"a"}}, nil)
	wanted("one was taken", "a")
	s.confirmed(Filter{Topics: []string{}}, nil)
	wanted("all were taken")
	s.filter.wanted = Filter{Topics: []string{"c"}}
	s.filter.pending = []filterChange{{ref: "1", filter: s.filter.wanted}}
	s.confirmed(Filter{Topics: []string{"d"}}, nil)
	wanted("an own change is under way", "c")
}
