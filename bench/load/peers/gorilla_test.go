package peers

import (
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"github.com/crier-go/crier/bench/load/internal/peer"
)

// gorillaChat is the pattern of gorilla/websocket's chat example, which most Go services with WebSockets descend from: a
// hub goroutine with a map of clients, and a buffered channel and two goroutines per client. The writing goroutine joins
// all queued events into one message, separated by line feeds. A client whose channel is full is disconnected. The
// example's numbers are kept: 256 queued messages, buffers of 1 KB, a ping every 54 seconds.
var gorillaChat = peer.Peer{
	Name: "gorilla-chat", Title: "gorilla, chat pattern", Module: "github.com/gorilla/websocket",
	WS: func() (*peer.Target, error) {
		return newChat(
			func(it peer.Item) []byte { return it.Data },
			func(c *websocket.Conn, first []byte, more <-chan []byte) error {
				w, err := c.NextWriter(websocket.TextMessage)
				if err != nil {
					return err
				}
				_, _ = w.Write(first) // Close returns its error
				for range len(more) {
					next, ok := <-more
					if !ok {
						break
					}
					_, _ = w.Write([]byte{'\n'})
					_, _ = w.Write(next)
				}
				return w.Close()
			}), nil
	},
}

// gorillaPrepared is the same pattern with a PreparedMessage per event, framed once for all clients. These cannot be
// joined: each is one write.
var gorillaPrepared = peer.Peer{
	Name: "gorilla-prepared", Title: "gorilla, prepared messages", Module: "github.com/gorilla/websocket",
	WS: func() (*peer.Target, error) {
		return newChat(
			func(it peer.Item) *websocket.PreparedMessage {
				m, err := websocket.NewPreparedMessage(websocket.TextMessage, it.Data)
				if err != nil {
					panic(err) // fails for control messages only
				}
				return m
			},
			func(c *websocket.Conn, m *websocket.PreparedMessage, _ <-chan *websocket.PreparedMessage) error {
				return c.WritePreparedMessage(m)
			}), nil
	},
}

// A chat is the hub of the pattern, for messages of type M.
type chat[M any] struct {
	send       func(c *websocket.Conn, first M, more <-chan M) error
	broadcast  chan M
	register   chan *chatClient[M]
	unregister chan *chatClient[M]
	upgrader   websocket.Upgrader
}

type chatClient[M any] struct {
	conn *websocket.Conn
	send chan M
}

func newChat[M any](prepare func(peer.Item) M, send func(*websocket.Conn, M, <-chan M) error) *peer.Target {
	h := &chat[M]{
		send:       send,
		broadcast:  make(chan M),
		register:   make(chan *chatClient[M]),
		unregister: make(chan *chatClient[M]),
		upgrader:   websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024, CheckOrigin: anyOrigin},
	}
	go h.run()
	return &peer.Target{Handler: h, Publish: func(it peer.Item, _ int) { h.broadcast <- prepare(it) }}
}

func (h *chat[M]) run() {
	clients := make(map[*chatClient[M]]struct{})
	remove := func(c *chatClient[M]) {
		if _, ok := clients[c]; ok {
			delete(clients, c)
			close(c.send)
		}
	}
	for {
		select {
		case c := <-h.register:
			clients[c] = struct{}{}
		case c := <-h.unregister:
			remove(c)
		case m := <-h.broadcast:
			for c := range clients {
				select {
				case c.send <- m:
				default:
					remove(c)
				}
			}
		}
	}
}

func (h *chat[M]) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := h.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	c := &chatClient[M]{conn: conn, send: make(chan M, clientQueue)}
	h.register <- c
	go h.write(c)
	go h.read(c)
}

// writeWait is how long the peers that are written here allow for a write.
const writeWait = 10 * time.Second

const pongWait = 60 * time.Second

func (h *chat[M]) read(c *chatClient[M]) {
	defer func() {
		h.unregister <- c
		c.conn.Close()
	}()
	c.conn.SetReadLimit(512)
	extend := func(string) error { return c.conn.SetReadDeadline(time.Now().Add(pongWait)) }
	c.conn.SetPongHandler(extend)
	for err := extend(""); err == nil; {
		_, _, err = c.conn.ReadMessage()
	}
}

func (h *chat[M]) write(c *chatClient[M]) {
	pings := time.NewTicker(pongWait * 9 / 10)
	defer pings.Stop()
	defer c.conn.Close()
	for {
		var err error
		select {
		case m, ok := <-c.send:
			_ = c.conn.SetWriteDeadline(time.Now().Add(writeWait))
			if !ok {
				_ = c.conn.WriteMessage(websocket.CloseMessage, nil)
				return
			}
			err = h.send(c.conn, m, c.send)
		case <-pings.C:
			_ = c.conn.SetWriteDeadline(time.Now().Add(writeWait))
			err = c.conn.WriteMessage(websocket.PingMessage, nil)
		}
		if err != nil {
			return
		}
	}
}
