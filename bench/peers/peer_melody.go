package main

import (
	"net/http"

	"github.com/olahol/melody"
)

// melodyPeer is github.com/olahol/melody as its README shows it: HandleRequest and Broadcast, all defaults. Its
// sessions keep 256 messages and drop what comes on top.
var melodyPeer = peer{
	name: "melody", title: "melody", module: "github.com/olahol/melody",
	ws: func() (*target, error) {
		m := melody.New()
		return &target{
			handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = m.HandleRequest(w, r) // the client counts connections that fail
			}),
			publish: func(it item) { _ = m.Broadcast(it.data) },
		}, nil
	},
}
