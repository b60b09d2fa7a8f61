package ws_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport/ws"
)

// A server that also listens to its clients, and what one of them reads.
func ExampleNewHandler() {
	var kinds event.Registry
	posted := event.Define[string](&kinds, "chat", "chat.message.posted", "Somebody wrote a message.")
	ada := uuid.NewSHA1(uuid.NameSpaceURL, []byte("ada"))

	h := hub.New(&kinds, nil)
	authenticate := func(*http.Request) (hub.Session, error) {
		return hub.Session{User: ada, Allowed: hub.Everything()}, nil
	}
	post := func(ctx context.Context, c *ws.Client, data []byte) error {
		text := strings.TrimSpace(string(data))
		if text == "" {
			return errors.New("a message needs a text")
		}
		e, err := posted.New(c.Session().User, text)
		if err != nil {
			return err
		}
		return h.Publish(ctx, e)
	}
	server := httptest.NewServer(ws.NewHandler(h, authenticate, &ws.Options{OnMessage: post}))
	defer server.Close()

	client, _, err := websocket.DefaultDialer.Dial(strings.Replace(server.URL, "http", "ws", 1), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	read := func() {
		_, message, err := client.ReadMessage()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(ids.ReplaceAllString(string(message), "..."))
	}
	read()
	for _, message := range []string{"hello", " ", `{"categories":["chat"]}`} {
		client.WriteMessage(websocket.TextMessage, []byte(message))
		read()
	}
	h.RevokeUser(context.Background(), ada)
	read()
	read()
	// Output:
	// {"id":"...","event":"stream.cursor","data":{"retry":3000}}
	// {"id":"...","event":"chat.message.posted","data":"hello"}
	// {"event":"stream.error","data":{"error":"a message needs a text"}}
	// {"id":"...","event":"stream.filter","data":{"categories":["chat"]}}
	// {"id":"...","event":"stream.end","data":{"reason":"revoked","retry":3000}}
	// websocket: close 1008 (policy violation): revoked
}

var ids = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
