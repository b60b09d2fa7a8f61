package hub_test

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

type message struct {
	Text string `json:"text"`
}

var (
	registry event.Registry
	posted   = event.Define[message](&registry, "chat", "chat.message.posted", "Somebody wrote a message.")
	typing   = event.Define[struct{}](&registry, "typing", "typing.user.started", "Somebody types.", event.Ephemeral())
	ada      = uuid.MustParse("5f4b2c1e-3f4e-4f0a-9d59-0a1c6a3d7b10")
)

// asAda is a request for everything that is Ada's.
func asAda(after string) hub.Request {
	return hub.Request{
		Session: hub.Session{User: ada, Allowed: hub.Everything()},
		Filter:  hub.Everything(),
		After:   after,
	}
}

func say(h *hub.Hub, text string) *event.Event {
	e, err := posted.New(ada, message{text})
	if err == nil {
		err = h.Publish(context.Background(), e)
	}
	if err != nil {
		fmt.Println(err)
	}
	return e
}

// printAll takes all that there is.
func printAll(s *hub.Subscription) {
	var batch []*hub.Message
	var err error
	for {
		if batch, err = s.Take(batch); err != nil || len(batch) == 0 {
			return
		}
		for _, m := range batch {
			fmt.Println(m.Type(), string(m.Data()))
		}
	}
}

// A transport does this for each connection; an application only publishes.
func Example() {
	h := hub.New(&registry, nil)
	s, err := h.Subscribe(asAda(""))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	say(h, "hello")
	printAll(s)
	// Output: chat.message.posted {"text":"hello"}
}

// Most publishes are one call.
func ExampleTell() {
	h := hub.New(&registry, nil)
	userIDs := event.NewUserIDs("chat.example.com") // users with ids like 42
	s, err := h.Subscribe(hub.Request{
		Session: hub.Session{User: userIDs.FromInt(42), Allowed: hub.Everything()},
		Filter:  hub.Everything(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	ctx := context.Background()
	fmt.Println(hub.Tell(ctx, h, posted, userIDs.FromInt(42), message{"hello"}))
	fmt.Println(hub.Tell(ctx, h, posted, userIDs.FromInt(0), message{"to nobody"}))
	printAll(s)
	// Output:
	// <nil>
	// hub: the nil UUID is not a user; name a user, or use Broadcast for everyone
	// chat.message.posted {"text":"hello"}
}

// A page is rendered from a state, and then follows the stream. What is
// published in between is not lost.
func ExampleHub_Cursor() {
	h := hub.New(&registry, nil)
	say(h, "in the state")

	cursor := h.Cursor()              // first the cursor,
	state := []string{"in the state"} // then the state, from the database
	say(h, "in between")              // while the page is on its way

	s, err := h.Subscribe(asAda(cursor)) // the page's EventSource connects
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	fmt.Println("state:", state)
	printAll(s)
	// Output:
	// state: [in the state]
	// chat.message.posted {"text":"in between"}
}

// A client that comes back with the last id that it saw goes on behind it.
// Ephemeral events are not replayed.
func ExampleHub_Subscribe_resume() {
	h := hub.New(&registry, nil)
	last := say(h, "seen")
	say(h, "missed")
	e, err := typing.New(ada, struct{}{})
	if err == nil {
		err = h.Publish(context.Background(), e)
	}
	if err != nil {
		fmt.Println(err)
	}

	s, err := h.Subscribe(asAda(last.ID().String()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	printAll(s)
	// Output: chat.message.posted {"text":"missed"}
}

// A client that cannot get everything is told so, in its place.
func ExampleSubscription_Take_gap() {
	h := hub.New(&registry, &hub.Options{UserEvents: 2})
	s, err := h.Subscribe(asAda(""))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	for i := range 5 {
		say(h, fmt.Sprint(i))
	}
	printAll(s)
	// Output:
	// stream.gap {"reason":"evicted"}
	// chat.message.posted {"text":"3"}
	// chat.message.posted {"text":"4"}
}

// Why did Ada not get the event?
func ExampleHub_Explain() {
	h := hub.New(&registry, nil)
	for _, f := range []hub.Filter{hub.Everything(), hub.Categories("typing")} {
		s, err := h.Subscribe(hub.Request{
			Session: hub.Session{User: ada, Allowed: hub.Everything()},
			Filter:  f, Transport: "sse",
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		defer s.Close()
	}
	e := say(h, "hello")
	late, err := h.Subscribe(asAda(""))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer late.Close()

	why, err := h.Explain(context.Background(), ada, e.ID())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("published to", why.Audience)
	for _, s := range why.Streams {
		fmt.Printf("stream %d: %s\n", s.ID, s.Verdict)
	}
	_, err = h.Explain(context.Background(), ada, uuid.Nil)
	fmt.Println(err)
	// Output:
	// published to [user:5f4b2c1e-3f4e-4f0a-9d59-0a1c6a3d7b10]
	// stream 1: pending
	// stream 2: filtered
	// stream 3: not_connected
	// hub: nothing is known of an event with this id: it was not published here, was ephemeral, or was superseded long ago
}

// What a new client that resumed from the beginning would be given.
func ExampleHub_Retained() {
	h := hub.New(&registry, nil)
	say(h, "hello")
	for _, r := range h.Retained(hub.User(ada)) {
		fmt.Println(r.Event.Type(), string(r.Event.Data()))
	}
	// Output: chat.message.posted {"text":"hello"}
}
