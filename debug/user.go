package debug

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

const (
	logPage    = 50  // events of a user's log that are shown at once
	mostTopics = 256 // whose logs are shown for one user
)

// A log is a page of the retained events that a user's streams may read, the newest
// first. Older and Newer are the "before" and the "after" of the pages beside it;
// each is empty if there is none.
type log struct {
	Events []retained `json:"events,omitempty"`
	Older  string     `json:"older,omitempty"`
	Newer  string     `json:"newer,omitempty"`
	// NoVerdicts says that the user has too many streams for a verdict on each
	// beside each event.
	NoVerdicts bool `json:"verdicts_left_out,omitempty"`
}

// A retained is an event in the logs that a user's streams read.
type retained struct {
	ID        uuid.UUID       `json:"id"`
	Type      event.Type      `json:"type"`
	Audience  []string        `json:"audience"`
	Cursor    string          `json:"cursor"`
	Published time.Time       `json:"published"`
	Size      int             `json:"size"`
	Data      json.RawMessage `json:"data,omitempty"`
	Verdicts  []verdict       `json:"verdicts,omitempty"`

	event *event.Event
}

// Payload is the event's data as text.
func (r retained) Payload() string { return string(r.Data) }

// Groups returns the verdicts with the streams that have them, in the order of the
// streams.
func (r retained) Groups() (all []group) {
	for _, one := range r.Verdicts {
		i := slices.IndexFunc(all, func(g group) bool { return g.Verdict == one.Verdict })
		if i < 0 {
			i = len(all)
			all = append(all, group{Verdict: one.Verdict})
		}
		all[i].Streams = append(all[i].Streams, one.Stream)
	}
	return all
}

// A verdict says what became of an event for a stream.
type verdict struct {
	Stream  uint64      `json:"stream"`
	Verdict hub.Verdict `json:"verdict"`
}

// A group is the streams for which the same became of an event.
type group struct {
	Verdict hub.Verdict
	Streams []uint64
}

// user shows one user and, if the request names an event, what became of it.
func (d *Handler) user(r *http.Request) view {
	v := view{View: "user", Typed: strings.TrimSpace(r.FormValue("user")), EventID: strings.TrimSpace(r.FormValue("event"))}
	fail := func(status int, why string) view {
		v.Status, v.Error = status, why
		return v
	}
	user := d.userID(v.Typed)
	if user == uuid.Nil {
		return fail(http.StatusBadRequest, "The user is not an id. An id is a UUID, like 6f1f2f0c-0a0e-5d0e-9b1c-000000000001.")
	}
	cut, why := readCut(r)
	if why != "" {
		return fail(http.StatusBadRequest, why)
	}
	v.User = user.String()
	var topics []string
	for _, s := range d.hub.Streams(user) {
		if s.Ended.IsZero() {
			v.Open++
		} else {
			v.Ended++
		}
		if len(v.Streams) == pageSize {
			v.LeftOut++
		} else {
			v.Streams = append(v.Streams, describe(s))
		}
		topics = append(topics, s.Topics...)
	}
	slices.Sort(topics)
	topics = slices.Compact(topics)
	if v.TopicsCut = max(0, len(topics)-mostTopics); v.TopicsCut > 0 {
		topics = topics[:mostTopics]
	}
	if v.EventID != "" {
		d.explain(r, user, &v)
	}
	v.log = d.log(user, topics, cut)
	if v.NoVerdicts = v.LeftOut > 0; !v.NoVerdicts {
		d.judge(r, user, v.Events)
	}
	return v
}

// A cut says which page of a log is shown: the newest, or what is next to a cursor.
type cut struct{ before, after string }

func readCut(r *http.Request) (c cut, why string) {
	c = cut{r.FormValue("before"), r.FormValue("after")}
	if c.before != "" && c.after != "" {
		return c, "Give “before” or “after”, not both."
	}
	for _, s := range []*string{&c.before, &c.after} {
		if *s == "" {
			continue
		}
		id, err := uuid.Parse(*s)
		if err != nil {
			return c, "“before” and “after” are positions of events, as the log shows them."
		}
		*s = id.String()
	}
	return c, ""
}

// log returns a page of what a user's streams may read.
func (d *Handler) log(user uuid.UUID, topics []string, c cut) (l log) {
	from := []hub.Audience{hub.User(user), hub.Everyone()}
	for _, t := range topics {
		from = append(from, hub.Topic(t))
	}
	var all []retained
	for _, a := range from {
		for _, e := range d.hub.Retained(a) {
			all = append(all, retained{Audience: []string{a.String()}, Cursor: e.Cursor, Published: e.Published, event: e.Event})
		}
	}
	slices.SortStableFunc(all, func(a, b retained) int { return cmp.Compare(b.Cursor, a.Cursor) })
	all = merge(all)
	first := 0 // of the page
	behind := func(cursor string) int {
		i, _ := slices.BinarySearchFunc(all, cursor, func(r retained, cursor string) int { return cmp.Compare(cursor, r.Cursor) })
		return i
	}
	switch {
	case c.before != "":
		if first = behind(c.before); first < len(all) && all[first].Cursor == c.before {
			first++
		}
	case c.after != "":
		first = max(0, behind(c.after)-logPage)
	}
	end := min(first+logPage, len(all))
	l.Events = slices.Clone(all[first:end])
	switch {
	case first == 0:
	case first < end:
		l.Newer = all[first].Cursor
	default: // nothing is older: the way back
		l.Newer = c.before
	}
	if end < len(all) {
		l.Older = all[end-1].Cursor
	}
	for i := range l.Events {
		e := &l.Events[i]
		e.ID, e.Type, e.Size = e.event.ID(), e.event.Type(), len(e.event.Data())
		if d.payloads {
			e.Data = e.event.Data()
		}
	}
	return l
}

// merge makes one of the entries at the same position, which are one event for
// several audiences.
func merge(all []retained) []retained {
	merged := all[:0]
	for _, one := range all {
		if n := len(merged); n > 0 && merged[n-1].Cursor == one.Cursor {
			merged[n-1].Audience = append(merged[n-1].Audience, one.Audience...)
			continue
		}
		merged = append(merged, one)
	}
	return merged
}

// judge says of each event what became of it for each stream of the user.
func (d *Handler) judge(r *http.Request, user uuid.UUID, events []retained) {
	for i := range events {
		x, err := d.hub.Explain(r.Context(), user, events[i].ID)
		if err != nil {
			continue // it was evicted a moment ago, and nothing is left to tell of it
		}
		for _, s := range x.Streams {
			events[i].Verdicts = append(events[i].Verdicts, verdict{s.ID, s.Verdict})
		}
	}
}
