package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/google/uuid"

	"github.com/crier-go/crier/client"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport/sse"
	"github.com/crier-go/crier/transport/ws"
)

var (
	chat   event.Registry
	posted = event.Define[string](&chat, "chat", "chat.message.posted", "Somebody wrote a message.")
	ada    = uuid.NewSHA1(uuid.NameSpaceURL, []byte("ada"))
)

func authenticate(*http.Request) (hub.Session, error) {
	return hub.Session{User: ada, Allowed: hub.Everything()}, nil
}

// say publishes messages to Ada.
func say(h *hub.Hub, texts ...string) {
	for _, text := range texts {
		e, err := posted.New(ada, text)
		if err == nil {
			err = h.Publish(context.Background(), e)
		}
		if err != nil {
			fmt.Println(err)
		}
	}
}

// A service listens, and reads payloads as the Go type of their kind.
func Example() {
	h := hub.New(&chat, nil) // in another process
	server := httptest.NewServer(sse.NewHandler(h, authenticate, nil))
	defer server.Close()

	stream, err := client.Dial(context.Background(), server.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stream.Close()
	say(h, "hello", "goodbye")

	for e, err := range stream.Events() {
		if err != nil {
			fmt.Println(err)
			return
		}
		switch e.Type {
		case posted.Info().Type:
			text, err := client.Payload(posted, e)
			if err != nil {
				fmt.Println(err)
				return
			}
			fmt.Println(text)
			if text == "goodbye" {
				return
			}
		}
	}
	// Output:
	// hello
	// goodbye
}

// A service saves how far it has come, and goes on from there when it is
// started again. This time over WebSocket.
func ExampleStream_LastID() {
	h := hub.New(&chat, nil)
	server := httptest.NewServer(ws.NewHandler(h, authenticate, nil))
	defer server.Close()
	saved := h.Cursor() // usually in a database
	say(h, "one", "two", "three")

	for range 3 {
		stream, err := client.Dial(context.Background(), strings.Replace(server.URL, "http", "ws", 1), &client.Options{LastID: saved})
		if err != nil {
			fmt.Println(err)
			return
		}
		for e, err := range stream.Events() {
			if err != nil {
				fmt.Println(err)
				break
			}
			fmt.Printf("%s\n", e.Data)
			saved = stream.LastID() // handled
			break                   // for this example, the service crashes
		}
		stream.Close()
	}
	// Output:
	// "one"
	// "two"
	// "three"
}

// Without Options.OnGap a loss of events ends the loop. The stream itself goes
// on, behind the gap.
func ExampleGapError() {
	h := hub.New(&chat, &hub.Options{UserEvents: 1})
	server := httptest.NewServer(sse.NewHandler(h, authenticate, nil))
	defer server.Close()
	cursor := h.Cursor()
	say(h, "evicted", "retained")

	stream, err := client.Dial(context.Background(), server.URL, &client.Options{LastID: cursor})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stream.Close()
	for {
		for e, err := range stream.Events() {
			if gap, ok := errors.AsType[*client.GapError](err); ok {
				fmt.Println("read the state anew, because events were", gap.Reason)
				break
			}
			if err != nil {
				fmt.Println(err)
				return
			}
			fmt.Printf("%s\n", e.Data)
			return
		}
	}
	// Output:
	// read the state anew, because events were evicted
	// "retained"
}

// A Reader reads the answer of a service that is asked with POST.
func ExampleReader() {
	answer := strings.NewReader("data: {\"text\":\"Hel\"}\n\ndata: {\"text\":\"lo\"}\n\ndata: [DONE]\n\n")
	r := client.NewReader(answer)
	for {
		f, err := r.Next()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s\n", f.Data)
	}
	// Output:
	// {"text":"Hel"}
	// {"text":"lo"}
	// [DONE]
	// EOF
}
