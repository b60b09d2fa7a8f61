package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/crier-go/crier/bench/internal/reader"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	crierSSE "github.com/crier-go/crier/transport/sse"
	crierWS "github.com/crier-go/crier/transport/ws"
)

// Crier takes part with the defaults of the hub and of both transports, and with SSE's Lean option. Every connection
// is a user of its own; events to everyone are broadcasts.
var crierPeers = []peer{
	{
		name: "crier", title: "Crier", module: crierModule, kind: ours,
		sse:    func() (*target, error) { return crierTarget(crierOverSSE(nil)) },
		ws:     func() (*target, error) { return crierTarget(crierOverWS) },
		encode: crierEncode,
		fanout: crierFanout,
		route:  crierRoute,
	},
	{
		name: "crier-lean", title: "Crier, lean", module: crierModule, kind: ours,
		sse: func() (*target, error) { return crierTarget(crierOverSSE(&crierSSE.Options{Lean: true})) },
	},
}

const crierModule = "github.com/crier-go/crier"

type crierHandler func(*hub.Hub, transport.Authenticator) http.Handler

func crierOverSSE(o *crierSSE.Options) crierHandler {
	return func(h *hub.Hub, auth transport.Authenticator) http.Handler { return crierSSE.NewHandler(h, auth, o) }
}

func crierOverWS(h *hub.Hub, auth transport.Authenticator) http.Handler {
	return crierWS.NewHandler(h, auth, nil)
}

// newCrier returns a hub, and what makes events of its one kind.
func newCrier() (*hub.Hub, func(it item, user uuid.UUID) *event.Event) {
	var r event.Registry
	kind := event.Define[json.RawMessage](&r, "portfolio", eventName, "A balance has changed.")
	h := hub.New(&r, &hub.Options{Logger: slog.New(slog.DiscardHandler)})
	return h, func(it item, user uuid.UUID) *event.Event {
		e, err := kind.New(user, it.data)
		if err != nil {
			panic(fmt.Sprintf("the benchmark's payload is refused: %v", err))
		}
		return e
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

func crierTarget(handler crierHandler) (*target, error) {
	h, mint := newCrier()
	var connected atomic.Int64
	auth := func(*http.Request) (hub.Session, error) { return crierSession(int(connected.Add(1))), nil }
	return &target{
		handler: handler(h, auth),
		prepare: func(it item) any { return mint(it, crierUser(0)) },
		publish: func(it item) { crierBroadcast(h, it) },
	}, nil
}

func crierBroadcast(h *hub.Hub, it item) {
	if err := h.Broadcast(context.Background(), it.made.(*event.Event)); err != nil {
		panic(fmt.Sprintf("the benchmark's event is refused: %v", err))
	}
}

func crierEncode(it item) (func(), error) {
	_, mint := newCrier()
	e := mint(it, crierUser(0))
	var buf []byte
	return func() { buf = e.AppendSSE(buf[:0]) }, nil
}

func crierFanout(readers int, t *reader.Tally) (*inMemory, error) {
	h, mint := newCrier()
	if err := crierReaders(h, readers, t); err != nil {
		return nil, err
	}
	return &inMemory{
		prepare: func(it item, _ int) any { return mint(it, crierUser(0)) },
		publish: func(it item, _ int) { crierBroadcast(h, it) },
	}, nil
}

func crierRoute(users int, t *reader.Tally) (*inMemory, error) {
	h, mint := newCrier()
	if err := crierReaders(h, users, t); err != nil {
		return nil, err
	}
	return &inMemory{
		prepare: func(it item, user int) any { return mint(it, crierUser(user)) },
		publish: func(it item, _ int) {
			if err := h.Publish(context.Background(), it.made.(*event.Event)); err != nil {
				panic(fmt.Sprintf("the benchmark's event is refused: %v", err))
			}
		},
	}, nil
}

// crierReaders subscribes so many users, each with a goroutine that takes what is new and sleeps.
func crierReaders(h *hub.Hub, n int, t *reader.Tally) error {
	for i := range n {
		s, err := h.Subscribe(hub.Request{Session: crierSession(i), Filter: hub.Everything(), Transport: "memory"})
		if err != nil {
			return fmt.Errorf("subscribing user %d: %w", i, err)
		}
		go func() {
			var buf []*hub.Message
			for {
				batch, err := s.Take(buf)
				if err != nil {
					return
				}
				buf = batch
				if len(batch) == 0 {
					<-s.Ready()
					continue
				}
				t.Got(len(batch))
			}
		}()
	}
	return nil
}
