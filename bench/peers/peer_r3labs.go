package main

import (
	"net/http"
	"net/http/httptest"

	r3sse "github.com/r3labs/sse/v2"

	"github.com/crier-go/crier/bench/internal/reader"
)

// r3labs is github.com/r3labs/sse: one stream, its handler.
//
// AutoReplay is off: it would keep every event for ever and hand all of them to each new client.
var r3labs = peer{
	name: "r3labs", title: "r3labs/sse", module: "github.com/r3labs/sse/v2",
	sse: func() (*target, error) {
		srv := newR3labs()
		return &target{
			handler: srv,
			path:    "/?stream=" + r3labsStream,
			prepare: func(it item) any { return r3labsEvent(it) },
			publish: func(it item) { srv.Publish(r3labsStream, it.made.(*r3sse.Event)) },
		}, nil
	},
	// It encodes inside its handler only, so what is measured is one event's way through a stream to one reader.
	encode: func(it item) (func(), error) {
		t := reader.NewTally(patience)
		m, err := r3labsInMemory(1, t)
		if err != nil {
			return nil, err
		}
		sent := 0
		it.made = m.prepare(it, 0)
		return func() {
			m.publish(it, 0)
			sent++
			if sent%64 == 0 { // as many as a subscriber's queue holds
				_ = t.Wait(sent)
			}
		}, nil
	},
	fanout: r3labsInMemory,
}

const r3labsStream = "events"

func newR3labs() *r3sse.Server {
	srv := r3sse.New()
	srv.AutoReplay = false
	srv.CreateStream(r3labsStream)
	return srv
}

func r3labsEvent(it item) *r3sse.Event {
	return &r3sse.Event{ID: []byte(it.id), Event: []byte(eventName), Data: it.data}
}

// r3labsInMemory runs its handler with a ResponseWriter that discards: the library lets nobody subscribe otherwise.
func r3labsInMemory(readers int, t *reader.Tally) (*inMemory, error) {
	srv := newR3labs()
	joined := make(chan struct{})
	for range readers {
		r := httptest.NewRequest(http.MethodGet, "/?stream="+r3labsStream, nil)
		go srv.ServeHTTP(&countingWriter{header: http.Header{}, tally: t, joined: joined}, r)
	}
	for range readers {
		<-joined
	}
	return &inMemory{
		prepare: func(it item, _ int) any { return r3labsEvent(it) },
		publish: func(it item, _ int) { srv.Publish(r3labsStream, it.made.(*r3sse.Event)) },
	}, nil
}

// A countingWriter discards what is written and counts each flush but the first, which sends the head.
type countingWriter struct {
	header http.Header
	tally  *reader.Tally
	joined chan<- struct{} // nil once it has been told
}

func (w *countingWriter) Header() http.Header         { return w.header }
func (w *countingWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w *countingWriter) WriteHeader(int)             {}
func (w *countingWriter) Flush() {
	if w.joined != nil {
		w.joined <- struct{}{}
		w.joined = nil
		return
	}
	w.tally.Got(1)
}
