package transport

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// An Acceptor decides which requests may open a stream. Each handler of a
// transport has one. It is safe for concurrent use.
type Acceptor struct {
	group
	auth Authenticator
	name string

	refusedOrigins rateLimitedLog
}

// NewAcceptor returns an acceptor for the named transport ("sse"). The name
// appears in hub.Stream and in logs. NewAcceptor panics if h or auth is nil. Nil
// options mean the defaults.
func NewAcceptor(h *hub.Hub, auth Authenticator, name string, o *Options) *Acceptor {
	if h == nil || auth == nil {
		panic("transport: a handler needs a hub and an Authenticator; to let everybody in, say so in one")
	}
	o = o.WithDefaults()
	shared := group{hub: h, options: o, schedule: newSchedule(o, steps), crew: newCrew(o)}
	return &Acceptor{group: shared, auth: auth, name: name}
}

// Options returns the options, in which every zero has been replaced by its
// default. They must not be modified.
func (a *Acceptor) Options() *Options { return a.options }

// Hub returns the hub that the acceptor subscribes to.
func (a *Acceptor) Hub() *hub.Hub { return a.hub }

// Accept checks a request and subscribes for it. If it returns nil, it has
// answered the request: with 403 for a foreign origin, for a session that may not
// open the stream and for a topic that it may not follow, 401 without a valid
// session, 400 for a malformed filter,
// an unknown category or a malformed topic. Otherwise the caller must call the
// stream's Serve, Start or Close.
//
// A request that cannot be served now (too many streams, too many in a second,
// shutting down,
// the authenticator failed for a reason of its own) also gets a stream. It tells
// the client the reason and when to come back, and ends: an error status would
// end an EventSource for good. A transport whose clients can handle an error
// status calls [Stream.RefuseWithStatus] first.
func (a *Acceptor) Accept(w http.ResponseWriter, r *http.Request) *Stream {
	s := &Stream{group: &a.group}
	req := a.request(r)
	err := a.checkOrigin(w, r)
	if err == nil {
		least := a.options.Retry
		s.wait, err = a.hub.Admit(req, least, 20*least)
	}
	if err == nil {
		req, err = a.check(w, r, req)
	}
	if err == nil {
		req.Notify = s.wake
		s.resumes = req.After != ""
		s.sub, err = a.hub.Subscribe(req)
	}
	err = topicRefusal(err)
	var refusal *refusal
	var reason hub.Reason
	switch {
	case err == nil:
		if a.options.Recheck > 0 {
			s.recheck = &recheck{auth: a.auth, request: r, user: req.Session.User}
		}
	case errors.As(err, &refusal):
		refusal.write(w)
		return nil
	case errors.Is(err, hub.ErrClosed):
		s.refused = hub.ReasonShutdown
	case errors.As(err, &reason):
		s.refused = reason
	default:
		a.options.Logger.Error("crier: the Authenticator failed", "transport", a.name, "error", err)
		s.refused = hub.ReasonUnavailable
	}
	return s
}

// Check reports whether Accept would open a stream, without opening one. If not,
// it has answered the request. It is for HEAD.
func (a *Acceptor) Check(w http.ResponseWriter, r *http.Request) bool {
	req := a.request(r)
	err := a.checkOrigin(w, r)
	if err == nil {
		req, err = a.check(w, r, req)
	}
	if err == nil {
		err = topicRefusal(a.hub.MayFollow(r.Context(), req.Session, req.Topics...))
	}
	var refusal *refusal
	if errors.As(err, &refusal) {
		refusal.write(w)
		return false
	}
	return true
}

// noSession is the text of a 401.
const noSession = "no valid session: log in first"

// request returns what is known of a stream before it is authenticated.
func (a *Acceptor) request(r *http.Request) hub.Request {
	return hub.Request{Transport: a.name, RemoteAddr: r.RemoteAddr, UserAgent: userAgent(r)}
}

