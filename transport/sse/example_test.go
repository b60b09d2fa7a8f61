package sse_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/sse"
)

// A server, an event, and what a client reads.
func ExampleNewHandler() {
	var kinds event.Registry
	posted := event.Define[string](&kinds, "chat", "chat.message.posted", "Somebody wrote a message.")
	ada := uuid.NewSHA1(uuid.NameSpaceURL, []byte("ada"))

	h := hub.New(&kinds, nil)
	authenticate := func(r *http.Request) (hub.Session, error) {
		if cookie, err := r.Cookie("session"); err != nil || cookie.Value != "ada's" {
			return hub.Session{}, transport.ErrUnauthenticated
		}
		return hub.Session{User: ada, Allowed: hub.Everything()}, nil
	}
	mux := http.NewServeMux()
	mux.Handle("/events", sse.NewHandler(h, authenticate, nil))
	server := httptest.NewServer(mux)
	defer server.Close()

	r, err := http.NewRequest("GET", server.URL+"/events?categories=chat", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	r.AddCookie(&http.Cookie{Name: "session", Value: "ada's"})
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()

	client := bufio.NewScanner(response.Body)
	readEvent := func() {
		for client.Scan() && client.Text() != "" {
			fmt.Println(ids.ReplaceAllString(client.Text(), "..."))
		}
		fmt.Println()
	}
	readEvent()
	e, err := posted.New(ada, "hello")
	if err != nil {
		fmt.Println(err)
		return
	}
	h.Publish(context.Background(), e)
	readEvent()
	h.RevokeUser(context.Background(), ada)
	readEvent()
	// Output:
	// retry: 3000
	// id: ...
	// event: stream.cursor
	// data: {}
	//
	// id: ...
	// event: chat.message.posted
	// data: "hello"
	//
	// retry: 3000
	// id: ...
	// event: stream.end
	// data: {"reason":"revoked"}
}

var ids = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
