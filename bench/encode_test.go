package bench

import (
	"bytes"
	"encoding/json"
	"testing"
	_ "unsafe" // for linkname

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	_ "github.com/crier-go/crier/transport/sse"
	_ "github.com/crier-go/crier/transport/ws"
)

// The transports' own encodings. They are not exported, because only this
// benchmark uses them. If one is renamed, this file does not link.
//
//go:linkname sseEncoding github.com/crier-go/crier/transport/sse.encoding
var sseEncoding *hub.Encoding

//go:linkname wsEncoding github.com/crier-go/crier/transport/ws.encoding
var wsEncoding *hub.Encoding

var sizes = []int{typical, large}

// mapRegistry has a kind whose payload is a map.
var (
	mapRegistry event.Registry
	mapKind     = event.Define[map[string]any](&mapRegistry, "portfolio", "portfolio.balance.updated", "A balance has changed.")
)

// BenchmarkNew makes an event of a payload, which marshals the payload.
func BenchmarkNew(b *testing.B) {
	for _, size := range sizes {
		p := payload(size)
		m := map[string]any{
			"account_id": p.AccountID, "previous_balance": p.Previous, "new_balance": p.New,
			"currency": p.Currency, "note": p.Note,
		}
		user := userID(0)
		for _, from := range []struct {
			name string
			make func() (*event.Event, error)
		}{
			{"struct", func() (*event.Event, error) { return kinds[0].New(user, p) }},
			{"map", func() (*event.Event, error) { return mapKind.New(user, m) }},
		} {
			b.Run("size="+count(size)+"/payload="+from.name, func(b *testing.B) {
				b.ReportAllocs()
				var e *event.Event
				var err error
				for b.Loop() {
					if e, err = from.make(); err != nil {
						b.Fatal(err)
					}
				}
				if len(e.Data()) != size {
					b.Fatalf("the data has %d bytes, want %d", len(e.Data()), size)
				}
			})
		}
	}
}

// BenchmarkFrame gets the encoded frame of messages. The first call for a message
// encodes it; later calls return the same bytes.
func BenchmarkFrame(b *testing.B) {
	for _, transport := range []struct {
		name     string
		encoding *hub.Encoding
	}{{"sse", sseEncoding}, {"ws", wsEncoding}} {
		for _, size := range sizes {
			encoding := transport.encoding
			where := "transport=" + transport.name + "/size=" + count(size)
			b.Run(where+"/asked=first", func(b *testing.B) {
				b.ReportAllocs()
				fresh := newMessages(b, size)
				var messages []*hub.Message
				var frame []byte
				for b.Loop() {
					if len(messages) == 0 { // each has only one first call
						b.StopTimer()
						messages = fresh()
						b.StartTimer()
					}
					frame = messages[0].Frame(encoding)
					messages = messages[1:]
				}
				if len(frame) < size {
					b.Fatalf("a frame has %d bytes: %s", len(frame), frame)
				}
			})
			b.Run(where+"/asked=again", func(b *testing.B) {
				b.ReportAllocs()
				m := newMessages(b, size)()[0]
				first := m.Frame(encoding)
				frame := first
				for b.Loop() {
					frame = m.Frame(encoding)
				}
				if &frame[0] != &first[0] {
					b.Fatal("the frame was encoded again")
				}
			})
		}
	}
}

// newMessages returns a function that returns some hundred messages that have not
// been encoded.
func newMessages(b *testing.B, size int) func() []*hub.Message {
	h := newHub(b, nil)
	s := subscribe(b, h, 0, hub.Everything(), nil)
	b.Cleanup(s.Close)
	e, err := kinds[0].New(userID(0), payload(size))
	if err != nil {
		b.Fatal(err)
	}
	return func() (messages []*hub.Message) {
		const atOnce = 512 // as many as a user's log retains of the large ones
		for range atOnce {
			broadcast(b, h, e)
		}
		for len(messages) < atOnce {
			batch, err := s.Take(nil)
			if err != nil || len(batch) == 0 {
				b.Fatalf("%d of %d messages were to be had: %v", len(messages), atOnce, err)
			}
			messages = append(messages, batch...)
		}
		return messages
	}
}

// BenchmarkStore encodes an event for storage or another process, and decodes it.
func BenchmarkStore(b *testing.B) {
	for _, size := range sizes {
		e, err := kinds[0].New(userID(0), payload(size))
		if err != nil {
			b.Fatal(err)
		}
		stored, err := e.MarshalJSON()
		if err != nil {
			b.Fatal(err)
		}
		b.Run("size="+count(size)+"/do=encode", func(b *testing.B) {
			b.ReportAllocs()
			var got []byte
			for b.Loop() {
				if got, err = e.MarshalJSON(); err != nil {
					b.Fatal(err)
				}
			}
			if !json.Valid(got) {
				b.Fatalf("not JSON: %s", got)
			}
		})
		b.Run("size="+count(size)+"/do=decode", func(b *testing.B) {
			b.ReportAllocs()
			var got *event.Event
			for b.Loop() {
				if got, err = registry.Decode(stored); err != nil {
					b.Fatal(err)
				}
			}
			if got.ID() != e.ID() || !bytes.Equal(got.Data(), e.Data()) {
				b.Fatalf("decoded %v, want %v", got, e)
			}
		})
	}
}
