package peers

import (
	"net/http"
	"net/http/httptest"
	"time"

	r3sse "github.com/r3labs/sse/v2"

	"github.com/crier-go/crier/bench/internal/reader"
	"github.com/crier-go/crier/bench/load/internal/peer"
)

// r3labs is github.com/r3labs/sse: one stream, its handler. AutoReplay is off: it would keep every event for ever and
// send all of them to each new client.
var r3labs = peer.Peer{
	Name: "r3labs", Title: "r3labs/sse", Module: "github.com/r3labs/sse/v2",
	SSE: func() (*peer.Target, error) { return r3labsTarget(), nil },
	// It encodes only inside its handler. So this measures the way of one event through a stream to one reader.
	Encode: func(it peer.Item) (func(), error) {
		t := reader.NewTally(20 * time.Second)
		target, err := r3labsReaders(1, t)
		if err != nil {
			return nil, err
		}
		sent := 0
		it.Made = target.Prepare(it, peer.Everyone)
		return func() {
			target.Publish(it, peer.Everyone)
			sent++
			if sent%64 == 0 { // as many as a subscriber's queue holds
				_ = t.Wait(sent)
			}
		}, nil
	},
	Fanout: r3labsReaders,
}

const r3labsPath = "/?stream=events"

func r3labsTarget() *peer.Target {
	srv := r3sse.New()
	srv.AutoReplay = false
	srv.CreateStream("events")
	return &peer.Target{
		Handler: srv, Path: r3labsPath,
		Prepare: func(it peer.Item, _ int) any {
			return &r3sse.Event{ID: []byte(it.ID), Event: []byte(peer.EventName), Data: it.Data}
		},
		Publish: func(it peer.Item, _ int) { srv.Publish("events", it.Made.(*r3sse.Event)) },
	}
}

// r3labsReaders runs its handler with a ResponseWriter that discards, because the library has no other way to subscribe.
func r3labsReaders(readers int, t *reader.Tally) (*peer.Target, error) {
	target := r3labsTarget()
	joined := make(chan struct{})
	for range readers {
		r := httptest.NewRequest(http.MethodGet, r3labsPath, nil)
		go target.Handler.ServeHTTP(&countingWriter{header: http.Header{}, tally: t, joined: joined}, r)
	}
	for range readers {
		<-joined
	}
	return target, nil
}

// A countingWriter discards what is written and counts each flush but the first, which sends the head.
type countingWriter struct {
	header http.Header
	tally  *reader.Tally
	joined chan<- struct{} // nil after the first flush
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
