package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"

	"github.com/crier-go/crier/bench/internal/child"
	"github.com/crier-go/crier/bench/internal/machine"
)

// A target is a peer that has been set up to serve one transport.
type target struct {
	handler http.Handler
	prepare func(item) any // makes the peer's own type of event, which publish finds in item.made; nil if it has none
	publish func(item)     // to everyone who is connected; called from one goroutine
	path    string         // the path and query of a client's request; empty for "/"
	hello   []byte         // a message that the client sends once it is connected, where the peer's protocol has one
}

type protocol string

const (
	sse protocol = "sse"
	ws  protocol = "ws"
)

// request is what a client of this transport sends first: what a browser would, without its ballast.
func (t *target) request(tr protocol) string {
	path := t.path
	if path == "" {
		path = "/"
	}
	head := "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
	if tr == ws {
		return head + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	}
	return head + "Accept: text/event-stream\r\n\r\n"
}

// serverRole is the process under test: one peer that serves one transport, or one measurement in memory.
func serverRole() (child.Commands, error) {
	log.SetOutput(io.Discard) // a peer that logs each dropped event would be measured logging
	var pub *publisher
	commands := child.Commands{
		"measure": child.Command(measureInMemory),
		"serve": child.Command(func(j job) (any, error) {
			var to clientConfig
			var err error
			pub, to, err = serve(j)
			return to, err
		}),
	}
	for name, do := range map[string]func(*publisher, order) (reply, error){
		"probe": (*publisher).probe, "memory": (*publisher).memory,
		"paced": (*publisher).paced, "saturate": (*publisher).saturate, "burst": (*publisher).burst,
	} {
		commands[name] = child.Command(func(o order) (any, error) {
			if pub == nil {
				return nil, errors.New("nothing is served yet")
			}
			if name == "memory" { // which has a profile of its own kind
				return do(pub, o)
			}
			return profiled(o.Profile, func() (reply, error) { return do(pub, o) })
		})
	}
	return commands, nil
}

// wantFiles is how many open files are asked for: as many as the largest scenario has connections. Where the system
// refuses, opening the sockets fails later with a clear error.
const wantFiles = 32768

// serve begins to serve. It returns what publishes, and how clients connect.
func serve(j job) (*publisher, clientConfig, error) {
	p, err := findPeer(j.Peer)
	if err != nil {
		return nil, clientConfig{}, err
	}
	if _, err := machine.RaiseFiles(wantFiles); err != nil {
		return nil, clientConfig{}, err
	}
	b, err := openBoard(child.FirstFile)
	if err != nil {
		return nil, clientConfig{}, err
	}
	setup := p.setup(j.Transport)
	if setup == nil {
		return nil, clientConfig{}, fmt.Errorf("%s does not speak %s", p.title, j.Transport)
	}
	t, err := setup()
	if err != nil {
		return nil, clientConfig{}, err
	}
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, clientConfig{}, fmt.Errorf("listening: %w", err)
	}
	srv := &http.Server{Handler: t.handler, ErrorLog: log.Default()}
	go srv.Serve(ln) //nolint:errcheck // ends with the process
	to := clientConfig{Addr: ln.Addr().String(), Request: t.request(j.Transport), Hello: t.hello}
	return &publisher{board: b, target: t}, to, nil
}
