package hub

import "slices"

// A trail is what is remembered of the way of a stream through its logs: where it
// began, the filters and topics that it had, and the gaps that it was told of. A
// delivery adds nothing to it. It is guarded like the Subscription's position.
type trail struct {
	from    position // where the stream began to read
	opened  position // the head at that time
	unknown bool     // its last id could not be resolved
	changes *changes // nil for most streams
}

// changes are what has changed on the way of a stream.
type changes struct {
	past []era // what was in force before, the oldest first
	gaps []missed
	// forgotten is the position up to which eras were forgotten, since only the
	// last maxEras are kept.
	forgotten position
}

// changed returns where to note a change.
func (t *trail) changed() *changes {
	if t.changes == nil {
		t.changes = new(changes)
	}
	return t.changes
}

// An era is what a stream wanted up to a position.
type era struct {
	until  position
	filter categorySet
	topics []string
}

// A missed is a gap: everything behind after up to upTo may be missing.
type missed struct{ after, upTo position }

const (
	maxEras = 16
	maxGaps = 16
)

// noteEra notes what was in force up to the subscription's position. Call it
// before the filter or the topics change. The caller holds s.mu.
func (s *Subscription) noteEra() {
	t := s.trail.changed()
	if len(t.past) == maxEras {
		t.forgotten = t.past[0].until
		t.past = slices.Delete(t.past, 0, 1)
	}
	t.past = append(t.past, era{s.reader.Position(), s.reader.Filter(), s.topics()})
}

// noteGap notes that the subscription passed over what may be missing. The caller
// holds s.mu.
func (s *Subscription) noteGap(after, upTo position) {
	t := s.trail.changed()
	if n := len(t.gaps); n == maxGaps { // two of them become one
		t.gaps[1].after = t.gaps[0].after
		t.gaps = slices.Delete(t.gaps, 0, 1)
	}
	t.gaps = append(t.gaps, missed{after, upTo})
}

// at returns what was in force at a position, of which present is the last. It
// reports false if that was forgotten.
func (t *trail) at(p position, present era) (era, bool) {
	if t.changes == nil {
		return present, true
	}
	if p <= t.changes.forgotten {
		return era{}, false
	}
	for _, e := range t.changes.past {
		if p <= e.until {
			return e, true
		}
	}
	return present, true
}

// missing reports whether a gap covers a position.
func (t *trail) missing(p position) bool {
	return t.changes != nil && slices.ContainsFunc(t.changes.gaps, func(g missed) bool { return g.after < p && p <= g.upTo })
}
