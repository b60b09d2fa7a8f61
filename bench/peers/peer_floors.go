package main

import (
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/crier-go/crier/bench/internal/reader"
)

// The floors do the least that each scenario can be done with. They are no way to write an application: a client
// that stops reading stops the raw one, and none of them notices when a client goes away.

// rawFloor is the floor for one write(2) per event and connection: connections are taken over from net/http, and one
// loop writes one finished frame to each. Whoever joins several events into one write can be better than it.
var rawFloor = peer{
	name: "raw", title: "raw, one write per event", kind: floor,
	sse: func() (*target, error) {
		return newRaw("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"+
			"Connection: close\r\n\r\n", appendSSE), nil
	},
	ws: func() (*target, error) {
		// The accept key belongs to the one Sec-WebSocket-Key that the client of this benchmark sends.
		return newRaw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", appendFrame), nil
	},
}

func newRaw(head string, encode func([]byte, item) []byte) *target {
	var (
		mu    sync.Mutex
		conns []net.Conn
	)
	return &target{
		handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			if _, err := conn.Write([]byte(head)); err != nil {
				conn.Close()
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
		}),
		publish: func(it item) {
			frame := encode(nil, it)
			mu.Lock()
			defer mu.Unlock()
			for _, c := range conns {
				_, _ = c.Write(frame) // a client that is gone shows as lost
			}
		},
	}
}

// appendSSE is the least code that makes an event of an item.
func appendSSE(dst []byte, it item) []byte {
	dst = append(dst, "id: "...)
	dst = append(dst, it.id...)
	dst = append(dst, "\nevent: "...)
	dst = append(dst, eventName...)
	dst = append(dst, "\ndata: "...)
	dst = append(dst, it.data...)
	return append(dst, "\n\n"...)
}

// appendFrame is a WebSocket text frame from the server; an item's payload always needs the two-byte length.
func appendFrame(dst []byte, it item) []byte {
	n := len(it.data)
	return append(append(dst, 0x81, 126, byte(n>>8), byte(n)), it.data...)
}

// bareHTTP is the floor for an idle SSE connection: the least that keeps one open through net/http's ResponseWriter.
var bareHTTP = peer{
	name: "bare-http", title: "bare net/http", kind: floor,
	sse: func() (*target, error) {
		var (
			mu sync.Mutex
			ws []http.ResponseWriter
		)
		return &target{
			handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				if http.NewResponseController(w).Flush() != nil {
					return
				}
				mu.Lock()
				ws = append(ws, w)
				mu.Unlock()
				<-r.Context().Done()
			}),
			publish: func(it item) {
				frame := appendSSE(nil, it)
				mu.Lock()
				defer mu.Unlock()
				for _, w := range ws {
					_, _ = w.Write(frame)
					_ = http.NewResponseController(w).Flush()
				}
			},
		}, nil
	},
}

// bareGorilla is the floor for an idle WebSocket: gorilla/websocket with 1 KB buffers and one goroutine that reads.
var bareGorilla = peer{
	name: "bare-gorilla", title: "bare gorilla, 1 KB buffers", module: "github.com/gorilla/websocket", kind: floor,
	ws: func() (*target, error) {
		var (
			mu    sync.Mutex
			conns []*websocket.Conn
		)
		up := websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024, CheckOrigin: anyOrigin}
		return &target{
			handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				conn, err := up.Upgrade(w, r, nil)
				if err != nil {
					return
				}
				mu.Lock()
				conns = append(conns, conn)
				mu.Unlock()
				go func() {
					for {
						if _, _, err := conn.NextReader(); err != nil {
							return
						}
					}
				}()
			}),
			publish: func(it item) {
				mu.Lock()
				defer mu.Unlock()
				for _, c := range conns {
					_ = c.WriteMessage(websocket.TextMessage, it.data)
				}
			},
		}, nil
	},
}

func anyOrigin(*http.Request) bool { return true }

// wakeFloor is the floor in memory: the event is appended to a list that readers share (or that a user has), and each
// reader that sleeps is woken through a channel of its own.
var wakeFloor = peer{
	name: "wake", title: "append + wake each", kind: floor,
	fanout: func(readers int, t *reader.Tally) (*inMemory, error) {
		s := reader.NewSleepers[item](readers, false)
		s.Listen(t)
		return &inMemory{publish: func(it item, _ int) { s.PublishAll(it) }}, nil
	},
	route: func(users int, t *reader.Tally) (*inMemory, error) {
		s := reader.NewSleepers[item](users, true)
		s.Listen(t)
		return &inMemory{publish: func(it item, user int) { s.Publish(it, user) }}, nil
	},
}

// appendFloor is the floor for encoding: the fields are appended unchecked, to a buffer that is already there.
var appendFloor = peer{
	name: "append", title: "append, unchecked", kind: floor,
	encode: func(it item) (func(), error) {
		buf := make([]byte, 0, 512)
		return func() { buf = appendSSE(buf[:0], it) }, nil
	},
}

// writeWait is how long the peers that are written here let a write take.
const writeWait = 10 * time.Second
