package debug

import (
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

//go:embed page.html style.css page.js
var files embed.FS

var page = template.Must(template.New("page.html").Funcs(template.FuncMap{
	"ago": ago, "stamp": stamp, "clock": clock, "bytes": byteSize, "count": count[uint64], "rate": rate, "plural": plural[int], "plural64": plural[uint64],
	"reason": func(r hub.Reason) string { return reasonText(string(r)) }, "start": startText, "label": label, "tone": tone, "meaning": meaning,
}).ParseFS(files, "page.html"))

// A Handler serves the debug page of a hub. Make one with [NewHandler]. It is safe
// for concurrent use.
type Handler struct {
	hub      *hub.Hub
	allow    func(*http.Request) error
	payloads bool
	userIDs  func(string) uuid.UUID
	publish  func(*http.Request) (*event.Event, error)
	samples  *sampler
	remove   func()
	once     sync.Once
}

// An Option changes what a [Handler] shows or may do.
type Option func(*Handler)

// WithPayloads shows the payloads of events. By default, only their size is shown.
func WithPayloads() Option { return func(h *Handler) { h.payloads = true } }

// WithUserIDs lets a person search for users by the application's own ids: what is
// typed and is not a UUID is given to ids, for instance [event.UserIDs.FromString].
// It returns uuid.Nil for what is no user.
func WithUserIDs(ids func(string) uuid.UUID) Option { return func(h *Handler) { h.userIDs = ids } }

// WithTestPublish adds a button that publishes a test event. The function makes the
// event, for the user who has sent the request, so that the operator can only
// publish to oneself. Requests of other origins are refused.
func WithTestPublish(make func(*http.Request) (*event.Event, error)) Option {
	return func(h *Handler) { h.publish = make }
}

// NewHandler returns the debug page of h. It calls allow for every request; an error
// answers 404, so that others do not learn of the page. It panics if allow is nil.
//
// The handler reads [hub.Hub.Stats] every five seconds, from now until Close, and
// counts publishes by kind.
func NewHandler(h *hub.Hub, allow func(*http.Request) error, opts ...Option) *Handler {
	if h == nil || allow == nil {
		panic("debug: NewHandler needs a hub, and a function that decides who may see the page")
	}
	d := &Handler{hub: h, allow: allow, samples: newSampler(h)}
	for _, o := range opts {
		o(d)
	}
	d.remove = h.Observe(&hub.Observer{Published: d.samples.published})
	return d
}

// Close stops the sampling and the counting. The page can still be read. Close may be
// called again.
func (d *Handler) Close() {
	d.once.Do(func() {
		d.remove()
		d.samples.close()
	})
}

// ServeHTTP implements [http.Handler].
func (d *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if d.allow(r) != nil {
		http.NotFound(w, r)
		return
	}
	head := w.Header()
	head.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cache-Control", "no-store")
	if r.Method == http.MethodPost && d.publish != nil {
		d.testPublish(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		head.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	switch r.FormValue("asset") {
	case "style":
		asset(w, "style.css", "text/css; charset=utf-8")
		return
	case "script":
		asset(w, "page.js", "text/javascript; charset=utf-8")
		return
	}
	var v view
	switch r.FormValue("view") {
	case "":
		v = d.overview()
	case "streams":
		v = d.streams(r)
	case "user":
		v = d.user(r)
	default:
		v = failed("", http.StatusNotFound, "There is no such view.")
	}
	d.write(w, r, v)
}

func (d *Handler) write(w http.ResponseWriter, r *http.Request, v view) {
	v.CanPublish, v.OwnIDs = d.publish != nil, d.userIDs != nil
	status := v.Status
	if status == 0 {
		status = http.StatusOK
	}
	var b strings.Builder
	var err error
	if r.FormValue("format") == "json" {
		w.Header().Set("Content-Type", "application/json")
		err = json.NewEncoder(&b).Encode(v)
	} else {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		err = page.Execute(&b, v)
	}
	if err != nil {
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		d.hub.Report(err)
		return
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(b.String()))
}

func (d *Handler) testPublish(w http.ResponseWriter, r *http.Request) {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		http.Error(w, "the request comes from another origin", http.StatusForbidden)
		return
	}
	e, err := d.publish(r)
	if err == nil && e == nil {
		err = errors.New("there is no event")
	}
	if err == nil {
		err = d.hub.Publish(r.Context(), e)
	}
	if err != nil {
		d.write(w, r, view{Status: http.StatusBadGateway, Error: "The test event was not published: " + err.Error()})
		return
	}
	http.Redirect(w, r, "?view=user&user="+e.User().String()+"&event="+e.ID().String(), http.StatusSeeOther)
}

func asset(w http.ResponseWriter, name, kind string) {
	b, _ := files.ReadFile(name)
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(b)
}
