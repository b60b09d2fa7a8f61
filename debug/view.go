package debug

import (
	"cmp"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
)

// A view is what a page shows, and its JSON.
type view struct {
	Status     int    `json:"-"`
	CanPublish bool   `json:"-"`
	OwnIDs     bool   `json:"-"` // WithUserIDs is given
	Typed      string `json:"-"` // as the user, in the search box
	View       string `json:"view,omitempty"`
	Error      string `json:"error,omitempty"`

	// Overview.
	Cards   []card     `json:"-"`
	Stats   *hub.Stats `json:"stats,omitempty"`
	Samples []sample   `json:"samples,omitempty"`
	Kinds   []kindRate `json:"kinds,omitempty"`
	Largest []size     `json:"largest,omitempty"`

	// Streams, and those of a user.
	Query   string   `json:"query,omitempty"`
	After   uint64   `json:"after,omitempty"`
	Streams []stream `json:"streams,omitempty"`
	Next    uint64   `json:"next,omitempty"` // the "after" of the next page; 0 if this is the last

	// One user.
	User      string  `json:"user,omitempty"`
	EventID   string  `json:"event_id,omitempty"`
	Open      int     `json:"open,omitempty"`
	Ended     int     `json:"ended,omitempty"` // remembered
	Answer    *answer `json:"answer,omitempty"`
	LeftOut   int     `json:"streams_left_out,omitempty"` // of Open and Ended, in Streams
	TopicsCut int     `json:"topics_left_out,omitempty"`  // of which the log shows nothing
	log
}

// failed returns a view that says why a request was not answered.
func failed(name string, status int, why string) view {
	return view{View: name, Status: status, Error: why}
}

// Now is the time at which the page was made.
func (v view) Now() string { return time.Now().UTC().Format("2006-01-02 15:04:05") }

// Title names the page in the browser's list of tabs.
func (v view) Title() string {
	switch v.View {
	case "streams":
		return "Streams"
	case "user":
		return cmp.Or("User "+v.Typed, "User")
	}
	return "Overview"
}

// A stream is a hub.StreamStatus for the page.
type stream struct {
	ID         uint64    `json:"id"`
	User       uuid.UUID `json:"user"`
	Session    string    `json:"session"`
	Transport  string    `json:"transport"`
	Address    string    `json:"address"`
	Agent      string    `json:"user_agent"`
	Categories string    `json:"categories"`
	Topics     []string  `json:"topics,omitempty"`
	Started    time.Time `json:"started"`
	Start      hub.Start `json:"start"`
	Delivered  uint64    `json:"delivered"`
	Gaps       uint64    `json:"gaps"`
	Cursor     string    `json:"cursor"`
	Lag        int       `json:"lag"`
	LagBytes   int64     `json:"lag_bytes"`
	Missed     bool      `json:"missed,omitempty"` // its client will be told of a gap
	LastWrite  time.Time `json:"last_write,omitzero"`
	Reason     string    `json:"reason,omitempty"`
	Ended      time.Time `json:"ended,omitzero"`
}

func describe(s hub.StreamStatus) stream {
	return stream{
		ID: s.ID, User: s.User, Session: s.SessionID, Transport: s.Transport, Address: s.RemoteAddr,
		Agent: s.UserAgent, Categories: categories(s.Filter), Topics: s.Topics, Started: s.Started, Start: s.Start,
		Delivered: s.Delivered, Gaps: s.Gaps, Cursor: s.Cursor, Lag: s.Lag, LagBytes: s.LagBytes, Missed: s.Gap,
		LastWrite: s.LastWrite, Reason: string(s.Reason), Ended: s.Ended,
	}
}

// State says whether the stream is open.
func (s stream) State() string {
	switch {
	case !s.Ended.IsZero():
		return "ended"
	case s.Reason != "":
		return "ending"
	}
	return "open"
}

// Tone is the colour of the state.
func (s stream) Tone() string {
	return map[string]string{"open": "good", "ending": "wait", "ended": "over"}[s.State()]
}

// Why says when and why the stream ended, if it has.
func (s stream) Why() string {
	switch {
	case !s.Ended.IsZero():
		return ago(s.Ended) + ", " + reasonText(s.Reason)
	case s.Reason != "":
		return "now, " + reasonText(s.Reason)
	}
	return ""
}

// Who names an audience, as it looks from the user's page.
func (v view) Who(audience string) string {
	if v.User != "" && audience == "user:"+v.User {
		return "this user"
	}
	return audience
}

// startTexts say where a stream began, for a person.
var startTexts = map[hub.Start]string{
	hub.StartNew:     "new",
	hub.StartPage:    "new, from a page",
	hub.StartCursor:  "resumed",
	hub.StartEvent:   "resumed after an event",
	hub.StartEvicted: "resumed with a gap",
	hub.StartUnknown: "last id unknown",
}

func startText(s hub.Start) string { return startTexts[s] }

// reasonTexts say why a stream ended, for a person.
var reasonTexts = map[string]string{
	string(hub.ReasonGone):        "the client has gone",
	string(hub.ReasonSlow):        "the client was too slow",
	string(hub.ReasonRevoked):     "revoked",
	string(hub.ReasonExpired):     "the session expired",
	string(hub.ReasonOverloaded):  "too many streams",
	string(hub.ReasonShutdown):    "the server shut down",
	string(hub.ReasonAbusive):     "the client broke the protocol",
	string(hub.ReasonUnavailable): "the server could not tell who the client is",
}

func reasonText(reason string) string { return cmp.Or(reasonTexts[reason], reason) }
