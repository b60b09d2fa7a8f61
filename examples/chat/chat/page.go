package chat

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/examples/chat/page"
	"github.com/crier-go/crier/examples/chat/static"
)

var pages = template.Must(template.ParseFS(page.Files, "*.html"))

// contentSecurityPolicy lets the page load its own files, talk to its own
// server, and nothing else: no inline script or style, no other site.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// withHeaders adds what every answer has.
func withHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentSecurityPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// static answers GET /static/{file}.
func (s *server) static(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache") // another build may have other files of the same name
	http.ServeFileFS(w, r, static.Files, r.PathValue("file"))
}

// A state is what a page shows before anything happens, and where its stream
// begins.
type state struct {
	Me       person      `json:"me"`
	Cursor   string      `json:"cursor"`
	Now      int64       `json:"now"` // milliseconds: a client's clock may be wrong
	Messages []message   `json:"messages"`
	Online   []person    `json:"online"`
	Rooms    []roomState `json:"rooms"` // that this person is in
}

// A message has the form that it also has on a stream, so that the page needs
// only one way to take it in.
type message struct {
	ID    uuid.UUID       `json:"id"`
	Event event.Type      `json:"event"`
	Data  json.RawMessage `json:"data"`
}

// stateFor reads the state of a person's page. The cursor comes first, then
// everything else: what happens in between is then behind the cursor and comes
// on the stream, perhaps a second time, but never not at all.
func (s *server) stateFor(p person) state {
	st := state{Me: p, Cursor: s.hub.Cursor(), Now: time.Now().UnixMilli(), Messages: []message{}, Online: []person{}, Rooms: []roomState{}}
	s.journal.catchUp()
	rooms := s.rooms.of(p.ID)
	for _, name := range rooms {
		st.Rooms = append(st.Rooms, s.roomFor(name))
	}
	for _, e := range s.history.of(p.ID, rooms) {
		st.Messages = append(st.Messages, message{e.ID(), e.Type(), e.Data()})
	}
	for _, user := range s.presence.online() {
		if who, ok := s.people.lookup(user); ok {
			st.Online = append(st.Online, who)
		}
	}
	byName(st.Online)
	return st
}

// page answers GET /: the chat, or the question who you are.
func (s *server) page(w http.ResponseWriter, r *http.Request) {
	_, p, err := s.session(r)
	if err != nil {
		s.loginPage(w, http.StatusOK, loginData{})
		return
	}
	s.render(w, http.StatusOK, "chat.html", struct{ State state }{s.stateFor(p)})
}

// state answers GET /state: what a page asks for again after a gap.
func (s *server) state(w http.ResponseWriter, _ *http.Request, p person) {
	writeJSON(w, http.StatusOK, s.stateFor(p))
}

type loginData struct{ Name, Error, Rule string }

func (s *server) loginPage(w http.ResponseWriter, status int, data loginData) {
	data.Rule = nameRule
	s.render(w, status, "login.html", data)
}

func (s *server) render(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer // so that a mistake in a template is a 500 and not half a page
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		s.log.Error("cannot render a page", "page", name, "error", err)
		http.Error(w, "This page cannot be shown. It has been logged.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store") // it is one person's, at one moment
	w.WriteHeader(status)
	w.Write(b.Bytes())
}
