package eventlog

import (
	"slices"
	"sync"
	"sync/atomic"
)

// waiters are the readers of one log. A few are kept in a list that an append
// walks. Many are kept in an index, which finds the sleeping ones without
// looking at those that are awake.
type waiters[M any] struct {
	count atomic.Int32 // may be read at any time

	mu    sync.RWMutex  // guards list, and the making of the index
	list  []*follow[M]  // unused once there is an index
	one   [1]*follow[M] // room for the only one that most logs have
	index atomic.Pointer[index[M]]
}

// listedAtMost is how many readers a log may have before it gets an index.
const listedAtMost = 32

// A follow is one reader's place in one log.
type follow[M any] struct {
	log    *Log[M]
	reader *Reader[M]
	slot   uint32 // in the log's index, if it has one
	// inBitmap reports whether the index will find this reader if it sleeps. It
	// is always true while the log has no index.
	inBitmap atomic.Bool
	// from is, by class, the position behind which entries are wanted. The
	// reader's owner guards it.
	from [classes]Position
	// since is, for Retained and ShortLived, what the log had lost when it was
	// first followed, if that is no gap.
	since [2]Position
}

func (w *waiters[M]) add(f *follow[M]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count.Add(1)
	if x := w.index.Load(); x != nil {
		x.add(f)
		return
	}
	if w.list == nil {
		w.list = w.one[:0]
	}
	w.list = append(w.list, f)
	f.inBitmap.Store(true)
	if len(w.list) <= listedAtMost {
		return
	}
	x := new(index[M])
	for _, f := range w.list {
		x.add(f)
		x.set(f) // it may be asleep already
	}
	w.list = nil
	w.index.Store(x)
}

func (w *waiters[M]) remove(f *follow[M]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count.Add(-1)
	if x := w.index.Load(); x != nil {
		x.remove(f)
		return
	}
	if i := slices.Index(w.list, f); i >= 0 {
		w.list = slices.Delete(w.list, i, i+1)
	}
}

// wake wakes the sleeping readers that want one of the categories, and returns how
// many.
func (w *waiters[M]) wake(categories Categories) (woken int) {
	if w.count.Load() == 0 {
		return 0
	}
	if x := w.index.Load(); x != nil {
		return x.wake(categories)
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	if x := w.index.Load(); x != nil { // made meanwhile
		return x.wake(categories)
	}
	for _, f := range w.list {
		if f.reader.wanted.Load()&categories != 0 && f.reader.wakeSleeping() {
			woken++
		}
	}
	return woken
}

// each calls f with every reader. Readers that come or go meanwhile may be left
// out.
func (w *waiters[M]) each(f func(*Reader[M])) {
	w.mu.RLock()
	x, list := w.index.Load(), slices.Clone(w.list)
	w.mu.RUnlock()
	if x != nil {
		x.each(f)
		return
	}
	for _, one := range list {
		f(one.reader)
	}
}
