package backplanetest

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
)

// MemoryLimit is the size of the largest record that a [Memory] takes, in bytes.
const MemoryLimit = 1 << 20

// A Memory is an engine in memory: one sequence of records, and any number of
// handles, one for each simulated process. It retains records until
// [Memory.Retain], [Memory.Reset] or a record's Life removes them.
//
// All methods are safe for concurrent use. A Memory has no goroutines and no
// timers of its own, so it works in testing/synctest bubbles; it must be created
// in the bubble that uses it.
type Memory struct {
	id uuid.UUID

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at every change
	epoch   int
	resets  int // ends every Follow
	away    bool
	last    uint64
	records []memoryRecord // by position
	expires time.Time      // no record expires before; zero if none does
}

type memoryRecord struct {
	hub.SequencedRecord
	at      time.Time // when the engine accepted it
	expires time.Time // zero: never
}

// NewMemory returns a Memory with an empty sequence.
func NewMemory() *Memory {
	return &Memory{id: uuid.New(), epoch: 1, changed: make(chan struct{})}
}

// Handle returns the backplane of one more process.
func (m *Memory) Handle() *Handle {
	return &Handle{m: m}
}

// Records returns a copy of the records that the sequence retains, in order.
func (m *Memory) Records() []hub.SequencedRecord {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expireLocked()
	records := make([]hub.SequencedRecord, len(m.records))
	for i, r := range m.records {
		records[i] = r.SequencedRecord
		records[i].Data = bytes.Clone(r.Data)
	}
	return records
}

// Retain removes all records but the n newest. The epoch stays.
func (m *Memory) Retain(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records = slices.Clone(m.records[max(len(m.records)-n, 0):])
	m.changeLocked()
}

// Reset loses every record behind position keep. Their positions are given out
// again, the epoch is a new one, and all connections break. This is what a
// failover does that loses acknowledged records. Reset(0) is a sequence that was
// created anew.
func (m *Memory) Reset(keep uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch++
	m.regressLocked(keep)
}

// Regress is Reset without a new epoch. A backplane must not do that; a hub
// defends itself where it can.
func (m *Memory) Regress(keep uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.regressLocked(keep)
}

func (m *Memory) regressLocked(keep uint64) {
	m.records = slices.Clone(m.records[:m.searchLocked(keep)])
	m.last = min(m.last, keep)
	m.resets++
	m.changeLocked()
}

// SetAway takes the engine away from all handles, or brings it back with all
// that it had accepted. While it is away, every call fails at once and running
// Follows end.
func (m *Memory) SetAway(away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = away
	m.changeLocked()
}

// append adds a record to the end of the sequence.
func (m *Memory) append(r hub.Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last++
	now := time.Now()
	accepted := memoryRecord{
		SequencedRecord: hub.SequencedRecord{Position: m.last, Record: r},
		at:              now,
	}
	accepted.Data = bytes.Clone(r.Data)
	if r.Life > 0 {
		accepted.expires = now.Add(r.Life)
		if m.expires.IsZero() || accepted.expires.Before(m.expires) {
			m.expires = accepted.expires
		}
	}
	m.records = append(m.records, accepted)
	m.changeLocked()
}

func (m *Memory) tailLocked() hub.Tail {
	m.expireLocked()
	t := hub.Tail{Epoch: m.epochLocked(), First: m.last + 1, Last: m.last}
	if len(m.records) > 0 {
		t.First = m.records[0].Position
	}
	return t
}

func (m *Memory) epochLocked() string {
	return fmt.Sprintf("%v/%d", m.id, m.epoch)
}

// expireLocked removes the records whose life is over.
func (m *Memory) expireLocked() {
	now := time.Now()
	if m.expires.IsZero() || now.Before(m.expires) {
		return
	}
	m.expires = time.Time{}
	m.records = slices.DeleteFunc(m.records, func(r memoryRecord) bool {
		if r.expires.IsZero() {
			return false
		}
		if !now.Before(r.expires) {
			return true
		}
		if m.expires.IsZero() || r.expires.Before(m.expires) {
			m.expires = r.expires
		}
		return false
	})
}

// searchLocked returns the index of the first record behind position after.
func (m *Memory) searchLocked(after uint64) int {
	return sort.Search(len(m.records), func(i int) bool { return m.records[i].Position > after })
}

func (m *Memory) changeLocked() {
	close(m.changed)
	m.changed = make(chan struct{})
}
