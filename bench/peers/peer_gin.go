package main

import (
	"bytes"

	ginsse "github.com/gin-contrib/sse"
)

// ginEncoder is github.com/gin-contrib/sse, what gin writes events with; it encodes and does nothing else. Its string
// form of the data is the one that does not marshal it once more.
var ginEncoder = peer{
	name: "gin", title: "gin-contrib/sse", module: "github.com/gin-contrib/sse",
	encode: func(it item) (func(), error) {
		var buf bytes.Buffer
		e := ginsse.Event{Id: it.id, Event: eventName, Data: string(it.data)}
		return func() {
			buf.Reset()
			_ = ginsse.Encode(&buf, e)
		}, nil
	},
}
