package proof

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// lawKinds has a kind of each sort: retained, short-lived, ephemeral and
// conflated. A payload carries the number of its event in the order of publishing.
var (
	lawKinds    event.Registry
	lawPosted   = event.Define[lawPayload](&lawKinds, "chat", "chat.posted", "Somebody said something.")
	lawTyping   = event.Define[lawPayload](&lawKinds, "chat", "chat.typing", "Somebody types.", event.Ephemeral())
	lawChunk    = event.Define[lawPayload](&lawKinds, "chat", "chat.chunk", "A piece of a text.", event.RetainFor(shortLife))
	lawRaised   = event.Define[lawPayload](&lawKinds, "alerts", "alert.raised", "Something is wrong.")
	lawBalance  = event.Define[lawPayload](&lawKinds, "money", "balance.updated", "A balance changed.", event.Latest(lawPayload.key))
	lawProgress = event.Define[lawPayload](&lawKinds, "money", "import.progress", "An import went on.", event.Latest(lawPayload.key), event.RetainFor(shortLife))
)

const shortLife = 20 * time.Second

type lawPayload struct {
	N    int    `json:"n"`
	Key  string `json:"key,omitempty"`
	Fill string `json:"fill,omitempty"`
}

func (p lawPayload) key() string { return p.Key }

// A history is everything that was published, in order, and forgets nothing. From
// it follows what a hub must still have.
type history struct {
	options   *hub.Options
	tight     bool // the hub's bounds by bytes are low: anything may be evicted
	facts     []fact
	counts    map[logOf]int
	newest    map[valueOf]int // the number of the newest fact that states a value
	numbers   map[string]int  // by event id
	cursors   map[string]int  // by cursor: how many facts were published before it
	forgotten int             // the facts before this were in a hub that was lost
	known     map[string]bool // the cursors of hubs that were not lost
}

// A fact is one publish. Its number is its index in the history.
type fact struct {
	id    string
	info  event.Info
	value string // what a conflated event states; empty for others
	to    []hub.Audience
	place []int // in the log of each audience, by class
	at    time.Time
}

// A logOf is a class of events in the log of an audience.
type logOf struct {
	audience hub.Audience
	life     time.Duration // zero: retained
}

type valueOf struct {
	audience hub.Audience
	value    string
}

func newHistory(o *hub.Options, tight bool) *history {
	return &history{
		options: o, tight: tight,
		counts: map[logOf]int{}, newest: map[valueOf]int{}, numbers: map[string]int{}, cursors: map[string]int{},
	}
}

// add notes an event that was published.
func (h *history) add(e *event.Event, to []hub.Audience) {
	f := fact{id: e.ID().String(), info: e.Info(), to: to, at: time.Now()}
	if f.info.Latest {
		f.value = string(e.Type()) + "/" + e.Key()
	}
	n := len(h.facts)
	for _, a := range to {
		log := logOf{a, f.info.RetainFor}
		if f.info.Ephemeral {
			log.life = -1
		}
		f.place = append(f.place, h.counts[log])
		h.counts[log]++
		if f.value != "" {
			h.newest[valueOf{a, f.value}] = n
		}
	}
	h.numbers[f.id] = n
	h.facts = append(h.facts, f)
}

// mark notes a cursor of where the hub stands now.
func (h *history) mark(cursor string) {
	h.cursors[cursor] = len(h.facts)
	h.known[cursor] = true
}

// forget notes that the hub was lost with all that it had.
func (h *history) forget() {
	h.forgotten = len(h.facts)
	h.known = map[string]bool{}
}

// mayBeGone reports whether a bound allows the hub to have evicted a fact from the
// log of its i-th audience.
func (h *history) mayBeGone(n, i int) bool {
	f := &h.facts[n]
	if h.tight || h.tooOld(n) {
		return true
	}
	if f.info.RetainFor > 0 {
		return time.Since(f.at) >= f.info.RetainFor // the ring is larger than any schedule
	}
	most := h.options.UserEvents
	if f.to[i] == hub.Everyone() {
		most = h.options.BroadcastEvents
	}
	return h.counts[logOf{audience: f.to[i]}]-1-f.place[i] >= most
}

// tooOld reports whether a fact is older than anything that the hub retains.
func (h *history) tooOld(n int) bool {
	return n < h.forgotten || time.Since(h.facts[n].at) >= h.options.MaxAge
}

// superseded reports whether a newer fact states the same value in the log of the
// i-th audience.
func (h *history) superseded(n, i int) bool {
	f := &h.facts[n]
	return f.value != "" && h.newest[valueOf{f.to[i], f.value}] > n
}

// resolvable reports whether a hub must know where a client stands that has seen
// an id last and follows a view.
func (h *history) resolvable(id string, v *view) bool {
	if h.known[id] {
		return true
	}
	n, ok := h.numbers[id]
	if !ok {
		return false
	}
	for i, a := range h.facts[n].to {
		if v.follows(a) && !h.mayBeGone(n, i) && !h.superseded(n, i) {
			return true
		}
	}
	return false
}

// A view is what a stream is to receive: the categories (nil means all) of what is
// for its user, for everyone, and for its topics.
type view struct {
	user       uuid.UUID
	categories []event.Category
	topics     []string
}

func (v *view) follows(a hub.Audience) bool {
	return a == hub.Everyone() || a == hub.User(v.user) ||
		slices.ContainsFunc(v.topics, func(t string) bool { return a == hub.Topic(t) })
}

func (v *view) wants(f *fact) bool {
	return (v.categories == nil || slices.Contains(v.categories, f.info.Category)) && slices.ContainsFunc(f.to, v.follows)
}
