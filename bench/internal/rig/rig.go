// Package rig is the server that is measured: a hub and its transports on
// loopback, set up as an application would, with sessions that cost nothing to
// look up.
package rig

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/sse"
	"github.com/crier-go/crier/transport/ws"
)

// Transports are the paths that a server has, in the order in which results
// are shown: Server-Sent Events with the defaults and with sse.Options.Lean,
// and WebSocket.
var Transports = []string{"sse", "lean", "ws"}

// A Payload is the data of every event here. It begins with swarm.Stamp.
type Payload struct {
	At   int64  `json:"at"` // when it was due, in nanoseconds of Unix time
	Fill string `json:"fill"`
}

// Registry and Happened are the vocabulary of a measurement.
var (
	Registry event.Registry
	Happened = event.Define[Payload](&Registry, "portfolio", "portfolio.balance.updated", "A balance has changed.")
)

// New returns an event for a user whose data has so many bytes, or a few more
// if that is too little to hold a stamp.
func New(user int, at time.Time, size int) (*event.Event, error) {
	const around = len(`{"at":1800000000000000000,"fill":""}`)
	return Happened.New(User(user), Payload{At: at.UnixNano(), Fill: strings.Repeat("x", max(0, size-around))})
}

// User returns the id of user i, a UUID of version 8.
func User(i int) (u uuid.UUID) {
	copy(u[:], "crier's")
	u[6], u[8] = 0x80, 0x80
	binary.BigEndian.PutUint32(u[12:], uint32(i))
	return u
}

// Session returns the session of user i.
func Session(i int) hub.Session {
	return hub.Session{User: User(i), ID: "bench", Allowed: hub.Everything()}
}

// authenticate believes what the query says.
func authenticate(r *http.Request) (hub.Session, error) {
	i, err := strconv.Atoi(r.URL.Query().Get("user"))
	if err != nil {
		return hub.Session{}, transport.ErrUnauthenticated
	}
	return Session(i), nil
}

// Handler serves a hub under the names of all transports.
func Handler(h *hub.Hub) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/sse", sse.NewHandler(h, authenticate, nil))
	mux.Handle("/lean", sse.NewHandler(h, authenticate, &sse.Options{Lean: true}))
	mux.Handle("/ws", ws.NewHandler(h, authenticate, nil))
	return mux
}

// A Server serves a hub on loopback.
type Server struct {
	Hub   *hub.Hub
	Addrs []string

	http *http.Server
	work sync.WaitGroup
}

// Start starts a server with so many ports. Nil options mean the hub's
// defaults.
func Start(ports int, o *hub.Options) (*Server, error) {
	var options hub.Options
	if o != nil {
		options = *o
	}
	options.Logger = slog.New(slog.DiscardHandler)
	h := hub.New(&Registry, &options)
	s := &Server{Hub: h, http: &http.Server{Handler: Handler(h), ErrorLog: log.New(io.Discard, "", 0)}}
	for range ports {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("listening on loopback: %w", err)
		}
		s.Addrs = append(s.Addrs, l.Addr().String())
		s.work.Go(func() { s.http.Serve(l) })
	}
	return s, nil
}

// Close closes the server and its hub.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := transport.Shutdown(ctx, s.http, s.Hub)
	s.work.Wait()
	return err
}
