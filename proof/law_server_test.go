package proof

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/internal/memnet"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/poll"
	"github.com/crier-go/crier/transport/sse"
	"github.com/crier-go/crier/transport/ws"
)

// A right is that of a user to follow a topic.
type right struct {
	user  uuid.UUID
	topic string
}

// A permission says whether a user has a right, and who says so.
type permission int

const (
	forbidden   permission = iota
	bySession              // its sessions have the topic
	byAuthorize            // only Authorize knows of it
)

// errForbidden is what the application's Authorize answers.
var errForbidden = errors.New("not allowed")

func (l *law) authorize(_ context.Context, s hub.Session, topic string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rights[right{s.User, topic}] == forbidden {
		return errForbidden
	}
	return nil
}

// authenticate names the user, and the topics that the session has. It lasts as
// long as its client says.
func (l *law) authenticate(r *http.Request) (hub.Session, error) {
	s, err := everyUser(r)
	if lifetime, e := time.ParseDuration(r.URL.Query().Get("lifetime")); e == nil {
		s.Expires = time.Now().Add(lifetime)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, topic := range l.topics {
		if l.rights[right{s.User, topic}] == bySession {
			s.Topics = append(s.Topics, topic)
		}
	}
	return s, err
}

// forbids reports whether a user may not follow one of some topics now. The caller
// holds l.mu.
func (l *law) forbids(user uuid.UUID, topics []string) bool {
	for _, topic := range topics {
		if l.rights[right{user, topic}] == forbidden {
			return true
		}
	}
	return false
}

// granted reports whether a user got the right to all topics of a stream after it
// was asked for. The caller holds l.mu.
func (l *law) granted(user uuid.UUID, s *lawStream) bool {
	for _, topic := range s.topics {
		if l.rights[right{user, topic}] == forbidden && l.leftAt[right{user, topic}].Before(s.begun) {
			return false
		}
	}
	return true
}

// leftLately reports whether a user had to leave one of some topics just now, so
// that a request that was on its way is refused although the user was let in again.
// The caller holds l.mu.
func (l *law) leftLately(user uuid.UUID, topics []string) bool {
	for _, topic := range topics {
		if at, ok := l.leftAt[right{user, topic}]; ok && time.Since(at) == 0 {
			return true
		}
	}
	return false
}

// join lets a user follow a topic, and makes all its streams do so.
func (l *law) join(user uuid.UUID, topic string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rights[right{user, topic}] = bySession + permission(l.rand.IntN(2))
	if _, err := l.hub.Join(context.Background(), user, topic); err != nil {
		l.t.Errorf("seed %d: join: %v", l.seed, err)
	}
	l.eachStream(user, func(s *lawStream) {
		delete(s.left, topic)
		if s.open && !s.asking {
			s.joined[topic] = true
		}
	})
}

// leave takes a topic from a user. What is published to it from here on must not
// reach the streams that the user has now.
func (l *law) leave(user uuid.UUID, topic string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rights[right{user, topic}] = forbidden
	l.leftAt[right{user, topic}] = time.Now()
	if _, err := l.hub.Leave(context.Background(), user, topic); err != nil {
		l.t.Errorf("seed %d: leave: %v", l.seed, err)
	}
	l.eachStream(user, func(s *lawStream) {
		s.left[topic] = len(l.history.facts)
		s.refused = true // a change that is on its way may ask for it
		delete(s.joined, topic)
	})
}

// revoke publishes why, and ends a user's streams. They must be given what was
// published before, and nothing that is published from here on.
func (l *law) revoke(user uuid.UUID) {
	l.mu.Lock()
	l.send(lawRaised, "revoked", hub.User(user))
	l.hub.RevokeUser(context.Background(), user)
	l.eachStream(user, func(s *lawStream) {
		if s.deaf < 0 {
			s.deaf = len(l.history.facts)
			s.owed[hub.ReasonRevoked] = len(l.history.facts)
		}
	})
	l.mu.Unlock()
	time.Sleep(time.Millisecond) // they log in again, later
}

// eachStream calls f with every stream of a user. The caller holds l.mu.
func (l *law) eachStream(user uuid.UUID, f func(*lawStream)) {
	for _, c := range l.clients {
		if c.user == user && c.stream != nil {
			f(c.stream)
		}
	}
}

// serve makes a hub, of a saved state if there is one, and serves it on every
// transport.
func (l *law) serve(state io.Reader) {
	o := *l.options
	o.Restore = state
	o.Logger = slog.New(slog.DiscardHandler)
	var failed error
	o.Observer = &hub.Observer{Error: func(err error) { failed = err }}
	h := hub.New(&lawKinds, &o)
	common := transport.Options{Retry: time.Second}
	mux := http.NewServeMux()
	mux.Handle("/events", sse.NewHandler(h, l.authenticate, &sse.Options{Common: common}))
	lean := sse.NewHandler(h, l.authenticate, &sse.Options{Common: common, Lean: true})
	mux.Handle("/lean", lean)
	mux.Handle("/lean-reactor", memnet.OverReactor(lean))
	socket := ws.NewHandler(h, l.authenticate, &ws.Options{Common: common})
	mux.Handle("/ws", socket)
	mux.Handle("/ws-reactor", memnet.OverReactor(socket))
	mux.Handle("/poll", poll.NewHandler(h, l.authenticate, &poll.Options{Common: common}))
	witness, err := h.Subscribe(hub.Request{Session: hub.Session{User: uuid.UUID{9}, Allowed: hub.Everything()}, Filter: hub.Everything()})
	if err != nil {
		l.t.Fatal(err)
	}
	server := memnet.Serve(l.t, mux)

	l.mu.Lock()
	defer l.mu.Unlock()
	if failed != nil && !errors.Is(failed, hub.ErrSavedOld) {
		l.t.Errorf("seed %d: restore: %v", l.seed, failed)
	}
	if state == nil || failed != nil {
		l.history.forget()
	}
	l.hub, l.server, l.witness = h, server, witness
	l.mark()
}

// stopServing shuts the hub and its server down.
func (l *law) stopServing() error {
	l.mu.Lock()
	server := l.server
	l.server = nil
	l.witness.Close()
	for _, c := range l.clients {
		if s := c.stream; s != nil && s.owed[hub.ReasonShutdown] == 0 { // or it is still of the hub before
			s.owed[hub.ReasonShutdown] = len(l.history.facts)
		}
	}
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := transport.Shutdown(ctx, server.HTTP, l.hub)
	for reason, n := range l.hub.Stats().Ended {
		l.ends[reason] += n
	}
	return err
}

// restart stops the hub, saves it or not, and goes on with another after a while.
func (l *law) restart(save bool) {
	l.mu.Lock()
	l.send(lawTyping, "", hub.Everyone()) // which is not saved, but has a position
	l.mu.Unlock()
	if err := l.stopServing(); err != nil && !errors.Is(err, context.DeadlineExceeded) { // as long as a client stalls
		l.t.Errorf("seed %d: shutdown: %v", l.seed, err)
	}
	var state io.Reader
	if save {
		var saved bytes.Buffer
		if err := l.hub.Save(&saved); err != nil {
			l.t.Errorf("seed %d: save: %v", l.seed, err)
		}
		state = &saved
		l.saved++
	} else {
		l.lost++
	}
	time.Sleep(time.Duration(l.rand.IntN(5000)) * time.Millisecond)
	l.serve(state)
}

// dial connects to the server, or returns nil while it is down.
func (l *law) dial() *lawConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.server == nil {
		return nil
	}
	return &lawConn{Conn: l.server.Dial(), left: -1}
}
