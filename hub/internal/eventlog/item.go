package eventlog

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/google/uuid"
)

// A Position is a place in the order of a store. The first append has position
// 1; zero lies before everything.
type Position = uint64

// Categories is a set of categories: bit i is the i-th.
type Categories = uint64

// A Class says how long an item is kept, and for whom.
type Class uint8

const (
	// Retained items are replayed until the bounds of their log or of the
	// store evict them.
	Retained Class = iota
	// ShortLived items are replayed for at least Rules.Life. They have a ring of
	// their own, so that they evict no retained item.
	ShortLived
	// Ephemeral items reach the readers that follow the log when they are
	// appended. They are never replayed, and their loss is not reported.
	Ephemeral

	classes = 3
)

// An Item is what a log holds: a message M and what the log needs to know of
// it. Set the exported fields before Append and leave them alone afterwards. An
// item may be appended several times.
type Item[M any] struct {
	Message  M
	ID       uuid.UUID // version 7; finds the item again, see Reader.Find
	Category uint8     // below Config.Categories
	Class    Class     //
	// Gap means that the item is no message: it says that something may be
	// missing at its position, in any category. A reader returns Config.Gap in
	// its place.
	Gap   bool
	refs  int32    // entries that hold it; guarded by Store.mu
	Size  int      // bytes that a batch counts for it
	Cost  int64    // bytes that keeping it costs
	Time  int64    // when it was made, by Config.Now
	Rules *Rules   // nil for most items
	entry Entry[M] // the first that holds it: most items need no more
}

// Rules are what few items need. They must not be changed after Append. Several
// items may share them.
type Rules struct {
	Life time.Duration // of a ShortLived item
	// Latest, if not empty, names the value that an item states: it supersedes
	// an earlier item of the same log and Latest.
	Latest string
}

// latest returns Rules.Latest, or nothing without rules.
func (i *Item[M]) latest() string {
	if i.Rules == nil {
		return ""
	}
	return i.Rules.Latest
}

// NewGap returns an item that says that something may be missing at its position.
// It was made at a time, which is now by Config.Now. Like other items it has an id
// with that time: without one it would seem to be older than everything.
func NewGap[M any](made time.Time, now int64) *Item[M] {
	i := &Item[M]{Gap: true, Time: now, Cost: gapCost, Size: 1}
	binary.BigEndian.PutUint64(i.ID[:8], uint64(made.UnixMilli())<<16|7<<12)
	return i
}

// gapCost is what a gap item costs.
const gapCost = 200

// mask returns the categories of which a reader must want one to want the item.
func (i *Item[M]) mask() Categories {
	if i.Gap {
		return ^Categories(0)
	}
	return 1 << i.Category
}

// An Entry is an item in its place in one log. It is immutable, but for its
// neighbours in the retention list, which Store.mu guards.
type Entry[M any] struct {
	position     Position
	after        Position // of the entry before it in this log, evicted or not
	key          uint64   // keyOf(item.ID), so that a search need not touch the item
	peak         int64    // highest creation time up to here in this ring, see ring.find
	item         *Item[M] // nil if a later entry states the same value
	log          *Log[M]
	older, newer *Entry[M] // in the order of the store, of the same class
}

// EntryOverhead is what each log that keeps an item pays beside Item.Cost: the
// entry and its slots in a ring that is between a quarter full and full.
const EntryOverhead = 112

// keyOf returns the random half of a version 7 UUID.
func keyOf(id uuid.UUID) uint64 { return binary.BigEndian.Uint64(id[8:]) }

// Millis returns the Unix time in milliseconds that a version 7 UUID begins
// with (RFC 9562, section 5.7).
func Millis(id uuid.UUID) int64 { return int64(binary.BigEndian.Uint64(id[:8]) >> 16) }

// Unbounded is a bound that is never reached.
const Unbounded = math.MaxInt64
