package crierprom_test

import (
	"io"
	"log/slog"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/crier-go/crier/client"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

var (
	kinds event.Registry
	note  = event.Define[string](&kinds, "notes", "note.added", "A note.")
	alert = event.Define[string](&kinds, "alerts", "alert.raised", "An alert.")
	alice = uuid.MustParse("00000000-0000-4000-8000-00000000000a")
	bob   = uuid.MustParse("00000000-0000-4000-8000-00000000000b")
)

func newHub(tb testing.TB, o *hub.Options) *hub.Hub {
	tb.Helper()
	var options hub.Options
	if o != nil {
		options = *o
	}
	options.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	return hub.New(&kinds, &options)
}

func session(user uuid.UUID) hub.Session {
	return hub.Session{User: user, ID: "s1", Allowed: hub.Everything()}
}

func subscribe(tb testing.TB, h *hub.Hub, user uuid.UUID, after string) *hub.Subscription {
	tb.Helper()
	s, err := h.Subscribe(hub.Request{Session: session(user), Filter: hub.Everything(), After: after, Transport: "ws"})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

func publish(tb testing.TB, h *hub.Hub, k event.Kind[string], user uuid.UUID) *event.Event {
	tb.Helper()
	e, err := k.New(user, "hello")
	if err == nil {
		err = h.Publish(tb.Context(), e)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// collect returns what a scrape of a collector has.
func collect(tb testing.TB, c prometheus.Collector) []*dto.MetricFamily {
	tb.Helper()
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(c); err != nil {
		tb.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	return families
}

func everybody(*http.Request) (hub.Session, error) { return session(alice), nil }

// listen opens a stream and returns what it receives.
func listen(tb testing.TB, url string) <-chan client.Event {
	tb.Helper()
	stream, err := client.Dial(tb.Context(), url, nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { stream.Close() })
	events := make(chan client.Event)
	go func() {
		defer close(events)
		for e, err := range stream.Events() {
			if err != nil {
				return
			}
			select {
			case events <- e:
			case <-tb.Context().Done():
				return
			}
		}
	}()
	return events
}
