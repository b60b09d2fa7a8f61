package debug

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

const (
	pageSize  = 100 // streams on a page
	shownLast = 50  // retained events on a user's page
)

// A view is what a page shows, and its JSON.
type view struct {
	Status     int        `json:"-"`
	View       string     `json:"view,omitempty"`
	Error      string     `json:"error,omitempty"`
	CanPublish bool       `json:"-"`
	Query      string     `json:"query,omitempty"`
	Stats      *hub.Stats `json:"stats,omitempty"`
	Samples    []sample   `json:"samples,omitempty"`
	Kinds      []kindRate `json:"kinds,omitempty"`
	Largest    []size     `json:"largest,omitempty"`
	User       string     `json:"user,omitempty"`
	EventID    string     `json:"event_id,omitempty"`
	Streams    []stream   `json:"streams,omitempty"`
	Next       uint64     `json:"next,omitempty"` // the "after" of the next page; 0 if this is the last
	Events     []retained `json:"events,omitempty"`
	Answer     *answer    `json:"answer,omitempty"`
}

// A stream is a hub.StreamStatus for the page.
type stream struct {
	ID         uint64      `json:"id"`
	User       uuid.UUID   `json:"user"`
	Session    string      `json:"session"`
	Transport  string      `json:"transport"`
	Address    string      `json:"address"`
	Agent      string      `json:"user_agent"`
	Categories string      `json:"categories"`
	Topics     []string    `json:"topics,omitempty"`
	Started    time.Time   `json:"started"`
	Start      hub.Start   `json:"start"`
	Delivered  uint64      `json:"delivered"`
	Gaps       uint64      `json:"gaps"`
	Cursor     string      `json:"cursor"`
	Lag        int         `json:"lag"`
	LagBytes   int64       `json:"lag_bytes"`
	Reason     string      `json:"reason,omitempty"`
	Ended      time.Time   `json:"ended,omitzero"`
	Verdict    hub.Verdict `json:"verdict,omitempty"`
	Meaning    string      `json:"meaning,omitempty"`
	Inferred   bool        `json:"inferred,omitempty"`
}

// A size says who fills the memory.
type size struct {
	Audience string `json:"audience"`
	Bytes    int64  `json:"bytes"`
}

// A retained is an event in the logs that a user's streams read.
type retained struct {
	ID        uuid.UUID       `json:"id"`
	Type      event.Type      `json:"type"`
	Audience  string          `json:"audience"`
	Cursor    string          `json:"cursor"`
	Published time.Time       `json:"published"`
	Size      int             `json:"size"`
	Data      json.RawMessage `json:"data,omitempty"`
	Verdicts  []string        `json:"verdicts,omitempty"` // "stream: verdict"
}

// An answer says what became of one event.
type answer struct {
	Type       event.Type `json:"type,omitempty"`
	Created    time.Time  `json:"created"`
	Published  time.Time  `json:"published,omitzero"`
	Cursor     string     `json:"cursor,omitempty"`
	Audience   []string   `json:"audience,omitempty"`
	Superseded bool       `json:"superseded,omitempty"`
	Since      time.Time  `json:"streams_forgotten_before,omitzero"`
	Streams    []stream   `json:"streams"`
}

var meanings = map[hub.Verdict]string{
	hub.VerdictSuperseded:   "A later value took its place.",
	hub.VerdictDelivered:    "It was handed out to be written.",
	hub.VerdictPending:      "The stream has yet to take it.",
	hub.VerdictEvicted:      "It was evicted before the stream took it. The client is told of a gap.",
	hub.VerdictUnresolved:   "The stream began behind it with a gap.",
	hub.VerdictNotTaken:     "The stream ended before it took it.",
	hub.VerdictAlreadySeen:  "The client came back with a last id from behind it.",
	hub.VerdictFiltered:     "The stream's filter did not include its category.",
	hub.VerdictForbidden:    "The session does not allow its category.",
	hub.VerdictNotConnected: "The stream was opened later, without a last id.",
	hub.VerdictRevoked:      "The stream had been revoked before.",
	hub.VerdictEnded:        "The stream had ended before.",
	hub.VerdictNotFollowed:  "It was for topics that the stream did not follow.",
	hub.VerdictNotAddressed: "It was for other users.",
	hub.VerdictUnknown:      "What is remembered does not say.",
}

func (d *Handler) overview() view {
	stats := d.hub.Stats()
	v := view{View: "overview", Stats: &stats, Samples: d.samples.samples(), Kinds: d.samples.rates()}
	for _, l := range d.hub.Largest(20) {
		v.Largest = append(v.Largest, size{l.Audience.String(), l.Bytes})
	}
	return v
}

