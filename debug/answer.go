package debug

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// An answer says what became of one event for a user.
type answer struct {
	Summary    string              `json:"summary"`
	Tone       string              `json:"-"`
	Type       event.Type          `json:"type,omitempty"`
	Category   event.Category      `json:"category,omitempty"`
	Created    time.Time           `json:"created"`
	Published  time.Time           `json:"published,omitzero"`
	Cursor     string              `json:"cursor,omitempty"`
	Audience   []string            `json:"audience,omitempty"`
	Superseded bool                `json:"superseded,omitempty"`
	Retained   bool                `json:"retained"`
	Since      time.Time           `json:"streams_forgotten_before,omitzero"`
	Verdicts   map[hub.Verdict]int `json:"verdicts"` // on how many streams
	Streams    []explained         `json:"streams"`  // pageSize at most
}

// An explained is a stream and what became of the event for it.
type explained struct {
	stream
	Verdict  hub.Verdict `json:"verdict"`
	Meaning  string      `json:"meaning"`
	Inferred bool        `json:"inferred,omitempty"`
}

func (d *Handler) explain(r *http.Request, user uuid.UUID, v *view) {
	id, err := uuid.Parse(v.EventID)
	if err != nil {
		v.Status, v.Error = http.StatusBadRequest, "The event is not an id. An id is a UUID, as the log shows it."
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
	a := &answer{
		Created: x.Created, Published: x.Published, Cursor: x.Cursor, Superseded: x.Superseded, Retained: x.Cursor != "",
		Since: x.Since, Verdicts: map[hub.Verdict]int{}, Streams: []explained{},
	}
	if x.Event != nil {
		info := x.Event.Info()
		a.Type, a.Category = info.Type, info.Category
	}
	for _, to := range x.Audience {
		a.Audience = append(a.Audience, to.String())
	}
	for _, s := range x.Streams {
		a.Verdicts[s.Verdict]++
		if len(a.Streams) < pageSize {
			a.Streams = append(a.Streams, explained{describe(s.StreamStatus), s.Verdict, a.meaning(s), s.Inferred})
		}
	}
	a.summarize(len(x.Streams))
	v.Answer = a
}

// summarize says in one sentence what became of the event. It claims no more than is
// known: an answer about an event that is not retained is probable at best.
func (a *answer) summarize(streams int) {
	n, before := maps.Clone(a.Verdicts), ""
	if ended := n[hub.VerdictEnded]; ended > 0 && ended < streams {
		// They explain nothing beside the others.
		streams -= ended
		delete(n, hub.VerdictEnded)
		before = "; " + count(ended) + " more had ended before"
	}
	of := fmt.Sprintf("%s of the user's %s", count(n[hub.VerdictDelivered]), plural(streams, "stream"))
	if n[hub.VerdictDelivered] == streams {
		of = "all " + plural(streams, "stream") + " of the user"
	}
	if streams == 1 {
		of = "the user's only stream"
	}
	switch {
	case streams == 0:
		a.Tone, a.Summary = "bad", "Not delivered: the user has no stream open, and none that ended is remembered."
		return
	case n[hub.VerdictDelivered] > 0:
		a.Tone, a.Summary = "good", "Delivered to "+of+before+"."
	case n[hub.VerdictPending] > 0:
		a.Tone, a.Summary = "wait", "Not yet delivered: "+plural(n[hub.VerdictPending], "stream has", "streams have")+" to take it."
	case n[hub.VerdictSuperseded] > 0:
		a.Tone, a.Summary = "wait", "Superseded: a later value took its place."
	case n[hub.VerdictAlreadySeen] > 0:
		a.Tone, a.Summary = "wait", "Not delivered by these streams: a client says that it has seen it before."
	case n[hub.VerdictUnknown] > 0:
		a.Tone, a.Summary = "wait", "What is remembered does not say whether it was delivered."
		return
	case len(n) == 1:
		a.Tone, a.Summary = "bad", "Not delivered: "+label(a.Considered()[0].Verdict)+before+"."
	default:
		a.Tone, a.Summary = "bad", "Not delivered to any of the user's "+plural(streams, "stream")+before+"."
	}
	if !a.Retained {
		a.Summary = "Probably " + strings.ToLower(a.Summary[:1]) + a.Summary[1:]
	}
}

// Considered returns the streams that the answer is about: all but those that had
// ended before, if there are others.
func (a *answer) Considered() []explained {
	if others := a.streams(false); len(others) > 0 {
		return others
	}
	return a.Streams
}

// EndedBefore returns the streams that Considered leaves out.
func (a *answer) EndedBefore() []explained {
	if len(a.streams(false)) == 0 {
		return nil
	}
	return a.streams(true)
}

// streams returns those that had ended before, or those that had not.
func (a *answer) streams(ended bool) (some []explained) {
	for _, s := range a.Streams {
		if (s.Verdict == hub.VerdictEnded) == ended {
			some = append(some, s)
		}
	}
	return some
}

// meaning says in a sentence why a stream has its verdict, with what is known of the
// stream and of the event.
func (a *answer) meaning(s hub.StreamExplanation) string {
	at := a.Published
	when := "the event was published"
	if at.IsZero() {
		at, when = a.Created, "the event was made"
	}
	switch s.Verdict {
	case hub.VerdictFiltered:
		if a.Category != "" && !s.Filter.Includes(a.Category) {
			return fmt.Sprintf("The stream asked for %s only. The event is of the category %s.", categories(s.Filter), a.Category)
		}
	case hub.VerdictForbidden:
		if a.Category != "" {
			return fmt.Sprintf("The session is not allowed to receive the category %s.", a.Category)
		}
	case hub.VerdictNotConnected:
		if s.Started.After(at) {
			return fmt.Sprintf("The stream was opened at %s, after %s at %s, and its client gave no last id to resume from.", clock(s.Started), when, clock(at))
		}
	case hub.VerdictRevoked, hub.VerdictEnded:
		if !s.Ended.IsZero() && s.Ended.Before(at) {
			return fmt.Sprintf("The stream ended at %s (%s), before %s at %s.", clock(s.Ended), reasonText(string(s.Reason)), when, clock(at))
		}
	}
	return words[s.Verdict].meaning
}

// A word is how the page names a verdict.
type word struct {
	label   string
	tone    string // good, wait, bad or over, for its colour
	meaning string
}

var words = map[hub.Verdict]word{
	hub.VerdictSuperseded:   {"superseded", "wait", "A later value took its place: the stream is given that one."},
	hub.VerdictDelivered:    {"delivered", "good", "It was handed to the connection to be written. Only the client knows whether it arrived."},
	hub.VerdictPending:      {"pending", "wait", "The stream has yet to take it."},
	hub.VerdictEvicted:      {"evicted before it was read", "bad", "It was evicted from memory before the stream took it. The client is told of a gap."},
	hub.VerdictUnresolved:   {"last id unknown", "bad", "The client came back with a last id that this server does not know. The stream began behind the event, and the client was told of a gap."},
	hub.VerdictNotTaken:     {"ended before it was read", "bad", "The stream ended before it took the event."},
	hub.VerdictAlreadySeen:  {"already seen", "wait", "The client came back with a last id from behind the event: it says that it has seen it."},
	hub.VerdictFiltered:     {"filtered out", "bad", "The stream's filter did not include the event's category."},
	hub.VerdictForbidden:    {"forbidden", "bad", "The session is not allowed to receive the event's category."},
	hub.VerdictNotConnected: {"not connected", "bad", "The stream was opened after the event, and its client gave no last id to resume from."},
	hub.VerdictRevoked:      {"revoked before", "bad", "The stream was revoked before the event was published."},
	hub.VerdictEnded:        {"ended before", "over", "The stream had ended before the event was published."},
	hub.VerdictNotFollowed:  {"topic not followed", "bad", "The event was for topics that the stream did not follow."},
	hub.VerdictNotAddressed: {"for other users", "bad", "The event was published to other users."},
	hub.VerdictUnknown:      {"unknown", "wait", "What is remembered does not say."},
}

func label(v hub.Verdict) string   { return words[v].label }
func tone(v hub.Verdict) string    { return words[v].tone }
func meaning(v hub.Verdict) string { return words[v].meaning }

// plural returns a number of things: the name of one, and of several if that is not
// made by an s.
func plural[T int | uint64](n T, one string, several ...string) string {
	switch {
	case n == 1:
		return "1 " + one
	case len(several) > 0:
		return count(n) + " " + several[0]
	}
	return count(n) + " " + one + "s"
}
