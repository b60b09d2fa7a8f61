// Package wall is the server of the pages in examples/htmx and examples/datastar: a
// wall of notes. It renders each note as HTML and publishes it as an event of a Text
// kind, which the page's library puts into the page.
package wall

import (
	"context"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport/sse"
)

// Kinds are the events of a wall.
var Kinds event.Registry

var noteAdded = event.Define[string](&Kinds, "notes", "note.added",
	"Somebody wrote a note. The payload is its HTML.", event.Text())

// A wall holds the notes and tells everyone of new ones.
type wall struct {
	hub  *hub.Hub
	page *template.Template

	mu    sync.Mutex
	notes []note
}

type note struct {
	Number int
	Text   string
}

// show renders the page. The lock makes the cursor and the notes one moment: the
// stream that begins at the cursor has each note that is not in the page, and no
// other.
func (wl *wall) show(w http.ResponseWriter, _ *http.Request) {
	wl.mu.Lock()
	data := struct {
		Cursor string
		Notes  []note
	}{wl.hub.Cursor(), wl.notes}
	wl.mu.Unlock()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store") // a stored page has an old cursor
	if err := wl.page.Execute(w, data); err != nil {
		slog.Error("the page was not written", "error", err)
	}
}

// add publishes a note. html/template escapes the text for HTML, and the Text kind
// keeps the lines of the HTML within their event.
func (wl *wall) add(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	text := r.PostFormValue("text")
	if text == "" {
		http.Error(w, "the note is empty", http.StatusBadRequest)
		return
	}
	wl.mu.Lock()
	defer wl.mu.Unlock()
	n := note{len(wl.notes) + 1, text}
	var html strings.Builder
	err := wl.page.ExecuteTemplate(&html, "note", n)
	if err == nil {
		err = wl.publish(r.Context(), html.String())
	}
	if err != nil {
		slog.Error("a note was not published", "error", err)
		http.Error(w, "try again", http.StatusInternalServerError)
		return
	}
	wl.notes = append(wl.notes, n)
	w.WriteHeader(http.StatusNoContent) // the note comes by the stream, to its author as well
}

func (wl *wall) publish(ctx context.Context, html string) error {
	e, err := noteAdded.New(uuid.Nil, html)
	if err != nil {
		return err
	}
	return wl.hub.Broadcast(ctx, e)
}

// anyone lets everybody read the wall. All notes are broadcasts, so no visitor
// needs to be known.
func anyone(*http.Request) (hub.Session, error) {
	return hub.Session{User: uuid.New(), Allowed: hub.Everything()}, nil
}

// NewHandler serves a wall: its page, the page's scripts below /scripts/, and the
// stream. The template page renders the whole page, and its template "note" one note,
// for the page and for the events alike.
func NewHandler(h *hub.Hub, page *template.Template, scripts fs.FS) http.Handler {
	wl := &wall{hub: h, page: page}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", wl.show)
	mux.HandleFunc("POST /notes", wl.add)
	mux.Handle("GET /events", sse.NewHandler(h, anyone, nil))
	mux.Handle("GET /scripts/", http.StripPrefix("/scripts/", http.FileServerFS(scripts)))
	return http.NewCrossOriginProtection().Handler(mux)
}
