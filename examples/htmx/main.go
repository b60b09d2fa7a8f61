// Command htmx is a wall of notes whose page has almost no script: the server
// renders each note as HTML and publishes it as an event of a Text kind, and htmx
// with its extension sse puts it into the page.
//
//	go run ./examples/htmx            # http://localhost:8080
//
// Read page.html beside this file. It says how the page resumes after a cut.
package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/sse"
)

//go:embed htmx.min.js htmx-ext-sse.min.js
var scripts embed.FS

//go:embed page.html
var source string

// page renders the whole page. Its template "note" renders one note, for the page
// and for the events alike.
var page = template.Must(template.New("page").Parse(source))

var kinds event.Registry

var noteAdded = event.Define[string](&kinds, "notes", "note.added",
	"Somebody wrote a note. The payload is its HTML.", event.Text())

// A wall holds the notes and tells everyone of new ones.
type wall struct {
	hub *hub.Hub

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
	if err := page.Execute(w, data); err != nil {
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
	err := page.ExecuteTemplate(&html, "note", n)
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

func newHandler(h *hub.Hub) http.Handler {
	wl := &wall{hub: h}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", wl.show)
	mux.HandleFunc("POST /notes", wl.add)
	mux.Handle("GET /events", sse.NewHandler(h, anyone, nil))
	mux.Handle("GET /scripts/", http.StripPrefix("/scripts/", http.FileServerFS(scripts)))
	return http.NewCrossOriginProtection().Handler(mux)
}

func run(ctx context.Context, addr string) error {
	h := hub.New(&kinds, nil)
	server := &http.Server{Handler: newHandler(h), ReadHeaderTimeout: 10 * time.Second, ConnContext: transport.ConnContext}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	slog.Info("listening", "url", "http://"+listener.Addr().String())
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		stopped <- transport.Shutdown(ctx, server, h)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

func main() {
	addr := flag.String("addr", "localhost:8080", "the `address` to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	if err := run(ctx, *addr); err != nil {
		slog.Error("the wall stopped", "error", err)
		os.Exit(1)
	}
}
