package ws_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/ws"
)

// A client prolongs its session before the token expires that it came with.
func ExampleOptions_onToken() {
	var kinds event.Registry
	event.Define[string](&kinds, "chat", "chat.message.posted", "Somebody wrote a message.")
	tokens := map[string]hub.Session{ // yours parses them
		"old": {User: uuid.NewSHA1(uuid.NameSpaceURL, []byte("ada")), Allowed: hub.Everything(), Expires: time.Now().Add(time.Minute)},
		"new": {User: uuid.NewSHA1(uuid.NameSpaceURL, []byte("ada")), Allowed: hub.Everything(), Expires: time.Now().Add(time.Hour)},
		"bob": {User: uuid.NewSHA1(uuid.NameSpaceURL, []byte("bob")), Allowed: hub.Everything()},
	}
	parse := func(token string) (hub.Session, error) {
		session, ok := tokens[token]
		if !ok {
			return hub.Session{}, transport.ErrUnauthenticated
		}
		return session, nil
	}
	authenticate := func(r *http.Request) (hub.Session, error) {
		return parse(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	}
	onToken := func(_ context.Context, _ hub.Session, token string) (hub.Session, error) { return parse(token) }

	h := hub.New(&kinds, nil)
	server := httptest.NewServer(ws.NewHandler(h, authenticate, &ws.Options{OnToken: onToken}))
	defer server.Close()
	header := http.Header{"Authorization": {"Bearer old"}}
	client, _, err := websocket.DefaultDialer.Dial(strings.Replace(server.URL, "http", "ws", 1), header)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	client.ReadMessage() // stream.cursor
	for _, token := range []string{"new", "bob", "gone"} {
		client.WriteJSON(map[string]string{"token": token, "ref": token})
		_, message, err := client.ReadMessage()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(ids.ReplaceAllString(string(message), "..."))
	}
	// Output:
	// {"id":"...","event":"stream.filter","data":{"categories":["chat"],"ref":"new"}}
	// {"event":"stream.error","data":{"error":"this token is not valid for this stream","ref":"bob"}}
	// {"event":"stream.error","data":{"error":"this token is not valid for this stream","ref":"gone"}}
}
