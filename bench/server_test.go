package bench

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

	"github.com/crier-go/crier/bench/internal/swarm"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/sse"
	"github.com/crier-go/crier/transport/ws"
)

// transports are the paths of a server: Server-Sent Events with the defaults
// and with sse.Options.Lean, and WebSocket.
var transports = []string{"sse", "lean", "ws"}

// userID returns the id of user i, a UUID of version 8.
func userID(i int) (u uuid.UUID) {
	copy(u[:], "crier's")
	u[6], u[8] = 0x80, 0x80
	binary.BigEndian.PutUint32(u[12:], uint32(i))
	return u
}

func session(i int) hub.Session {
	return hub.Session{User: userID(i), ID: "bench", Allowed: hub.Everything()}
}

// authenticate believes what the query says.
func authenticate(r *http.Request) (hub.Session, error) {
	i, err := strconv.Atoi(r.URL.Query().Get("user"))
	if err != nil {
		return hub.Session{}, transport.ErrUnauthenticated
	}
	return session(i), nil
}

// request returns a client's request for a stream. "{user}" stands for the
// user's number.
func request(transport, user string) string {
	return swarm.Request("/"+transport+"?user="+user, transport == "ws")
}

// handler serves a hub under the names of all transports.
func handler(h *hub.Hub) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/sse", sse.NewHandler(h, authenticate, nil))
	mux.Handle("/lean", sse.NewHandler(h, authenticate, &sse.Options{Lean: true}))
	mux.Handle("/ws", ws.NewHandler(h, authenticate, nil))
	return mux
}

// A server serves a hub on loopback.
type server struct {
	hub  *hub.Hub
	addr string
	http *http.Server
	work sync.WaitGroup
	sent int64 // events broadcast
}

func startServer() (*server, error) { return startServerWith(hub.Options{}) }

func startServerWith(o hub.Options) (*server, error) {
	o.OpenRate = -1 // what is over it would not be measured
	o.Logger = slog.New(slog.DiscardHandler)
	h := hub.New(&registry, &o)
	s := &server{hub: h, http: &http.Server{Handler: handler(h), ErrorLog: log.New(io.Discard, "", 0)}}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening on loopback: %w", err)
	}
	s.addr = l.Addr().String()
	s.work.Go(func() { s.http.Serve(l) })
	return s, nil
}

func (s *server) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := transport.Shutdown(ctx, s.http, s.hub)
	s.work.Wait()
	return err
}

// A marked payload has the mark that a swarm counts.
type marked struct {
	Number string `json:"number"`
	Fill   string `json:"fill"`
}

var markedKind = event.Define[marked](&registry, "portfolio", "portfolio.marked", "A swarm counts it.")

// broadcast publishes one marked event of typical size to everyone.
func (s *server) broadcast() error {
	s.sent++
	const around = len(`{"number":"~#","fill":""}`)
	number := strconv.FormatInt(s.sent, 10)
	e, err := markedKind.New(userID(0), marked{swarm.Mark + number, strings.Repeat("x", typical-around-len(number))})
	if err != nil {
		return err
	}
	return s.hub.Broadcast(context.Background(), e)
}
