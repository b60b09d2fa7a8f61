package eventlog

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// Config describes a store. All fields are required.
type Config[M any] struct {
	// Categories is how many categories items have: at most 64.
	Categories int
	// Bytes bounds the cost of what is kept. An eighth of it is set apart for
	// ephemeral items and another for short-lived ones, so that they evict no
	// retained item.
	Bytes int64
	// MaxAge is how long items are kept that are not short-lived. An ephemeral
	// item is kept for a minute at most.
	MaxAge time.Duration
	// Bounds returns the bounds of the log with this key.
	Bounds func(Key) Bounds
	// Now is the clock of Item.Time, in nanoseconds. It must be monotonic.
	Now func() int64
	// Gap returns the message that tells a reader of a gap. The reader goes on
	// behind position p.
	Gap func(p Position) M
}

// ErrClosed is returned by Append after Close.
var ErrClosed = errors.New("eventlog: closed")

// A Store is a set of logs with one order. Its methods are safe for concurrent
// use.
type Store[M any] struct {
	config Config[M]

	// head is the position of the newest append, see the package comment.
	head atomic.Uint64
	// last is the entry at head if there is just one, see Reader.Single.
	last atomic.Pointer[Entry[M]]

	directory directory[M]
	everyone  *Log[M] // the log of the zero Key; never dropped

	// oldestMade is the smallest creation time, in Unix milliseconds, that an
	// item of this store can have.
	oldestMade atomic.Int64

	// mu is held to number and append. Logs are looked up before, and sleeping
	// readers are woken after.
	mu       sync.Mutex
	closed   bool
	kept     [classes]retention[M]
	lapsed   []lapse[M]
	ageing   *time.Timer // one for everything; nil until something is kept
	ageingAt int64       // when it fires; zero if it is not set
}

// New returns an empty store.
func New[M any](c Config[M]) *Store[M] {
	s := &Store[M]{config: c}
	s.directory.init()
	share := c.Bytes / share
	s.kept[Retained].limit = c.Bytes - 2*share
	s.kept[ShortLived].limit = share
	s.kept[Ephemeral].limit = share
	s.everyone = s.newLog(Key{})
	s.directory.add(s.everyone)
	s.oldestMade.Store(time.Now().UnixMilli())
	return s
}

// share is the part of Config.Bytes that is set apart for short-lived items, and
// again for ephemeral ones.
const share = 8

// Head returns the position of the newest append.
func (s *Store[M]) Head() Position { return s.head.Load() }

// Floor returns the highest position of a retained entry that the bounds of the
// store have evicted. What was evicted by the bounds of a log may lie behind it.
func (s *Store[M]) Floor() Position { return s.kept[Retained].floor.Load() }

// OldestMade returns the smallest creation time, in Unix milliseconds, that an
// item of this store can have: an item made earlier was never appended here.
func (s *Store[M]) OldestMade() int64 { return s.oldestMade.Load() }

// AppendAtOnce is how many logs one append may go to, so that it never holds the
// lock for long. (100,000 logs in one piece took 34 ms.)
const AppendAtOnce = 256

// Append appends an item to the logs with these keys, at one position, and
// returns how many sleeping readers it woke. Keys must be distinct, and at most
// AppendAtOnce. An ephemeral item goes only to logs that somebody follows. The
// error is ErrClosed or nil.
func (s *Store[M]) Append(item *Item[M], keys []Key) (woken int, err error) {
	return s.AppendAt(0, item, keys)
}

// AppendAt is Append for a position that was given elsewhere. Positions must
// increase. Zero means the next.
func (s *Store[M]) AppendAt(p Position, item *Item[M], keys []Key) (woken int, err error) {
	var few [8]*Log[M]
	logs := few[:0]
	for _, key := range keys {
		logs = append(logs, s.lookup(key, item.Class))
	}
	s.kept[item.Class].warm()

	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return 0, ErrClosed
	}
	if p == 0 {
		p = s.head.Load() + 1
	}
	made := Millis(item.ID)
	s.noteMade(made)
	var last *Entry[M]
	for i, l := range logs {
		switch {
		case item.Class == Ephemeral:
			if l == nil || l.readers.count.Load() == 0 {
				logs[i] = nil
				continue
			}
		case l.dropped:
			l = s.directory.get(s, keys[i])
			logs[i] = l
		}
		last = s.append(l, p, item, made)
	}
	if len(keys) > 1 {
		last = nil
	}
	s.last.Store(last)
	s.head.Store(p) // after the logs
	s.mu.Unlock()

	for _, l := range logs {
		if l != nil {
			woken += l.readers.wake(item.mask())
		}
	}
	return woken, nil
}

