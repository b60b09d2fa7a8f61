package peers

import (
	"net"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"

	"github.com/crier-go/crier/bench/internal/reader"
	"github.com/crier-go/crier/bench/load/internal/peer"
)

// The floors do the least that each scenario can be done with. They are no way to write an application: a client that
// stops reading stops the raw one, and none of them notices that a client is gone.

// rawFloor makes one write(2) for each event and connection. It takes the connections over from net/http, and one loop
// writes a finished frame to each. A peer that joins several events into one write can be better than it.
var rawFloor = peer.Peer{
	Name: "raw", Title: "raw, one write per event", Kind: peer.Floor,
	SSE: func() (*peer.Target, error) {
		return newRaw("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"+
			"Connection: close\r\n\r\n", appendSSE), nil
	},
	WS: func() (*peer.Target, error) {
		// The accept key belongs to the Sec-WebSocket-Key of swarm.Request.
		return newRaw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", appendFrame), nil
	},
}

// A group has the connections of a floor, in the order in which they came.
type group[C any] struct {
	mu  sync.Mutex
	all []C
}

func (g *group[C]) add(c C) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all = append(g.all, c)
}

func (g *group[C]) each(f func(C)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.all {
		f(c)
	}
}

func newRaw(head string, encode func([]byte, peer.Item) []byte) *peer.Target {
	var conns group[net.Conn]
	return &peer.Target{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			if _, err := conn.Write([]byte(head)); err != nil {
				conn.Close()
				return
			}
			conns.add(conn)
		}),
		Publish: func(it peer.Item, _ int) {
			frame := encode(nil, it)
			conns.each(func(c net.Conn) { _, _ = c.Write(frame) }) // an event for a client that is gone is lost
		},
	}
}

// appendSSE is the least code that encodes an event.
func appendSSE(dst []byte, it peer.Item) []byte {
	dst = append(append(dst, "id: "...), it.ID...)
	dst = append(append(dst, "\nevent: "...), peer.EventName...)
	dst = append(append(dst, "\ndata: "...), it.Data...)
	return append(dst, "\n\n"...)
}

// appendFrame appends a server's WebSocket text frame. A typical event needs the two-byte length.
func appendFrame(dst []byte, it peer.Item) []byte {
	n := len(it.Data)
	return append(append(dst, 0x81, 126, byte(n>>8), byte(n)), it.Data...)
}

// bareHTTP is the floor for an idle SSE connection: it keeps one open through net/http's ResponseWriter.
var bareHTTP = peer.Peer{
	Name: "bare-http", Title: "bare net/http", Kind: peer.Floor,
	SSE: func() (*peer.Target, error) {
		var writers group[http.ResponseWriter]
		return &peer.Target{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				if http.NewResponseController(w).Flush() != nil {
					return
				}
				writers.add(w)
				<-r.Context().Done()
			}),
			Publish: func(it peer.Item, _ int) {
				frame := appendSSE(nil, it)
				writers.each(func(w http.ResponseWriter) {
					_, _ = w.Write(frame)
					_ = http.NewResponseController(w).Flush()
				})
			},
		}, nil
	},
}

// bareGorilla is the floor for an idle WebSocket: gorilla/websocket with 1 KB buffers and one goroutine that reads.
var bareGorilla = peer.Peer{
	Name: "bare-gorilla", Title: "bare gorilla, 1 KB buffers", Module: "github.com/gorilla/websocket", Kind: peer.Floor,
	WS: func() (*peer.Target, error) {
		var conns group[*websocket.Conn]
		up := websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024, CheckOrigin: anyOrigin}
		return &peer.Target{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				conn, err := up.Upgrade(w, r, nil)
				if err != nil {
					return
				}
				conns.add(conn)
				go func() {
					for err == nil {
						_, _, err = conn.NextReader()
					}
				}()
			}),
			Publish: func(it peer.Item, _ int) {
				conns.each(func(c *websocket.Conn) { _ = c.WriteMessage(websocket.TextMessage, it.Data) })
			},
		}, nil
	},
}

// wakeFloor is the floor in memory: it appends the event to a list that readers share (or that one user has), and wakes
// each sleeping reader through a channel of its own.
var wakeFloor = peer.Peer{
	Name: "wake", Title: "append + wake each", Kind: peer.Floor,
	Fanout: func(readers int, t *reader.Tally) (*peer.Target, error) {
		s := reader.NewSleepers[peer.Item](readers, false)
		s.Listen(t)
		return &peer.Target{Publish: func(it peer.Item, _ int) { s.PublishAll(it) }}, nil
	},
	Route: func(readers int, t *reader.Tally) (*peer.Target, error) {
		s := reader.NewSleepers[peer.Item](readers, true)
		s.Listen(t)
		return &peer.Target{Publish: s.Publish}, nil
	},
}

// appendFloor is the floor for encoding: it appends the fields unchecked to a buffer that it keeps.
var appendFloor = peer.Peer{
	Name: "append", Title: "append, unchecked", Kind: peer.Floor,
	Encode: func(it peer.Item) (func(), error) {
		buf := make([]byte, 0, 512)
		return func() { buf = appendSSE(buf[:0], it) }, nil
	},
}
