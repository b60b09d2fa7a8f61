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

// clone returns a copy that does not change.
func (t trail) clone() trail {
	if c := t.changes; c != nil {
		t.changes = &changes{slices.Clone(c.past), slices.Clone(c.gaps), c.forgotten}
	}
	return t
}

// An era is what a stream wanted up to a position.
type era struct {
	until  position
	filter categorySet
	topics []string
}

// A missed is a gap: everything behind after up to upTo is missing, and of what
// follows up to maybe, some of it: one of several logs had lost more than another.
type missed struct{ after, upTo, maybe position }

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

// noteGap notes that the subscription passed over what is missing. The caller
// holds s.mu.
func (s *Subscription) noteGap(after, upTo position) {
	maybe := upTo
	for _, key := range s.reader.Followed() {
		maybe = max(maybe, s.hub.store.Lost(key))
	}
	t := s.trail.changed()
	if len(t.gaps) == maxGaps { // two of them become one, with something in between
		first, second := t.gaps[0], &t.gaps[1]
		second.after, second.upTo, second.maybe = first.after, first.upTo, max(first.maybe, second.maybe)
		t.gaps = slices.Delete(t.gaps, 0, 1)
	}
	t.gaps = append(t.gaps, missed{after, upTo, maybe})
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

// gap reports whether a gap covers all positions of an estimate, and whether any
// may cover some of them.
func (t *trail) gap(e estimate) (covered, touched bool) {
	if t.changes == nil {
		return false, false
	}
	for _, g := range t.changes.gaps {
		covered = covered || g.after <= e.after && e.upTo <= g.upTo
		touched = touched || g.after < e.upTo && e.after < g.maybe
	}
	return covered, touched
}

// filters returns what all the filters that were in force at the positions of an
// estimate have in common, and what any of them includes. It reports false if some
// were forgotten.
func (t *trail) filters(e estimate, present categorySet) (in struct{ all, any categorySet }, ok bool) {
	in.all = ^categorySet(0)
	note := func(filter categorySet) { in.all, in.any = in.all&filter, in.any|filter }
	if t.changes == nil {
		note(present)
		return in, true
	}
	known := e.after >= t.changes.forgotten
	for _, one := range t.changes.past {
		if one.until > e.after {
			note(one.filter)
		}
		if one.until >= e.upTo {
			return in, known
		}
	}
	note(present)
	return in, known
}
