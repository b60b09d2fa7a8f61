package peer

import (
	"bytes"

	ginsse "github.com/gin-contrib/sse"
)

// ginEncoder is github.com/gin-contrib/sse, what gin writes events with; it encodes and does nothing else. Its string
// form of the data is the one that does not marshal it once more.
var ginEncoder = Peer{
	Name: "gin", Title: "gin-contrib/sse", Module: "github.com/gin-contrib/sse",
	Encode: func(it Item) (func(), error) {
		var buf bytes.Buffer
		e := ginsse.Event{Id: it.ID, Event: eventName, Data: string(it.Data)}
		return func() {
			buf.Reset()
			_ = ginsse.Encode(&buf, e)
		}, nil
	},
}
