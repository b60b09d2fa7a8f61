package main

import (
	"net/http"
	"sync"

	"github.com/lxzan/gws"
)

// gwsBroadcaster is github.com/lxzan/gws with its Broadcaster, as its README shows both: the read loop in a goroutine
// of its own, so that the request can be collected; a new Broadcaster for each event; the defaults otherwise.
var gwsBroadcaster = peer{
	name: "gws", title: "gws Broadcaster", module: "github.com/lxzan/gws",
	ws: func() (*target, error) {
		g := &gwsConns{conns: make(map[*gws.Conn]struct{})}
		up := gws.NewUpgrader(g, nil)
		return &target{
			handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				conn, err := up.Upgrade(w, r)
				if err != nil {
					return
				}
				go conn.ReadLoop()
			}),
			publish: func(it item) {
				b := gws.NewBroadcaster(gws.OpcodeText, it.data)
				defer b.Close()
				g.mu.Lock()
				defer g.mu.Unlock()
				for c := range g.conns {
					_ = b.Broadcast(c)
				}
			},
		}, nil
	},
}

type gwsConns struct {
	gws.BuiltinEventHandler

	mu    sync.Mutex
	conns map[*gws.Conn]struct{}
}

func (g *gwsConns) OnOpen(c *gws.Conn) {
	g.mu.Lock()
	g.conns[c] = struct{}{}
	g.mu.Unlock()
}

func (g *gwsConns) OnClose(c *gws.Conn, _ error) {
	g.mu.Lock()
	delete(g.conns, c)
	g.mu.Unlock()
}
