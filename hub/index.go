package hub

import (
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
)

// An index holds every subscription of the hub in a slot that never moves, and
// a bitmap of those to be looked at by a broadcast: of all that sleep, and of
// some that have been woken since. Who is awake is taken out by the first
// broadcast that finds it so, and puts itself back before it sleeps again. So a
// broadcast costs as much as there are sleepers to wake, and next to nothing for
// those who stay awake; and a reader that only ever sleeps, is woken and sleeps
// again never touches the bitmap, which others write to.
//
// (A list of sleepers behind a mutex was measured twice as slow, since every
// reader that goes to sleep contends for it; walking all subscriptions costs
// 2.5 us for each thousand that are awake.)
type index struct {
	mu     sync.Mutex // guards free, next and the growing of groups
	free   []uint32
	next   uint32
	groups atomic.Pointer[[]*group]
	count  atomic.Int64

	// Broadcasts that come together are woken for by one of them: wanted
	// collects their categories, and who holds walking goes on until it is
	// empty. So no publisher waits for another's walk, and one at a time takes
	// subscriptions out of the bitmap.
	wanted  atomic.Uint64
	walking atomic.Bool
}

const groupSize = 64 * 64

// A group is 4096 slots, and a bit for each. Bit i of summary is set when word
// i may have one set.
type group struct {
	summary paddedWord
	words   [64]paddedWord
	slots   [groupSize]atomic.Pointer[Subscription]
}

// A paddedWord is 64 bits in a cache line of their own: readers on several
// processors put themselves in at the same time, mostly into other words, and in
// one line would wait for each other.
type paddedWord struct {
	atomic.Uint64
	_ [56]byte
}

// add gives s a slot.
func (x *index) add(s *Subscription) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if n := len(x.free); n > 0 {
		s.slot, x.free = x.free[n-1], x.free[:n-1]
	} else {
		s.slot = x.next
		x.next++
	}
	groups := x.all()
	if g := int(s.slot / groupSize); g == len(groups) {
		groups = append(slices.Clip(slices.Clone(groups)), new(group))
		x.groups.Store(&groups)
	}
	groups[s.slot/groupSize].slots[s.slot%groupSize].Store(s)
	x.count.Add(1)
}

func (x *index) remove(s *Subscription) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.all()[s.slot/groupSize].slots[s.slot%groupSize].Store(nil)
	x.free = append(x.free, s.slot)
	x.count.Add(-1)
}

func (x *index) all() []*group {
	if p := x.groups.Load(); p != nil {
		return *p
	}
	return nil
}

// each calls f with every subscription.
func (x *index) each(f func(*Subscription)) {
	for _, g := range x.all() {
		for i := range g.slots {
			if s := g.slots[i].Load(); s != nil {
				f(s)
			}
		}
	}
}

// list puts s into the bitmap, unless it is there still: its bit first, then the
// way to it. The caller has set s.asleep before, and looks at the head again
// afterwards.
func (x *index) list(s *Subscription) {
	if s.listed.Load() {
		return // nobody has found it awake since it last slept
	}
	s.listed.Store(true) // before the bit: whoever takes that out clears it
	g := x.all()[s.slot/groupSize]
	word := s.slot % groupSize / 64
	g.words[word].Or(1 << (s.slot % 64))
	if g.summary.Load()&(1<<word) == 0 { // most often another sleeper has set it
		g.summary.Or(1 << word)
	}
}

// wake wakes the sleepers that hear the category, and returns how many this
// call has woken.
func (x *index) wake(category uint8) (woken int) {
	x.wanted.Or(1 << category)
	for x.wanted.Load() != 0 && x.walking.CompareAndSwap(false, true) {
		if wanted := x.wanted.Swap(0); wanted != 0 {
			for _, g := range x.all() {
				woken += g.wake(wanted)
			}
		}
		x.walking.Store(false)
	}
	return woken
}

func (g *group) wake(wanted categorySet) (woken int) {
	for summary := g.summary.Load(); summary != 0; summary &= summary - 1 {
		w := bits.TrailingZeros64(summary)
		var awake uint64
		for word := g.words[w].Load(); word != 0; word &= word - 1 {
			b := bits.TrailingZeros64(word)
			switch s := g.slots[w*64+b].Load(); {
			case s != nil && s.hears.Load()&wanted == 0: // as it was
			case s != nil && s.wakeUp():
				woken++
			default: // or its slot is empty
				awake |= 1 << b
			}
		}
		if awake != 0 {
			woken += g.unlist(w, awake)
		}
	}
	return woken
}

// unlist takes those out of a word of the bitmap that were found awake. Some may
// have lain down meanwhile, and relied on their bit: these it wakes.
//
// Of a subscription and this, one sees the other: it says that it sleeps, and
// then looks whether it is listed; this says that it is not, and then looks
// whether it sleeps. A slot may have a new owner by now. That one is listed only
// after it has its slot, so if its bit was among those that went, it is found
// here.
func (g *group) unlist(w int, awake uint64) (woken int) {
	if g.words[w].And(^awake) == awake { // these were all
		g.summary.And(^(uint64(1) << w))
		if g.words[w].Load() != 0 { // and another has come, which may have seen the way to it
			g.summary.Or(1 << w)
		}
	}
	for ; awake != 0; awake &= awake - 1 {
		if s := g.slots[w*64+bits.TrailingZeros64(awake)].Load(); s != nil {
			s.listed.Store(false)
			if s.wakeUp() {
				woken++
			}
		}
	}
	return woken
}
