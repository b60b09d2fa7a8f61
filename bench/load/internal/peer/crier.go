package peer

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"github.com/crier-go/crier/bench/internal/reader"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	crierSSE "github.com/crier-go/crier/transport/sse"
	crierWS "github.com/crier-go/crier/transport/ws"
)

// Crier has the ways in which Crier takes part: with the defaults of the hub and of both transports, with SSE's Lean option, and with
// transport.Options.IOUring, over SSE together with Lean. Events to everyone are broadcasts. Two limits are raised, because capacity may open more streams for a user, and more in a second, than applications allow.
var Crier = []Peer{
	{
		Name: "crier", Title: "Crier", Module: "github.com/crier-go/crier", Kind: Ours,
		SSE: crierServer(func(h *hub.Hub, a transport.Authenticator) http.Handler { return crierSSE.NewHandler(h, a, nil) }),
		WS:  crierServer(func(h *hub.Hub, a transport.Authenticator) http.Handler { return crierWS.NewHandler(h, a, nil) }),
		Encode: func(it Item) (func(), error) {
			e := newCrier().event(it, 0)
			var buf []byte
			return func() { buf = e.AppendSSE(buf[:0]) }, nil
		},
		Fanout: crierReaders,
		Route:  crierReaders,
	},
	{
		Name: "crier-lean", Title: "Crier, lean", Module: "github.com/crier-go/crier", Kind: Ours,
		SSE: crierServer(func(h *hub.Hub, a transport.Authenticator) http.Handler {
			return crierSSE.NewHandler(h, a, &crierSSE.Options{Lean: true})
		}),
	},
	{
		Name: "crier-ring", Title: "Crier, io_uring", Module: "github.com/crier-go/crier", Kind: Ours,
		SSE: crierServer(func(h *hub.Hub, a transport.Authenticator) http.Handler {
			return crierSSE.NewHandler(h, a, &crierSSE.Options{Lean: true, Common: transport.Options{IOUring: true}})
		}),
		WS: crierServer(func(h *hub.Hub, a transport.Authenticator) http.Handler {
			return crierWS.NewHandler(h, a, &crierWS.Options{Common: transport.Options{IOUring: true}})
		}),
	},
}

type crier struct {
	hub  *hub.Hub
	kind event.Kind[json.RawMessage]
}

func newCrier() *crier {
	var r event.Registry
	kind := event.Define[json.RawMessage](&r, "portfolio", EventName, "A balance has changed.")
	return &crier{hub.New(&r, &hub.Options{Logger: slog.New(slog.DiscardHandler), StreamsPerUser: 1 << 20, OpenRate: -1}), kind}
}

func (c *crier) event(it Item, user int) *event.Event {
	e, err := c.kind.New(crierUser(max(user, 0)), it.Data)
	if err != nil {
		panic(fmt.Sprintf("the benchmark's payload is refused: %v", err))
	}
	return e
}

func (c *crier) publish(it Item, user int) {
	publish := c.hub.Publish
	if user == Everyone {
		publish = c.hub.Broadcast
	}
	if err := publish(context.Background(), it.Made.(*event.Event)); err != nil {
		panic(fmt.Sprintf("the benchmark's event is refused: %v", err))
	}
}

func (c *crier) gaps() (n uint64) {
	for _, k := range c.hub.Stats().Gaps {
		n += k
	}
	return n
}

func (c *crier) target(handler http.Handler) *Target {
	return &Target{
		Handler: handler, Path: "/{user}",
		Prepare: func(it Item, user int) any { return c.event(it, user) },
		Publish: c.publish, Gaps: c.gaps,
	}
}

func crierUser(i int) (u uuid.UUID) {
	copy(u[:], "crier-peers")
	u[6], u[8] = 0x80|u[6]&0x0f, 0x80|u[8]&0x3f // a valid UUID of version 8
	binary.BigEndian.PutUint32(u[12:], uint32(i))
	return u
}

func crierSession(i int) hub.Session {
	return hub.Session{User: crierUser(i), Allowed: hub.Everything()}
}

// crierServer serves the user whom the path names.
func crierServer(handler func(*hub.Hub, transport.Authenticator) http.Handler) func() (*Target, error) {
	return func() (*Target, error) {
		c := newCrier()
		return c.target(handler(c.hub, func(r *http.Request) (hub.Session, error) {
			i, err := strconv.Atoi(r.URL.Path[1:])
			if err != nil {
				return hub.Session{}, transport.ErrUnauthenticated
			}
			return crierSession(i), nil
		})), nil
	}
}

// crierReaders subscribes users. Each has a goroutine that takes what is new and sleeps.
func crierReaders(readers int, t *reader.Tally) (*Target, error) {
	c := newCrier()
	for i := range readers {
		s, err := c.hub.Subscribe(hub.Request{Session: crierSession(i), Filter: hub.Everything(), Transport: "memory"})
		if err != nil {
			return nil, fmt.Errorf("subscribing user %d: %w", i, err)
		}
		go func() {
			var buf []*hub.Message
			for {
				var err error
				if buf, err = s.Take(buf); err != nil {
					return
				}
				if len(buf) == 0 {
					<-s.Ready()
					continue
				}
				t.Got(len(buf))
			}
		}()
	}
	return c.target(nil), nil
}
