package main

import (
	"context"
	"net/http"
	"sync"

	"github.com/coder/websocket"
)

// coderPeer is github.com/coder/websocket in the pattern of its chat example: CloseRead, a buffered channel per
// subscriber, a write with a timeout for each message, and a subscriber whose channel is full is cut off.
//
// The example's channels hold 16 messages; here they hold as many as those of the other patterns.
var coderPeer = peer{
	name: "coder", title: "coder/websocket", module: "github.com/coder/websocket",
	ws: func() (*target, error) {
		s := &coderSubscribers{all: make(map[*coderSubscriber]struct{})}
		return &target{handler: s, publish: s.publish}, nil
	},
}

type coderSubscribers struct {
	mu  sync.Mutex
	all map[*coderSubscriber]struct{}
}

type coderSubscriber struct {
	messages chan []byte
	conn     *websocket.Conn
}

func (s *coderSubscribers) publish(it item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sub := range s.all {
		select {
		case sub.messages <- it.data:
		default:
			go sub.conn.Close(websocket.StatusPolicyViolation, "too slow to keep up") //nolint:errcheck // it is cut off
		}
	}
}

func (s *coderSubscribers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer conn.CloseNow() //nolint:errcheck // what else could be done
	sub := &coderSubscriber{messages: make(chan []byte, clientQueue), conn: conn}
	s.mu.Lock()
	s.all[sub] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.all, sub)
		s.mu.Unlock()
	}()
	ctx := conn.CloseRead(context.Background())
	for {
		select {
		case m := <-sub.messages:
			if writeWithin(ctx, conn, m) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func writeWithin(ctx context.Context, c *websocket.Conn, m []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeWait)
	defer cancel()
	return c.Write(ctx, websocket.MessageText, m)
}
