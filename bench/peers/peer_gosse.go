package main

import (
	"bytes"
	"context"
	"net/http"

	gosse "github.com/tmaxmax/go-sse"

	"github.com/crier-go/crier/bench/internal/reader"
)

// goSSE is github.com/tmaxmax/go-sse: its Server with its default provider, Joe.
//
// One addition: Joe writes to the clients from his own loop and sends a response's head with its first event, so
// OnSession flushes the head. Clients of the benchmark would otherwise wait for an event to know that they are
// connected.
var goSSE = peer{
	name: "go-sse", title: "go-sse", module: "github.com/tmaxmax/go-sse",
	sse: func() (*target, error) {
		srv := &gosse.Server{
			OnSession: func(w http.ResponseWriter, _ *http.Request) ([]string, bool) {
				w.Header().Set("Content-Type", "text/event-stream")
				return nil, http.NewResponseController(w).Flush() == nil
			},
		}
		return &target{
			handler: srv,
			prepare: func(it item) any { return goSSEMessage(it) },
			publish: func(it item) { _ = srv.Publish(it.made.(*gosse.Message)) }, // fails only when shut down
		}, nil
	},
	encode: func(it item) (func(), error) {
		var buf bytes.Buffer
		data := string(it.data)
		return func() {
			buf.Reset()
			// Making the message is part of it: that is where line breaks in the data are looked for.
			m := gosse.Message{ID: gosse.ID(it.id), Type: gosse.Type(eventName)}
			m.AppendData(data)
			_, _ = m.WriteTo(&buf)
		}, nil
	},
	// In memory, Joe hands the events to readers that have a goroutine and a channel each, as they need not to hold
	// him up.
	fanout: func(readers int, t *reader.Tally) (*inMemory, error) {
		joe, joined := newJoe()
		for range readers {
			go subscribeJoe(joe, gosse.DefaultTopic, t)
		}
		for range readers {
			<-joined
		}
		return &inMemory{
			prepare: func(it item, _ int) any { return goSSEMessage(it) },
			publish: func(it item, _ int) {
				_ = joe.Publish(it.made.(*gosse.Message), []string{gosse.DefaultTopic})
			},
		}, nil
	},
	route: func(users int, t *reader.Tally) (*inMemory, error) {
		joe, joined := newJoe()
		ids := make([]string, users)
		for i := range users {
			ids[i] = userID(i)
			go subscribeJoe(joe, ids[i], t)
		}
		for range users {
			<-joined
		}
		return &inMemory{
			prepare: func(it item, _ int) any { return goSSEMessage(it) },
			publish: func(it item, user int) { _ = joe.Publish(it.made.(*gosse.Message), []string{ids[user]}) },
		}, nil
	},
}

func goSSEMessage(it item) *gosse.Message {
	m := &gosse.Message{ID: gosse.ID(it.id), Type: gosse.Type(eventName)}
	m.AppendData(string(it.data))
	return m
}

func newJoe() (*gosse.Joe, <-chan struct{}) {
	joined := make(chan struct{}, 1024)
	return &gosse.Joe{Replayer: joinReplayer(joined)}, joined
}

// A joinReplayer replays nothing, as a Joe without a replayer. Joe asks it whenever a subscription begins, which is
// the only way to learn that one has.
type joinReplayer chan<- struct{}

func (joinReplayer) Put(m *gosse.Message, _ []string) (*gosse.Message, error) { return m, nil }
func (r joinReplayer) Replay(gosse.Subscription) error                        { r <- struct{}{}; return nil }

func subscribeJoe(joe *gosse.Joe, topic string, t *reader.Tally) {
	client := make(joeClient, 16)
	go func() {
		for range client {
			t.Got(1)
		}
	}()
	_ = joe.Subscribe(context.Background(), gosse.Subscription{Client: client, Topics: []string{topic}})
}

// A joeClient is a session whose writes happen in a goroutine of its own.
type joeClient chan *gosse.Message

func (c joeClient) Send(m *gosse.Message) error { c <- m; return nil }
func (c joeClient) Flush() error                { return nil }
