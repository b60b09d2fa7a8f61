package peers

import (
	"context"
	"net/http"

	"github.com/coder/websocket"

	"github.com/crier-go/crier/bench/load/internal/peer"
)

// coderPeer is github.com/coder/websocket in the pattern of its chat example: CloseRead, a buffered channel per
// subscriber, a write with a timeout for each message, and a subscriber whose channel is full is disconnected.
//
// The example's channels hold 16 messages; here they hold as many as those of the other patterns.
var coderPeer = peer.Peer{
	Name: "coder", Title: "coder/websocket", Module: "github.com/coder/websocket",
	WS: func() (*peer.Target, error) {
		var s coderServer
		return &peer.Target{Handler: &s, Publish: s.publish}, nil
	},
}

type coderServer struct{ subscribers set[*coderSubscriber] }

type coderSubscriber struct {
	messages chan []byte
	conn     *websocket.Conn
}

func (s *coderServer) publish(it peer.Item, _ int) {
	s.subscribers.each(func(sub *coderSubscriber) {
		select {
		case sub.messages <- it.Data:
		default:
			go sub.conn.Close(websocket.StatusPolicyViolation, "too slow to keep up") //nolint:errcheck // it is disconnected
		}
	})
}

func (s *coderServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer conn.CloseNow() //nolint:errcheck // it has ended
	sub := &coderSubscriber{messages: make(chan []byte, clientQueue), conn: conn}
	s.subscribers.add(sub)
	defer s.subscribers.remove(sub)
	ctx := conn.CloseRead(context.Background())
	for err == nil {
		select {
		case m := <-sub.messages:
			err = writeWithin(ctx, conn, m)
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
