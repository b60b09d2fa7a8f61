package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
)

// A poll answers long-polling requests, as the client expects it.
type poll struct {
	hub          *hub.Hub
	authenticate transport.Authenticator
}

type polled struct {
	ID    string          `json:"id,omitempty"`
	Event event.Type      `json:"event"`
	Data  json.RawMessage `json:"data"`
}

func (p *poll) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	session, err := p.authenticate(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	filter := hub.Everything()
	if c := r.FormValue("categories"); c != "" {
		var categories []event.Category
		for name := range strings.SplitSeq(c, ",") {
			categories = append(categories, event.Category(name))
		}
		filter = hub.Categories(categories...)
	}
	after := r.FormValue("last_event_id")
	sub, err := p.hub.Subscribe(hub.Request{Session: session, Filter: filter, After: after, Transport: "poll"})
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer sub.Close()
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	events := []polled{}
	if after == "" {
		cancel()
		events = append(events, polled{sub.Cursor(), "stream.cursor", json.RawMessage("{}")})
	}
	for len(events) == 0 && ctx.Err() == nil {
		batch, err := sub.Take(nil)
		for _, m := range batch {
			one := polled{m.ID().String(), m.Type(), m.Data()}
			if e := m.Event(); e != nil && e.Ephemeral() {
				one.ID = ""
			}
			events = append(events, one)
		}
		var reason hub.Reason
		if errors.As(err, &reason) {
			data, _ := json.Marshal(map[string]hub.Reason{"reason": reason})
			events = append(events, polled{sub.Cursor(), "stream.end", data})
		}
		if len(events) == 0 {
			select {
			case <-sub.Ready():
			case <-ctx.Done():
			}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(map[string]any{"events": events, "cursor": sub.Cursor()})
}
