package chat

import (
	"context"
	"io"
	"log/slog"
	"net/http"

	"github.com/crier-go/crier/clients/js"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/sse"
	"github.com/crier-go/crier/transport/ws"
)

// A server is the chat: a hub, and what an application has around it.
type server struct {
	hub      *hub.Hub
	signer   signer
	people   people
	history  history
	rooms    rooms
	journal  journal
	presence *presence
	cluster  *cluster // nil if this process is the only one
	log      *slog.Logger
	streams  transport.Options
	served   http.Handler // what the chat answers, and what Options.Extend adds
}

// openServer returns a server, with the state from, or an empty one if that is nil.
// Close it, and shut its hub down. Without an error, from has been read to its end.
func openServer(ctx context.Context, key []byte, o Options, from *saved) (*server, error) {
	s := &server{signer: signer{key}, log: o.Logger, streams: transport.Options{Logger: o.Logger}}
	s.presence = newPresence(grace, s.announce)
	options := &hub.Options{
		Logger:    o.Logger,
		Authorize: s.authorize,
		Presence:  &hub.PresenceEvents{Event: s.roomEvent, Grace: grace},
		Observer: &hub.Observer{
			Subscribed: func(st hub.Stream) {
				if st.Transport != journalTransport {
					s.presence.began(st.User)
				}
			},
			Ended: func(st hub.Stream) {
				if st.Transport != journalTransport {
					s.presence.ended(st.User)
				}
			},
		},
	}
	if o.Backplane != nil {
		s.cluster = newCluster(s, o.Backplane)
		s.presence.announce = s.cluster.announce
		options.Backplane = o.Backplane
		// What a process that starts has to know comes from there.
		options.UserEvents = retained
		options.UserBytes, options.Bytes = 16<<20, 128<<20
		options.MaxAge = Retention
		s.rooms.lapse = Retention
	}
	if o.Configure != nil {
		o.Configure(options, &s.streams)
	}
	var refused error
	failed := func(err error) { refused = err }
	if from != nil {
		options.Restore = from.hub
		options.Observer.Error = func(err error) { failed(err) }
	}
	var err error
	s.hub, err = hub.Open(ctx, &registry, options)
	if err != nil {
		return nil, err
	}
	failed = func(err error) { o.Logger.Error("crier", "error", err) } // as without an Observer.Error
	s.journal = journal{hub: s.hub, history: &s.history, people: &s.people, rooms: &s.rooms, shared: o.Backplane != nil, reported: s.reported, log: o.Logger}
	if from != nil {
		if err := s.restore(from, refused); err != nil {
			s.abandon()
			return nil, err
		}
	}
	s.served = s.handler()
	if o.Extend != nil {
		s.served = o.Extend(s.hub, s.served)
	}
	s.journal.catchUp()
	if s.cluster != nil {
		s.cluster.start()
	}
	return s, nil
}

// close stops what runs beside requests and streams. It may be called again.
func (s *server) close() {
	s.presence.close()
	if s.cluster != nil {
		s.cluster.close()
	}
}

// abandon ends a server that has served nobody.
func (s *server) abandon() {
	s.close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.hub.Shutdown(ctx) // there are no streams to wait for
}

// handler returns everything that the chat answers.
func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/events", sse.NewHandler(s.hub, s.authenticate, &sse.Options{Common: s.streams}))
	mux.Handle("/ws", ws.NewHandler(s.hub, s.authenticate, &ws.Options{Common: s.streams, OnMessage: s.receive}))

	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("GET /state", s.loggedIn(s.state))
	mux.HandleFunc("GET /static/{file}", s.static)
	for _, file := range []string{"crier.js", "crier.js.map", "crier-shared.js", "crier-shared.js.map"} {
		mux.Handle("GET /"+file, js.Handler())
	}
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("POST /logout", s.logout)
	mux.HandleFunc("POST /messages", s.loggedIn(s.postMessage))
	mux.HandleFunc("POST /typing", s.loggedIn(s.postTyping))
	// A name with a slash in it, or none, is answered with what would be right.
	mux.HandleFunc("GET /rooms/{name...}", s.withRoom(s.see, s.writeRoom))
	mux.HandleFunc("POST /rooms/{name...}", s.withRoom(s.join, s.writeRoom))
	mux.HandleFunc("DELETE /rooms/{name...}", s.withRoom(s.leave, writeLeft))
	// For monitoring, which has no session; there is nothing personal in them.
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.hub.Stats()) })

	// Other sites' pages may not post with this site's cookie. (Streams are
	// GETs; the transports look at the origin themselves.)
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, problem{http.StatusForbidden, "Only this site's own pages may do that."})
	}))
	return withHeaders(protection.Handler(mux))
}
