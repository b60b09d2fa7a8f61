// Command server is what the browser tests of the JavaScript client talk to: a
// hub, its transports, an empty page, and a way to make things happen.
//
//	POST /publish?text=hello&n=3&type=other.text   publishes events, and answers their ids
//	POST /publish?text=hello&topic=room            the same, to a topic; nobody may follow secret
//	POST /token?valid=t2                           changes the only valid token
//	POST /revoke                                   ends every session, and lets nobody in
//	POST /admit                                    lets everybody in again
//	GET  /streams                                  how many streams are open
//
// With -token, streams need the bearer token; without, everybody is let in.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/clients/js"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/poll"
	"github.com/crier-go/crier/transport/sse"
	"github.com/crier-go/crier/transport/ws"
)

var (
	registry event.Registry
	kinds    = map[string]event.Kind[string]{
		"test.text":   event.Define[string](&registry, "test", "test.text", "A text."),
		"test.typing": event.Define[string](&registry, "test", "test.typing", "Somebody types.", event.Ephemeral()),
		"other.text":  event.Define[string](&registry, "other", "other.text", "A text of another category."),
	}
	user = uuid.MustParse("6f1f2f0c-0a0e-5d0e-9b1c-000000000001")
)

// page gives a test the client's modules, in window.
const page = `<!doctype html>
<title>A page</title>
<script type="module">
	import * as crier from "/crier.js";
	import * as shared from "/crier-shared.js";
	Object.assign(window, { crier, shared, ready: true });
</script>
`

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "the `address` to listen on")
	heartbeat := flag.Duration("heartbeat", 0, "see transport.Options")
	token := flag.String("token", "", "the `token` that streams need")
	flag.Parse()
	if err := run(*addr, *heartbeat, *token); err != nil {
		slog.Error("the server stopped", "error", err)
		os.Exit(1)
	}
}

func run(addr string, heartbeat time.Duration, token string) error {
	var revoked atomic.Bool
	var valid atomic.Value
	valid.Store(token)
	authenticate := func(r *http.Request) (hub.Session, error) {
		given := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if given == "" {
			given = r.URL.Query().Get("access_token")
		}
		if given != valid.Load() || revoked.Load() {
			return hub.Session{}, transport.ErrUnauthenticated
		}
		return hub.Session{User: user, ID: given, Allowed: hub.Everything()}, nil
	}
	h := hub.New(&registry, &hub.Options{StreamsPerUser: 64, Authorize: authorize})
	options := transport.Options{Heartbeat: heartbeat, Retry: time.Second}

	mux := http.NewServeMux()
	mux.Handle("/events", sse.NewHandler(h, authenticate, &sse.Options{Common: options}))
	mux.Handle("/ws", ws.NewHandler(h, authenticate, &ws.Options{Common: options}))
	mux.Handle("/poll", poll.NewHandler(h, authenticate, &poll.Options{Common: options}))
	mux.Handle("/crier.js", js.Handler())
	mux.Handle("/crier-shared.js", js.Handler())
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Cache-Control", "no-store")
		io.WriteString(w, page)
	})
	mux.HandleFunc("GET /cursor", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, h.Cursor()) })
	mux.HandleFunc("GET /streams", func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(h.Stats().Streams) })
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		_, err := h.RevokeSession(r.Context(), user, valid.Load().(string))
		valid.Store(r.FormValue("valid"))
		report(w, err)
	})
	mux.HandleFunc("POST /revoke", func(w http.ResponseWriter, r *http.Request) {
		revoked.Store(true)
		_, err := h.RevokeUser(r.Context(), user)
		report(w, err)
	})
	mux.HandleFunc("POST /admit", func(http.ResponseWriter, *http.Request) { revoked.Store(false) })
	mux.HandleFunc("POST /join", func(w http.ResponseWriter, r *http.Request) {
		left.Delete(r.FormValue("topic"))
		_, err := h.Join(r.Context(), user, r.FormValue("topic"))
		report(w, err)
	})
	mux.HandleFunc("POST /leave", func(w http.ResponseWriter, r *http.Request) {
		left.Store(r.FormValue("topic"), true)
		_, err := h.Leave(r.Context(), user, r.FormValue("topic"))
		report(w, err)
	})
	// For the example of htmx: the texts so far, as HTML.
	var texts atomic.Pointer[[]string]
	texts.Store(&[]string{})
	mux.HandleFunc("GET /texts", func(w http.ResponseWriter, _ *http.Request) {
		for _, text := range *texts.Load() {
			fmt.Fprintf(w, "<li>%s</li>", html.EscapeString(text))
		}
	})
	mux.HandleFunc("POST /publish", func(w http.ResponseWriter, r *http.Request) {
		all := append(slices.Clone(*texts.Load()), r.FormValue("text"))
		texts.Store(&all)
		ids, err := publish(r, h)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		json.NewEncoder(w).Encode(ids)
	})

	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan os.Signal, 1)
	signal.Notify(stopped, os.Interrupt, syscall.SIGTERM)
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(listener) }()
	fmt.Println(listener.Addr()) // for who started this
	select {
	case err := <-failed:
		return err
	case <-stopped:
	}
	// Clients are told, and whatever is left is cut.
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := transport.Shutdown(ctx, srv, h); err != nil {
		return srv.Close()
	}
	return nil
}

// left has the topics that /leave has taken.
var left sync.Map

// authorize allows every topic but one, and those that were taken.
func authorize(_ context.Context, _ hub.Session, topic string) error {
	if _, taken := left.Load(topic); taken || topic == "secret" {
		return errors.New("nobody may follow it")
	}
	return nil
}

func report(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func publish(r *http.Request, h *hub.Hub) ([]string, error) {
	name, n := r.FormValue("type"), 1
	if name == "" {
		name = "test.text"
	}
	kind, ok := kinds[name]
	if !ok {
		return nil, fmt.Errorf("there is no kind %q", name)
	}
	if s := r.FormValue("n"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			return nil, err
		}
	}
	ids := []string{}
	for i := range n {
		text := r.FormValue("text")
		if n > 1 {
			text += strconv.Itoa(i)
		}
		e, err := kind.New(user, text)
		if topic := r.FormValue("topic"); err == nil && topic != "" {
			err = h.PublishTo(r.Context(), e, hub.Topic(topic))
		} else if err == nil {
			err = h.Publish(r.Context(), e)
		}
		if err != nil {
			return nil, err
		}
		ids = append(ids, e.ID().String())
	}
	return ids, nil
}
