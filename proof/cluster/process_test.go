package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"
	natsclient "github.com/nats-io/nats.go"
	redisclient "github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/nats"
	"github.com/crier-go/crier/backplane/postgres"
	"github.com/crier-go/crier/backplane/redis"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/sse"
	"github.com/crier-go/crier/transport/ws"
)

var registry event.Registry

// A note's payload is its number: the index of its publication in the ledger.
var note = event.Define[int](&registry, "notes", "note.added", "A numbered note.")

// A processRole is a process of the application: a hub on an engine, and the
// handlers around it.
type processRole struct {
	Addr     string
	Engine   string // URL
	Replicas int    // of a JetStream stream
}

// connect returns the backplane that a URL names.
func connect(engine string, replicas int) (hub.Backplane, error) {
	u, err := url.Parse(engine)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "nats":
		nc, err := natsclient.Connect(engine, append(nats.ConnectOptions(), natsclient.IgnoreDiscoveredServers())...)
		if err != nil {
			return nil, err
		}
		return nats.New(nc, &nats.Options{Replicas: replicas}), nil
	case "redis":
		o, err := redisclient.ParseURL(engine)
		if err != nil {
			return nil, err
		}
		return redis.New(redisclient.NewClient(o), &redis.Options{MaxRecords: maxRecords}), nil
	case "postgres":
		return postgres.New(engine, &postgres.Options{MaxRecords: maxRecords})
	}
	return nil, fmt.Errorf("no engine has the scheme %q", u.Scheme)
}

// maxRecords is more than a run publishes: what the engine had removed, the
// ledger could not judge.
const maxRecords = 5_000_000

// publishTime is how long a publish may wait for the engine.
const publishTime = 5 * time.Second

func (p *processRole) run() error {
	backplane, err := connect(p.Engine, p.Replicas)
	if err != nil {
		return err
	}
	h, err := hub.Open(context.Background(), &registry, &hub.Options{
		Backplane: backplane,
		// No client falls so far behind that the hub has evicted what it wants.
		UserEvents: 1 << 20, BroadcastEvents: 1 << 20, Bytes: 1 << 30, UserBytes: 128 << 20,
	})
	if err != nil {
		return err
	}
	authenticate := func(r *http.Request) (hub.Session, error) {
		q := r.URL.Query()
		user, err := uuid.Parse(q.Get("user"))
		if err != nil {
			return hub.Session{}, transport.ErrUnauthenticated
		}
		return hub.Session{User: user, Topics: []string{q.Get("room")}, Allowed: hub.Everything()}, nil
	}
	common := transport.Options{Heartbeat: 5 * time.Second}
	mux := http.NewServeMux()
	mux.Handle("/events", sse.NewHandler(h, authenticate, &sse.Options{Common: common}))
	mux.Handle("/ws", ws.NewHandler(h, authenticate, &ws.Options{Common: common}))
	mux.HandleFunc("POST /publish", func(w http.ResponseWriter, r *http.Request) {
		var pub publication
		err := json.NewDecoder(r.Body).Decode(&pub)
		if err == nil {
			ctx, cancel := context.WithTimeout(r.Context(), publishTime)
			defer cancel()
			err = pub.publish(ctx, h)
		}
		switch {
		case err == nil:
			w.WriteHeader(http.StatusNoContent)
		case errors.Is(err, hub.ErrUnavailable):
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		default:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, r *http.Request) {
		st := h.Stats().Backplane
		fmt.Fprintf(w, "%+v", *st)
	})
	failed := make(chan error, 1)
	go func() { failed <- http.ListenAndServe(p.Addr, mux) }()
	go func() {
		untilParentEnds()
		failed <- nil
	}()
	return <-failed
}

// A publication is an event and whom it is for.
type publication struct {
	N     int // index in the ledger
	ID    uuid.UUID
	Users []uuid.UUID `json:",omitempty"`
	Room  string      `json:",omitempty"` // a topic; without one and without users, it is for everyone
}

func (p *publication) event() (e *event.Event, to []hub.Audience, err error) {
	e, err = note.New(uuid.Nil, p.N, event.WithID(p.ID))
	switch {
	case p.Room != "":
		to = []hub.Audience{hub.Topic(p.Room)}
	case len(p.Users) > 0:
		to = hub.Users(p.Users...)
	default:
		to = []hub.Audience{hub.Everyone()}
	}
	return e, to, err
}

func (p *publication) publish(ctx context.Context, h *hub.Hub) error {
	e, to, err := p.event()
	if err != nil {
		return err
	}
	return h.PublishTo(ctx, e, to...)
}

// record returns the id of the record that publishes p.
func (p *publication) record() (uuid.UUID, error) {
	e, to, err := p.event()
	if err != nil {
		return uuid.Nil, err
	}
	r, err := hub.NewRecord(e, to...)
	return r.ID, err
}
