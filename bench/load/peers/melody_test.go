package peers

import (
	"net/http"

	"github.com/olahol/melody"

	"github.com/crier-go/crier/bench/load/internal/peer"
)

// melodyPeer is github.com/olahol/melody as its README shows it: HandleRequest and Broadcast, all defaults. Its
// sessions keep 256 messages and drop what comes on top.
var melodyPeer = peer.Peer{
	Name: "melody", Title: "melody", Module: "github.com/olahol/melody",
	WS: func() (*peer.Target, error) {
		m := melody.New()
		return &peer.Target{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = m.HandleRequest(w, r) // the client counts connections that fail
			}),
			Publish: func(it peer.Item, _ int) { _ = m.Broadcast(it.Data) },
		}, nil
	},
}
