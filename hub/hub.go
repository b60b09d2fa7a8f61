package hub

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub/internal/eventlog"
)

// A Hub routes events to subscriptions. Make one with New; all methods are
// safe for concurrent use. It must not be copied.
type Hub struct {
	options  Options // resolved
	registry *event.Registry
	kinds    kindTable
	cursors  atomic.Pointer[cursorCodec]
	began    time.Time

	store *eventlog.Store[*Message]

	observers atomic.Pointer[[]*Observer] // Options.Observer, then those of Observe

	cluster     *cluster      // nil without a backplane
	ids         atomic.Uint64 // given to subscriptions
	revocations revocations
	counters    counters
	warnings    warnings
	presence    presence
	ended       ended
	admission   admission

	reconnectSpread atomic.Int64 // see ReconnectSpread

	// mu is held to admit a subscription and to count those that are open.
	mu      sync.Mutex
	closed  bool
	open    int           // subscriptions that hold something
	ending  int           // calls of Observer.Ended
	drained chan struct{} // closed when closed is set and open is zero
	told    chan struct{} // closed when, besides, ending is zero
}

// New returns a hub for the kinds of event in r, and freezes r: a kind that is
// defined later would be one that clients could not filter by. Nil options mean
// the defaults.
//
// New panics if Options.Backplane is set: [Open] returns such a hub.
func New(r *event.Registry, o *Options) *Hub {
	if o != nil && o.Backplane != nil {
		panic("hub: New was given Options.Backplane; use Open, which connects to it")
	}
	return newHub(r, o)
}

func newHub(r *event.Registry, o *Options) *Hub {
	r.Freeze()
	h := &Hub{
		options:  o.resolved(),
		registry: r,
		kinds:    newKindTable(r),
		began:    time.Now(),
		drained:  make(chan struct{}),
		told:     make(chan struct{}),
		warnings: warnings{kinds: map[string]*warning{}},
	}
	h.setObservers([]*Observer{h.options.Observer})
	h.cursors.Store(newCursorCodec())
	h.store = eventlog.New(eventlog.Config[*Message]{
		Categories: len(h.kinds.categories),
		Bytes:      h.options.Bytes,
		MaxAge:     h.options.MaxAge,
		Bounds:     h.bounds,
		Now:        h.now,
		Gap: func(p eventlog.Position) *Message {
			return newControlMessage(h.cursors.Load().encode(p), TypeGap, gapData.evicted)
		},
	})
	h.counters.init()
	h.admission = newAdmission(h.options.OpenRate)
	h.ended.most = h.options.EndedStreams
	h.presence = presence{hub: h, events: h.options.Presence}
	if h.options.Restore != nil {
		if err := h.restore(h.options.Restore); err != nil {
			h.Report(fmt.Errorf("the hub starts empty: %w", err))
		}
		h.options.Restore = nil // it may hold a file's contents
	}
	return h
}

// bounds returns the bounds of a log.
func (h *Hub) bounds(key eventlog.Key) eventlog.Bounds {
	if key == (eventlog.Key{}) {
		return eventlog.Bounds{Entries: h.options.BroadcastEvents, Bytes: h.options.Bytes / 2}
	}
	return eventlog.Bounds{Entries: h.options.UserEvents, Bytes: h.options.UserBytes}
}

// Registry returns the registry that the hub was made with.
func (h *Hub) Registry() *event.Registry { return h.registry }

// Cursor returns the hub's present position, for a page: take it, read the
// state, render both, and let the page stream from it. See the package
// comment. The cursor is marked as that of a page, so that a stream that begins
// with it counts as a page's first and not as one that resumes; see
// [Options].RefuseNewest.
func (h *Hub) Cursor() string { return h.cursors.Load().encodeStart(h.store.Head()).String() }

// now is the hub's clock: nanoseconds since it began, monotonic.
func (h *Hub) now() int64 { return int64(time.Since(h.began)) }
