package hub

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub/internal/eventlog"
)

// Stats are a hub's numbers at one moment. Counts are since the hub was made.
type Stats struct {
	Streams   map[string]int       `json:"streams"`             // open now, by transport
	Users     int                  `json:"users"`               // who listen now
	Published uint64               `json:"published"`           // events; one to many users counts once
	Delivered uint64               `json:"delivered"`           // events handed out to streams; it never goes back
	Gaps      map[GapReason]uint64 `json:"gaps"`                // handed out to streams, by reason; every reason is present
	Ended     map[Reason]uint64    `json:"ended"`               // streams, by reason; every reason is present
	Refused   map[Reason]uint64    `json:"refused"`             // streams that were not opened, by reason; every reason is present
	Retained  int                  `json:"retained"`            // entries in all logs
	Bytes     int64                `json:"bytes"`               // what they cost
	Backplane *BackplaneStatus     `json:"backplane,omitempty"` // nil without one
	Behind    uint64               `json:"behind"`              // publishes that the furthest stream has yet to look at; 0 if all sleep
}

// counters are what Stats cannot derive from the hub's present state.
type counters struct {
	published atomic.Uint64

	mu        sync.Mutex
	delivered uint64 // by streams that have ended
	told      uint64 // the most that Stats has returned as Delivered
	ended     map[Reason]uint64
	refused   map[Reason]uint64
	gaps      map[GapReason]uint64
}

func (c *counters) init() {
	c.ended, c.refused, c.gaps = map[Reason]uint64{}, map[Reason]uint64{}, map[GapReason]uint64{}
	for _, r := range Reasons() {
		c.ended[r], c.refused[r] = 0, 0
	}
	for _, r := range GapReasons() {
		c.gaps[r] = 0
	}
}

func (c *counters) refuse(reason Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused[reason]++
}

func (c *counters) end(info Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended[info.Reason]++
	c.delivered += info.Delivered
}

func (c *counters) gap(reason GapReason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gaps[reason]++
}

// tell returns what was delivered, and never less than before: a stream that is
// just being closed is missing among the open ones and among those that have ended.
func (c *counters) tell(delivered uint64) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = max(c.told, delivered)
	return c.told
}

// Stats returns the hub's numbers. It visits every stream, so it is for a
// scrape every few seconds.
func (h *Hub) Stats() Stats {
	st := Stats{Streams: map[string]int{}, Published: h.counters.published.Load()}
	h.counters.mu.Lock()
	st.Delivered = h.counters.delivered
	st.Ended = maps.Clone(h.counters.ended)
	st.Refused = maps.Clone(h.counters.refused)
	st.Gaps = maps.Clone(h.counters.gaps)
	h.counters.mu.Unlock()

	usage := h.store.Usage()
	st.Retained, st.Bytes = usage.Entries, usage.Bytes
	head := h.store.Head()
	users := map[uuid.UUID]struct{}{}
	h.store.EachReader(func(r *eventlog.Reader[*Message]) {
		s := r.Owner.(*Subscription)
		st.Streams[s.transport]++
		users[s.session.User] = struct{}{}
		s.mu.Lock()
		st.Delivered += s.delivered
		if p := r.Position(); !r.Asleep() && p < head {
			st.Behind = max(st.Behind, head-p)
		}
		s.mu.Unlock()
	})
	st.Delivered = h.counters.tell(st.Delivered)
	st.Users = len(users)
	if h.cluster != nil {
		status := h.cluster.status()
		st.Backplane = &status
	}
	return st
}
