package peers

import (
	"net/http"

	"github.com/lxzan/gws"

	"github.com/crier-go/crier/bench/load/internal/peer"
)

// gwsBroadcaster is github.com/lxzan/gws with its Broadcaster, as its README shows both: the read loop in a goroutine
// of its own, so that the request can be collected; a new Broadcaster for each event; the defaults otherwise.
var gwsBroadcaster = peer.Peer{
	Name: "gws", Title: "gws Broadcaster", Module: "github.com/lxzan/gws",
	WS: func() (*peer.Target, error) {
		var g gwsConns
		up := gws.NewUpgrader(&g, nil)
		return &peer.Target{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if conn, err := up.Upgrade(w, r); err == nil {
					go conn.ReadLoop()
				}
			}),
			Publish: func(it peer.Item, _ int) {
				b := gws.NewBroadcaster(gws.OpcodeText, it.Data)
				defer b.Close()
				g.conns.each(func(c *gws.Conn) { _ = b.Broadcast(c) })
			},
		}, nil
	},
}

type gwsConns struct {
	gws.BuiltinEventHandler
	conns set[*gws.Conn]
}

func (g *gwsConns) OnOpen(c *gws.Conn)           { g.conns.add(c) }
func (g *gwsConns) OnClose(c *gws.Conn, _ error) { g.conns.remove(c) }
