package main

import (
	"net"
	"net/http"
	"sync"
	"time"

	gorilla "github.com/gorilla/websocket"
)

// A collector receives the reports of pages, each over a WebSocket that no
// proxy is in the way of.
type collector struct {
	address string
	server  *http.Server

	mu      sync.Mutex
	tellers map[string]func(report) // by the client's name for itself
}

func newCollector() (*collector, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &collector{address: l.Addr().String(), tellers: map[string]func(report){}}
	c.server = &http.Server{Handler: c, ReadHeaderTimeout: 10 * time.Second}
	go c.server.Serve(l)
	return c, nil
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	upgrader := gorilla.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	for {
		var one report
		if err := conn.ReadJSON(&one); err != nil {
			return
		}
		c.mu.Lock()
		tell := c.tellers[one.Client]
		c.mu.Unlock()
		if tell != nil {
			tell(one)
		}
	}
}

// listen sends a client's reports to tell, until stop is called.
func (c *collector) listen(client string, tell func(report)) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tellers[client] = tell
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.tellers, client)
	}
}

func (c *collector) close() { c.server.Close() }
