package poll_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport/poll"
)

// A server, an event, and a client that polls.
func ExampleNewHandler() {
	var kinds event.Registry
	posted := event.Define[string](&kinds, "chat", "chat.message.posted", "Somebody wrote a message.")
	ada := uuid.NewSHA1(uuid.NameSpaceURL, []byte("ada"))
	h := hub.New(&kinds, nil)
	server := httptest.NewServer(poll.NewHandler(h, func(*http.Request) (hub.Session, error) {
		return hub.Session{User: ada, Allowed: hub.Everything()}, nil
	}, nil))
	defer server.Close()

	ask := func(cursor string) (answer struct {
		Events []struct {
			Event string
			Data  json.RawMessage
		}
		Cursor string
	}) {
		response, err := http.Get(server.URL + "?last_event_id=" + cursor)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer response.Body.Close()
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			fmt.Println(err)
		}
		return answer
	}
	first := ask("") // is answered at once, with where the client starts
	fmt.Println(len(first.Events), "events")
	e, err := posted.New(ada, "hello")
	if err != nil {
		fmt.Println(err)
		return
	}
	h.Publish(context.Background(), e)
	for _, e := range ask(first.Cursor).Events {
		fmt.Println(e.Event, string(e.Data))
	}
	// Output:
	// 0 events
	// chat.message.posted "hello"
}
