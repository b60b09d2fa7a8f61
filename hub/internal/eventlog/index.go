package eventlog

import (
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
)

// An index finds the sleeping readers of a log that has many. Every reader has
// a slot that never changes and a bit in a bitmap. The bit is set while the
// reader must be looked at: it sleeps, or it was awakened since an append last
// looked.
//
// An append that finds a marked reader awake clears the bit, and the reader sets
// it again before it next sleeps. So an append costs in proportion to the number
// of sleeping readers, whatever the number of those that are awake; and a reader
// that only ever sleeps, is woken and sleeps again never writes to the bitmap,
// which others share.
//
// (A list of sleepers behind a mutex was twice as slow, since every reader that
// goes to sleep contends for it. Walking all readers costs 2.5 us for each
// thousand that are awake.)
type index[M any] struct {
	mu     sync.Mutex // guards free, next and the growing of groups
	free   []uint32
	next   uint32
	groups atomic.Pointer[[]*group[M]]

	// Of several concurrent appends, one wakes for all: wanted collects their
	// categories, and whoever holds waking goes on until it is empty. So no
	// publisher waits for another, and only one at a time clears bits.
	wanted atomic.Uint64
	waking atomic.Bool
}

const groupSize = 64 * 64

// A group is 4096 slots, and a bit for each. Bit i of summary is set if word i
// may have one set.
type group[M any] struct {
	summary paddedWord
	words   [64]paddedWord
	slots   [groupSize]atomic.Pointer[follow[M]]
}

// A paddedWord is 64 bits in a cache line of their own, since readers on several
// processors set bits at the same time, mostly in different words.
type paddedWord struct {
	atomic.Uint64
	_ [56]byte
}

// add gives f a slot.
func (x *index[M]) add(f *follow[M]) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if n := len(x.free); n > 0 {
		f.slot, x.free = x.free[n-1], x.free[:n-1]
	} else {
		f.slot = x.next
		x.next++
	}
	groups := x.all()
	if int(f.slot/groupSize) == len(groups) {
		groups = append(slices.Clip(slices.Clone(groups)), new(group[M]))
		x.groups.Store(&groups)
	}
	groups[f.slot/groupSize].slots[f.slot%groupSize].Store(f)
}

func (x *index[M]) remove(f *follow[M]) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.all()[f.slot/groupSize].slots[f.slot%groupSize].Store(nil)
	x.free = append(x.free, f.slot)
}

func (x *index[M]) all() []*group[M] {
	if p := x.groups.Load(); p != nil {
		return *p
	}
	return nil
}

// each calls f with every reader.
func (x *index[M]) each(f func(*Reader[M])) {
	for _, g := range x.all() {
		for i := range g.slots {
			if one := g.slots[i].Load(); one != nil {
				f(one.reader)
			}
		}
	}
}

// mark sets the bit of f, unless it is set: first the bit, then the way to it.
// The caller has set the reader's asleep flag before, and looks at the head
// again afterwards.
func (x *index[M]) mark(f *follow[M]) {
	if f.inBitmap.Load() {
		return // nobody has found it awake since it last slept
	}
	f.inBitmap.Store(true) // before the bit: whoever clears that clears this
	x.set(f)
}

func (x *index[M]) set(f *follow[M]) {
	g := x.all()[f.slot/groupSize]
	word := f.slot % groupSize / 64
	g.words[word].Or(1 << (f.slot % 64))
	if g.summary.Load()&(1<<word) == 0 { // most often another reader has set it
		g.summary.Or(1 << word)
	}
}

// wake wakes the sleeping readers that want one of the categories, and returns how
// many this call has woken.
func (x *index[M]) wake(categories Categories) (woken int) {
	x.wanted.Or(categories)
	for x.wanted.Load() != 0 && x.waking.CompareAndSwap(false, true) {
		if wanted := x.wanted.Swap(0); wanted != 0 {
			for _, g := range x.all() {
				woken += g.wake(wanted)
			}
		}
		x.waking.Store(false)
	}
	return woken
}

func (g *group[M]) wake(wanted Categories) (woken int) {
	for summary := g.summary.Load(); summary != 0; summary &= summary - 1 {
		w := bits.TrailingZeros64(summary)
		var awake uint64
		for word := g.words[w].Load(); word != 0; word &= word - 1 {
			b := bits.TrailingZeros64(word)
			f := g.slots[w*64+b].Load()
			switch {
			case f != nil && f.reader.wanted.Load()&wanted == 0: // leave it as it is
			case f != nil && f.reader.wakeSleeping():
				woken++
			default: // awake, or the slot is empty
				awake |= 1 << b
			}
		}
		if awake != 0 {
			woken += g.unmark(w, awake)
		}
	}
	return woken
}

// unmark clears the bits of readers that were found awake. Some may have gone
// to sleep meanwhile and relied on their bit: unmark wakes these.
//
// The reader sets asleep and then looks at inBitmap; unmark clears inBitmap and
// then looks at asleep. One of them sees the other. A slot may have a new owner
// by now. That one marks itself only after it has its slot, so if its bit was
// among those that were cleared, unmark finds it here.
func (g *group[M]) unmark(w int, awake uint64) (woken int) {
	if g.words[w].And(^awake) == awake { // that was all of the word
		g.summary.And(^(uint64(1) << w))
		if g.words[w].Load() != 0 { // another has come, and may have seen the summary as it was
			g.summary.Or(1 << w)
		}
	}
	for ; awake != 0; awake &= awake - 1 {
		if f := g.slots[w*64+bits.TrailingZeros64(awake)].Load(); f != nil {
			f.inBitmap.Store(false)
			if f.reader.wakeSleeping() {
				woken++
			}
		}
	}
	return woken
}
