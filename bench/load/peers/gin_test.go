package peers

import (
	"bytes"

	ginsse "github.com/gin-contrib/sse"

	"github.com/crier-go/crier/bench/load/internal/peer"
)

// ginEncoder is github.com/gin-contrib/sse, what gin writes events with; it encodes and does nothing else. Its string
// form of the data is the one that does not marshal it once more.
var ginEncoder = peer.Peer{
	Name: "gin", Title: "gin-contrib/sse", Module: "github.com/gin-contrib/sse",
	Encode: func(it peer.Item) (func(), error) {
		var buf bytes.Buffer
		e := ginsse.Event{Id: it.ID, Event: peer.EventName, Data: string(it.Data)}
		return func() {
			buf.Reset()
			_ = ginsse.Encode(&buf, e)
		}, nil
	},
}
