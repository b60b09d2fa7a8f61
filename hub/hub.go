package hub

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
)

// A Hub routes events to subscriptions. Make one with New; all methods are
// safe for concurrent use. It must not be copied.
type Hub struct {
	options  Options // resolved
	registry *event.Registry
	kinds    kindTable
	mint     mint
	began    time.Time

	users    users
	everyone *log  // broadcasts
	index    index // every subscription

	// head is the position of the newest publish. A publish appends to its
	// logs first and stores head last; a reader loads head first and reads no
	// further. With a head per log, two readers could disagree about the order
	// of two publishes.
	head atomic.Uint64
	// floor is the highest position that the hub-wide bounds have evicted:
	// nothing retained lies at or below it.
	floor atomic.Uint64
	// epoch is the oldest creation time, in Unix milliseconds, that an event
	// of this hub can have.
	epoch atomic.Int64

	// mu is held to number and append. Logs are looked up before, sleepers
	// woken after. It also guards the entries' places and costs.
	mu        sync.Mutex
	closed    bool
	open      int // subscriptions that have not left
	retained  retention
	ephemeral retention
	ageing    *time.Timer // one for all ageing; nil until something is retained
	armed     bool

	streams     atomic.Uint64 // ids given to subscriptions
	revocations revocations
	counters    counters
	notices     notices
	drained     chan struct{} // closed when the hub is, and the last subscription has gone
}

// New returns a hub for the kinds of event in r, which is frozen: a kind
// defined later would be one that clients could not filter by. Nil options
// mean the defaults.
func New(r *event.Registry, o *Options) *Hub {
	r.Freeze()
	h := &Hub{
		options:  o.resolved(),
		registry: r,
		kinds:    newKindTable(r),
		mint:     newMint(),
		began:    time.Now(),
		users:    users{logs: map[uuid.UUID]*log{}},
		drained:  make(chan struct{}),
		notices:  notices{kinds: map[string]*notice{}},
	}
	h.everyone = &log{maxEvents: h.options.BroadcastEvents, maxBytes: h.options.Bytes / 2}
	h.ephemeral.ephemeral, h.ephemeral.limit = true, h.options.Bytes/ephemeralShare
	h.retained.limit = h.options.Bytes - h.ephemeral.limit
	h.epoch.Store(h.began.UnixMilli())
	h.counters.init()
	return h
}

// Registry returns the registry that the hub was made with.
func (h *Hub) Registry() *event.Registry { return h.registry }

// Cursor returns the hub's present position, for a page: take it, read the
// state, render both, and let the page stream from it. See the package
// comment.
func (h *Hub) Cursor() string { return h.mint.cursor(h.head.Load()).String() }

// now is the hub's clock: nanoseconds since it began, monotonic.
func (h *Hub) now() int64 { return int64(time.Since(h.began)) }

// noLimit is what a bound is that has none.
const noLimit = math.MaxInt64