// check authenticates a request from an origin that is allowed, and completes req.
func (a *Acceptor) check(w http.ResponseWriter, r *http.Request, req hub.Request) (hub.Request, error) {
	// Take the time first: a session that is revoked from here on is refused.
	req.Authenticated, req.After = time.Now(), lastEventID(r)
	session, err := a.authenticate(w, r)
	switch {
	case errors.Is(err, ErrUnauthenticated) && a.options.GoneStatus204:
		return req, &refusal{status: http.StatusNoContent}
	case errors.Is(err, ErrUnauthenticated):
		return req, &refusal{status: http.StatusUnauthorized, message: noSession}
	case errors.Is(err, ErrForbidden):
		return req, &refusal{status: http.StatusForbidden, message: "this session may not open this stream"}
	case err != nil:
		return req, err
	}
	req.Session = session
	if req.Filter, err = a.filter(r); err != nil {
		return req, err
	}
	req.Context = r.Context()
	req.Topics, err = topics(r)
	return req, err
}

// userAgent returns the User-Agent header, truncated. It is copied, so that a
// stream does not keep the request's headers alive.
func userAgent(r *http.Request) string {
	const most = 200
	ua := r.UserAgent()
	return strings.Clone(ua[:min(len(ua), most)])
}

// filter reads the categories from the query: ?categories=a,b and
// ?categories=a&categories=b are the same. Without the parameter the client gets
// everything that its session allows.
func (a *Acceptor) filter(r *http.Request) (hub.Filter, error) {
	values, ok := queryValues(r, "categories", categoriesLimit)
	switch {
	case categoriesLimit.exceeds(values):
		return hub.Filter{}, tooManyCategories(a.hub)
	case !ok:
		return hub.Filter{}, badCategories("a malformed filter", a.hub.Registry().Categories())
	case values == nil:
		return hub.Everything(), nil
	}
	return ParseCategories(a.hub, strings.Split(strings.Join(values, ","), ","))
}

// ParseCategories turns names that came from a client into a filter. It fails
// if a name is unknown or empty, if there is none, or if there are more than
// 64; the error's text is for the client and lists the valid names.
func ParseCategories(h *hub.Hub, names []string) (hub.Filter, error) {
	if len(names) > maxNames {
		return hub.Filter{}, tooManyCategories(h)
	}
	valid := h.Registry().Categories()
	var want []event.Category
	for _, name := range names {
		c := event.Category(strings.TrimSpace(name))
		switch {
		case c == "":
			return hub.Filter{}, badCategories("an empty category", valid)
		case !slices.Contains(valid, c):
			return hub.Filter{}, badCategories("unknown category", valid)
		}
		want = append(want, c)
	}
	if len(want) == 0 {
		return hub.Filter{}, badCategories("no category", valid)
	}
	return hub.Categories(want...), nil
}

func tooManyCategories(h *hub.Hub) error {
	return badCategories(fmt.Sprintf("a filter may name at most %d categories", maxNames), h.Registry().Categories())
}

func badCategories(what string, valid []event.Category) error {
	names := make([]string, len(valid))
	for i, c := range valid {
		names[i] = string(c)
	}
	return &refusal{status: http.StatusBadRequest, message: fmt.Sprintf("%s; valid categories are: %s", what, strings.Join(names, ", "))}
}

// A refusal is a response that is sent in place of a stream.
type refusal struct {
	status  int
	message string   // sent to the client
	topics  []string // those that the session may not follow
}

func (r *refusal) Error() string { return r.message }

func (r *refusal) write(w http.ResponseWriter) {
	if names := escapeTopics(r.topics); names != "" {
		w.Header().Set(forbiddenTopics, names)
	}
	if r.status == http.StatusNoContent {
		w.WriteHeader(r.status)
		return
	}
	WriteError(w, r.status, r.message)
}

// WriteError answers a request with a status and the body {"error":"..."}.
func WriteError(w http.ResponseWriter, status int, message string) {
	body, err := json.Marshal(map[string]string{"error": message})
	if err != nil { // a string always marshals
		panic(err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}