// streams shows open streams, a page at a time.
func (d *Handler) streams(r *http.Request) view {
	v := view{View: "streams", Query: strings.TrimSpace(r.FormValue("q"))}
	var after uint64
	if s := r.FormValue("after"); s != "" {
		var err error
		if after, err = strconv.ParseUint(s, 10, 64); err != nil {
			v.Status, v.Error = http.StatusBadRequest, "after is not a stream's number."
			return v
		}
	}
	for s := range d.hub.AllStreams(after) {
		if v.Query != "" && !strings.Contains(s.User.String(), strings.ToLower(v.Query)) &&
			!strings.Contains(s.SessionID, v.Query) && !strings.Contains(s.RemoteAddr, v.Query) {
			continue
		}
		if len(v.Streams) == pageSize {
			v.Next = v.Streams[pageSize-1].ID
			break
		}
		v.Streams = append(v.Streams, describe(s))
	}
	return v
}

// user shows one user and, if the request names an event, what became of it.
func (d *Handler) user(r *http.Request) view {
	v := view{View: "user", User: strings.TrimSpace(r.FormValue("user")), EventID: strings.TrimSpace(r.FormValue("event"))}
	user, err := uuid.Parse(v.User)
	if err != nil || user == uuid.Nil {
		v.Status, v.Error = http.StatusBadRequest, "The user is not an id. An id is a UUID."
		return v
	}
	topics := map[string]bool{}
	for _, s := range d.hub.Streams(user) {
		v.Streams = append(v.Streams, describe(s))
		for _, t := range s.Topics {
			topics[t] = true
		}
	}
	if v.EventID != "" {
		d.explain(r, user, &v)
	}
	v.Events = d.log(r, user, topics)
	return v
}

func (d *Handler) explain(r *http.Request, user uuid.UUID, v *view) {
	id, err := uuid.Parse(v.EventID)
	if err != nil {
		v.Status, v.Error = http.StatusBadRequest, "The event is not an id. An id is a UUID."
		return
	}
	x, err := d.hub.Explain(r.Context(), user, id)
	switch {
	case errors.Is(err, hub.ErrUnknownEvent):
		v.Status, v.Error = http.StatusNotFound, "Nothing is known of an event with this id: it was not published here, was ephemeral, or was superseded long ago."
		return
	case err != nil:
		v.Status, v.Error = http.StatusServiceUnavailable, err.Error()
		return
	}
	a := &answer{Created: x.Created, Published: x.Published, Cursor: x.Cursor, Superseded: x.Superseded, Since: x.Since, Streams: []stream{}}
	if x.Event != nil {
		a.Type = x.Event.Type()
	}
	for _, to := range x.Audience {
		a.Audience = append(a.Audience, to.String())
	}
	for _, s := range x.Streams {
		one := describe(s.StreamStatus)
		one.Verdict, one.Meaning, one.Inferred = s.Verdict, meanings[s.Verdict], s.Inferred
		a.Streams = append(a.Streams, one)
	}
	v.Answer = a
}

// log returns the newest events that a user's streams may read, the newest first.
func (d *Handler) log(r *http.Request, user uuid.UUID, topics map[string]bool) (all []retained) {
	from := []hub.Audience{hub.User(user), hub.Everyone()}
	for t := range topics {
		from = append(from, hub.Topic(t))
	}
	for _, a := range from {
		held := d.hub.Retained(a)
		for _, e := range held[max(0, len(held)-shownLast):] {
			one := retained{ID: e.Event.ID(), Type: e.Event.Type(), Audience: a.String(), Cursor: e.Cursor, Published: e.Published, Size: len(e.Event.Data())}
			if d.payloads {
				one.Data = e.Event.Data()
			}
			all = append(all, one)
		}
	}
	slices.SortStableFunc(all, func(a, b retained) int { return cmp.Compare(b.Cursor, a.Cursor) })
	all = all[:min(len(all), shownLast)]
	for i := range all {
		x, err := d.hub.Explain(r.Context(), user, all[i].ID)
		if err != nil {
			continue
		}
		for _, s := range x.Streams {
			all[i].Verdicts = append(all[i].Verdicts, fmt.Sprintf("%d: %s", s.ID, s.Verdict))
		}
	}
	return all
}

func describe(s hub.StreamStatus) stream {
	cs, everything := s.Filter.Categories()
	names := "everything"
	if !everything {
		names = strings.Trim(strings.ReplaceAll(fmt.Sprint(cs), " ", ", "), "[]")
	}
	return stream{
		ID: s.ID, User: s.User, Session: s.SessionID, Transport: s.Transport, Address: s.RemoteAddr,
		Agent: s.UserAgent, Categories: names, Topics: s.Topics, Started: s.Started, Start: s.Start,
		Delivered: s.Delivered, Gaps: s.Gaps, Cursor: s.Cursor, Lag: s.Lag, LagBytes: s.LagBytes,
		Reason: string(s.Reason), Ended: s.Ended,
	}
}
