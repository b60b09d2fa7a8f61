package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// A report is what a client says of its stream: one JSON object per line on
// standard output, or per message to the collector.
type report struct {
	// What is "event" (with N), "cursor", "gap", "end", "blank" (an event
	// without a type or the right data was handed out), "note" (with Text) or "gone"
	// (the client has given up by itself).
	What string `json:"what"`
	N    int    `json:"n"`
	Text string `json:"text"`
	// Client is set by pages, which share one collector.
	Client string `json:"client"`
}

// A ledger holds what one client has reported.
type ledger struct {
	mu     sync.Mutex
	got    map[int]int // number -> how often
	last   int
	late   bool // an event came after a later one
	gaps   int
	blanks int
	gone   bool
	notes  []string
}

func newLedger() *ledger { return &ledger{got: map[int]int{}, last: -1} }

func (l *ledger) add(r report) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch r.What {
	case "event":
		l.got[r.N]++
		if r.N < l.last {
			l.late = true
		}
		l.last = max(l.last, r.N)
	case "gap":
		l.gaps++
	case "blank":
		l.blanks++
	case "gone":
		l.gone = true
	}
	if r.Text != "" {
		l.notes = append(l.notes, r.What+": "+r.Text)
	}
}

// has reports whether all of these numbers have arrived.
func (l *ledger) has(numbers ...int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !slices.ContainsFunc(numbers, func(n int) bool { return l.got[n] == 0 })
}

// fault names what is wrong with the order and the number of copies.
func (l *ledger) fault() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, copies := range l.got {
		if copies > 1 {
			return doubled
		}
	}
	if l.late {
		return disordered
	}
	return ""
}

func (l *ledger) gaveUp() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone
}

func (l *ledger) gapCount() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gaps
}

func (l *ledger) blankCount() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.blanks
}

// story returns the latest notes, for a reader who asks why.
func (l *ledger) story() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	notes := l.notes[max(0, len(l.notes)-4):]
	if l.gone {
		notes = append(slices.Clone(notes), "gave up")
	}
	if l.blanks > 0 {
		notes = append(slices.Clone(notes), fmt.Sprintf("%d blank events", l.blanks))
	}
	return strings.Join(notes, "; ")
}
