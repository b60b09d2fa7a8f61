package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/sse"
	"github.com/crier-go/crier/transport/ws"
)

const (
	heartbeat = 8 * time.Second
	retry     = 400 * time.Millisecond
)

// payload is what the events carry. Text is always text. Mark is set where the relay cuts. Fill makes
// events large enough for what compresses and buffers.
type payload struct {
	N    int    `json:"n"`
	Text string `json:"text"`
	Mark string `json:"mark,omitempty"`
	Fill string `json:"fill,omitempty"`
}

var (
	kinds   event.Registry
	counted = event.Define[payload](&kinds, "wild", "wild.counted", "The next number.")
)

// text is not ASCII, since some clients take what they read for Latin-1.
const text = "naïve ✓"

// A server is an application that is built on Crier. It can be replaced by a
// new one, as in a deploy.
type server struct {
	pages *pages // below /events/page/

	hub     *hub.Hub
	http    *http.Server
	address string

	mu      sync.Mutex
	streams map[uuid.UUID]*tally
}

// A tally counts a user's streams, over all hubs.
type tally struct {
	opened, open int
	closed       time.Time // when the latest of them ended
}

func newServer(pages *pages) (*server, error) {
	s := &server{pages: pages, streams: map[uuid.UUID]*tally{}}
	return s, s.start()
}

var (
	quiet    = slog.New(slog.NewTextHandler(io.Discard, nil))
	quietLog = slog.NewLogLogger(quiet.Handler(), slog.LevelInfo)
)

// start makes a hub and a server for it.
func (s *server) start() error {
	h := hub.New(&kinds, &hub.Options{
		Logger: quiet,
		Observer: &hub.Observer{
			Subscribed: func(st hub.Stream) { s.count(st.User, +1) },
			Ended:      func(st hub.Stream) { s.count(st.User, -1) },
		},
	})
	common := transport.Options{Heartbeat: heartbeat, Retry: retry, Logger: quiet}
	plain := sse.NewHandler(h, whose, &sse.Options{Common: common})
	lean := sse.NewHandler(h, whose, &sse.Options{Common: common, Lean: true})
	mux := http.NewServeMux()
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("lean") {
			lean.ServeHTTP(w, r)
		} else {
			plain.ServeHTTP(w, r)
		}
	})
	mux.Handle("/ws", ws.NewHandler(h, whose, &ws.Options{Common: common}))
	mux.Handle("/events/page/", http.StripPrefix("/events/page", s.pages))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.hub, s.address = h, l.Addr().String()
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ErrorLog: quietLog}
	go s.http.Serve(l)
	return nil
}

// whose takes the user from the URL: every client of the bench has its own.
func whose(r *http.Request) (hub.Session, error) {
	user, err := uuid.Parse(r.URL.Query().Get("user"))
	if err != nil {
		return hub.Session{}, transport.ErrUnauthenticated
	}
	return hub.Session{User: user, Allowed: hub.Everything()}, nil
}

// stop ends hub and server as a deploy does.
func (s *server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := transport.Shutdown(ctx, s.http, s.hub)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil // proxies keep idle connections; Shutdown has closed them
	}
	return err
}

func (s *server) publish(user uuid.UUID, p payload) error {
	e, err := counted.New(user, p)
	if err != nil {
		return err
	}
	s.pages.add(user, p.N) // as an application that stores first, then publishes
	return s.hub.Publish(context.Background(), e)
}

func (s *server) count(user uuid.UUID, by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.streams[user]
	if t == nil {
		t = &tally{}
		s.streams[user] = t
	}
	t.open += by
	if by > 0 {
		t.opened++
	} else {
		t.closed = time.Now()
	}
}

// tally returns how many streams a user has opened so far, and has open.
func (s *server) tally(user uuid.UUID) tally {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.streams[user]; t != nil {
		return *t
	}
	return tally{}
}
