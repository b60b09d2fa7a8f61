package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/crier-go/crier/bench/internal/reader"
)

// handWritten is what people write when they need Server-Sent Events on an afternoon: a broker with a map of
// buffered channels, one per client, which drops what a full channel cannot take; a handler that formats each event
// and flushes. In the measurements in memory it is the plain "channel each".
var handWritten = peer{
	name: "handwritten", title: "hand-written, channel each",
	sse: func() (*target, error) {
		b := &broker{clients: make(map[chan item]struct{})}
		return &target{handler: b, publish: b.publish}, nil
	},
	encode: func(it item) (func(), error) {
		var buf bytes.Buffer
		return func() {
			buf.Reset()
			_ = writeEvent(&buf, it) // a bytes.Buffer takes everything
		}, nil
	},
	fanout: func(readers int, t *reader.Tally) (*inMemory, error) {
		b := &broker{clients: make(map[chan item]struct{})}
		for range readers {
			go drain(b.join(), t)
		}
		return &inMemory{publish: func(it item, _ int) { b.publish(it) }}, nil
	},
	// The routed form is a map from user to channel.
	route: func(users int, t *reader.Tally) (*inMemory, error) {
		var mu sync.RWMutex
		byUser := make(map[string]chan item, users)
		ids := make([]string, users)
		for i := range users {
			ch := make(chan item, 16)
			ids[i] = userID(i)
			byUser[ids[i]] = ch
			go drain(ch, t)
		}
		return &inMemory{publish: func(it item, user int) {
			mu.RLock()
			ch := byUser[ids[user]]
			mu.RUnlock()
			select {
			case ch <- it:
			default:
			}
		}}, nil
	},
}

// userID is a user's id as an application has it: a UUID.
func userID(i int) string { return fmt.Sprintf("5f0c6a1e-3b5d-4b7e-8a00-%012x", i) }

func drain(ch <-chan item, t *reader.Tally) {
	for range ch {
		t.Got(1)
	}
}

type broker struct {
	mu      sync.Mutex
	clients map[chan item]struct{}
}

// clientQueue is how many events the hand-written peers keep for a client: the number in gorilla's chat example.
const clientQueue = 256

func (b *broker) join() chan item {
	ch := make(chan item, clientQueue)
	b.mu.Lock()
	b.clients[ch] = struct{}{}
	b.mu.Unlock()
	return ch
}

func (b *broker) leave(ch chan item) {
	b.mu.Lock()
	delete(b.clients, ch)
	b.mu.Unlock()
}

func (b *broker) publish(it item) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ch := range b.clients {
		select {
		case ch <- it:
		default: // a slow client loses the event
		}
	}
}

func (b *broker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	flusher, ok := w.(http.Flusher)
	if !ok {
		http.Error(w, "streaming is not supported", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	flusher.Flush()
	ch := b.join()
	defer b.leave(ch)
	for {
		select {
		case it := <-ch:
			if writeEvent(w, it) != nil {
				return
			}
			flusher.Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func writeEvent(w io.Writer, it item) error {
	_, err := fmt.Fprintf(w, "id: %s\nevent: %s\ndata: %s\n\n", it.id, eventName, it.data)
	return err
}