// lookup finds a log before the lock is held, and touches what is cold memory
// of it. It returns nil for an ephemeral item that nobody follows.
func (s *Store[M]) lookup(key Key, c Class) *Log[M] {
	if key == (Key{}) {
		return s.everyone
	}
	if c == Ephemeral {
		return s.directory.lookup(key)
	}
	l := s.directory.get(s, key)
	l.newest.Load()
	return l
}

// noteMade notes that an item made at a time is appended. Items are nearly
// always younger than the store; one from an outbox may be older.
func (s *Store[M]) noteMade(millis int64) {
	if millis < s.oldestMade.Load() { // only written under s.mu
		s.oldestMade.Store(millis)
	}
}

// Reset evicts everything and raises the head and the floors to position p, which
// must not be below the head. What was appended before is missing then for every
// reader behind it, and for logs that are made later.
func (s *Store[M]) Reset(p Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range Class(classes) {
		t := &s.kept[c]
		for t.oldest.Load() != nil {
			s.evictOldest(t, c)
		}
		t.floor.Store(p)
	}
	s.directory.mu.RLock()
	for l := range s.directory.all {
		l.raiseFloor(p)
	}
	s.directory.mu.RUnlock()
	s.last.Store(nil)
	s.head.Store(p)
}

// AppendGap says that items may be missing at this point: for the readers that
// come from before it, of every log that has a Key.ID and that is not excepted.
// Readers of logs that are made later count among them.
func (s *Store[M]) AppendGap(excepted func(Key) bool) {
	s.mu.Lock()
	p := s.head.Load() + 1
	t := &s.kept[Retained]
	t.floor.Store(max(t.floor.Load(), p))
	s.last.Store(nil)
	s.head.Store(p)
	s.mu.Unlock()
	var keys []Key
	for _, key := range s.Keys() {
		if key.ID != uuid.Nil && !excepted(key) {
			keys = append(keys, key)
		}
	}
	for part := range slices.Chunk(keys, AppendAtOnce) {
		s.Append(NewGap[M](time.Now(), s.config.Now()), part)
	}
}

// Keys returns the keys of all logs, of which some may be empty. Logs that are made
// or dropped meanwhile may be left out. It holds no lock for long.
func (s *Store[M]) Keys() []Key {
	keys := make([]Key, 0, s.directory.size())
	s.directory.each(func(l *Log[M]) { keys = append(keys, l.key) })
	return keys
}

// Skip advances the head to position p without appending anything.
func (s *Store[M]) Skip(p Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p > s.head.Load() {
		s.last.Store(nil)
		s.head.Store(p)
	}
}

// Close refuses further appends and stops the timer. Readers go on with what is
// there. It may be called again.
func (s *Store[M]) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.ageing != nil {
		s.ageing.Stop()
	}
}

// EachReader calls f with every open reader. Readers that are opened or closed
// meanwhile may be left out.
func (s *Store[M]) EachReader(f func(*Reader[M])) { s.everyone.readers.each(f) }

// EachReaderOf calls f with every reader of one log.
func (s *Store[M]) EachReaderOf(key Key, f func(*Reader[M])) {
	if l := s.directory.lookup(key); l != nil {
		l.readers.each(f)
	}
}

// Readers returns the number of readers of one log. It visits none of them.
func (s *Store[M]) Readers(key Key) int {
	if l := s.directory.lookup(key); l != nil {
		return int(l.readers.count.Load())
	}
	return 0
}

// Find returns the position of the newest item with this id in the log of a key.
func (s *Store[M]) Find(key Key, id uuid.UUID) (Position, bool) {
	l := s.directory.lookup(key)
	if l == nil {
		return 0, false
	}
	return l.find(id)
}

// A Usage says what a store holds.
type Usage struct {
	Entries int   // in all logs
	Bytes   int64 // what they cost
	Logs    int   // that have entries or readers, and that of the zero Key
}

// Usage returns what the store holds.
func (s *Store[M]) Usage() (u Usage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.kept {
		u.Entries += s.kept[c].count
		u.Bytes += s.kept[c].bytes
	}
	s.directory.mu.RLock()
	defer s.directory.mu.RUnlock()
	u.Logs = s.directory.len()
	return u
}
