package peers

import (
	"bytes"
	"context"
	"net/http"

	gosse "github.com/tmaxmax/go-sse"

	"github.com/crier-go/crier/bench/internal/reader"
	"github.com/crier-go/crier/bench/load/internal/peer"
)

// goSSE is github.com/tmaxmax/go-sse: its Server with its default provider, Joe. One addition: Joe writes to the clients
// from his own loop and sends a response's head with its first event, so OnSession flushes the head. Without it clients
// would learn only from an event that they are connected.
var goSSE = peer.Peer{
	Name: "go-sse", Title: "go-sse", Module: "github.com/tmaxmax/go-sse",
	SSE: func() (*peer.Target, error) {
		srv := &gosse.Server{
			OnSession: func(w http.ResponseWriter, _ *http.Request) ([]string, bool) {
				w.Header().Set("Content-Type", "text/event-stream")
				return nil, http.NewResponseController(w).Flush() == nil
			},
		}
		return &peer.Target{
			Handler: srv,
			Prepare: goSSEMessage,
			Publish: func(it peer.Item, _ int) { _ = srv.Publish(it.Made.(*gosse.Message)) }, // fails only when shut down
		}, nil
	},
	Encode: func(it peer.Item) (func(), error) {
		var buf bytes.Buffer
		data := string(it.Data)
		return func() {
			buf.Reset()
			// Making the message is part of it: this looks for line breaks in the data.
			m := gosse.Message{ID: gosse.ID(it.ID), Type: gosse.Type(peer.EventName)}
			m.AppendData(data)
			_, _ = m.WriteTo(&buf)
		}, nil
	},
	Fanout: joeReaders(func(int) string { return gosse.DefaultTopic }),
	Route:  joeReaders(userID),
}

func goSSEMessage(it peer.Item, _ int) any {
	m := &gosse.Message{ID: gosse.ID(it.ID), Type: gosse.Type(peer.EventName)}
	m.AppendData(string(it.Data))
	return m
}

// joeReaders subscribes readers that have a goroutine and a channel each, so that none delays Joe.
func joeReaders(topic func(int) string) func(int, *reader.Tally) (*peer.Target, error) {
	return func(readers int, t *reader.Tally) (*peer.Target, error) {
		joined := make(chan struct{}, 1024)
		joe := &gosse.Joe{Replayer: joinReplayer(joined)}
		topics := make([]string, readers)
		for i := range topics {
			topics[i] = topic(i)
			client := make(joeClient, 16)
			go func() {
				for range client {
					t.Got(1)
				}
			}()
			go joe.Subscribe(context.Background(), gosse.Subscription{Client: client, Topics: topics[i : i+1]}) //nolint:errcheck // lasts until the process ends
		}
		for range readers {
			<-joined
		}
		return &peer.Target{
			Prepare: goSSEMessage,
			Publish: func(it peer.Item, user int) {
				_ = joe.Publish(it.Made.(*gosse.Message), []string{topics[max(user, 0)]})
			},
		}, nil
	}
}

// A joinReplayer replays nothing, like a Joe without a replayer. Joe calls it when a subscription begins, and nothing
// else tells that.
type joinReplayer chan<- struct{}

func (joinReplayer) Put(m *gosse.Message, _ []string) (*gosse.Message, error) { return m, nil }
func (r joinReplayer) Replay(gosse.Subscription) error                        { r <- struct{}{}; return nil }

// A joeClient is a session whose writes happen in a goroutine of its own.
type joeClient chan *gosse.Message

func (c joeClient) Send(m *gosse.Message) error { c <- m; return nil }
func (c joeClient) Flush() error                { return nil }
