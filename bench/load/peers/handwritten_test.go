package peers

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/crier-go/crier/bench/internal/reader"
	"github.com/crier-go/crier/bench/load/internal/peer"
)

// handWritten is what people write when they need Server-Sent Events quickly: a broker with a map of buffered channels,
// one per client, which drops an event when a channel is full, and a handler that formats each event and flushes. In
// memory it is the plain "channel each".
var handWritten = peer.Peer{
	Name: "handwritten", Title: "hand-written, channel each",
	SSE: func() (*peer.Target, error) {
		b := new(broker)
		return &peer.Target{Handler: b, Publish: b.publish}, nil
	},
	Encode: func(it peer.Item) (func(), error) {
		var buf bytes.Buffer
		return func() {
			buf.Reset()
			_ = writeEvent(&buf, it) // a bytes.Buffer takes everything
		}, nil
	},
	Fanout: func(readers int, t *reader.Tally) (*peer.Target, error) {
		b := new(broker)
		for range readers {
			go drain(b.join(), t)
		}
		return &peer.Target{Publish: b.publish}, nil
	},
	// The routed form is a map from user to channel.
	Route: func(readers int, t *reader.Tally) (*peer.Target, error) {
		var mu sync.RWMutex
		byUser := make(map[string]chan peer.Item, readers)
		ids := make([]string, readers)
		for i := range ids {
			ch := make(chan peer.Item, 16)
			ids[i] = userID(i)
			byUser[ids[i]] = ch
			go drain(ch, t)
		}
		return &peer.Target{Publish: func(it peer.Item, user int) {
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

func drain(ch <-chan peer.Item, t *reader.Tally) {
	for range ch {
		t.Got(1)
	}
}

type broker struct{ clients set[chan peer.Item] }

// clientQueue is how many events the peers that are written here keep for a client: the number in gorilla's chat
// example.
const clientQueue = 256

func (b *broker) join() chan peer.Item {
	ch := make(chan peer.Item, clientQueue)
	b.clients.add(ch)
	return ch
}

func (b *broker) publish(it peer.Item, _ int) {
	b.clients.each(func(ch chan peer.Item) {
		select {
		case ch <- it:
		default: // a slow client loses the event
		}
	})
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
	defer b.clients.remove(ch)
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

func writeEvent(w io.Writer, it peer.Item) error {
	_, err := fmt.Fprintf(w, "id: %s\nevent: %s\ndata: %s\n\n", it.ID, peer.EventName, it.Data)
	return err
}
