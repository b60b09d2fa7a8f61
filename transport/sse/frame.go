package sse

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// encoding is how a message looks on this transport; the frame is made once
// and shared by all streams.
var encoding = hub.NewEncoding(func(dst []byte, m *hub.Message) []byte {
	if e := m.Event(); e != nil {
		return e.AppendSSE(dst)
	}
	return event.AppendSSE(dst, m.ID().String(), string(m.Type()), m.Data())
})

// appendOpening appends how a stream begins: how long to wait before
// reconnecting, and where it starts. A named event with data, since some
// clients lose the id of a block that has nothing else.
func appendOpening(dst []byte, cursor string, retry time.Duration) []byte {
	return appendBeat(appendRetry(dst, retry), cursor)
}

func appendBeat(dst []byte, cursor string) []byte {
	return event.AppendSSE(dst, cursor, "stream.cursor", []byte("{}"))
}

func appendEnd(dst []byte, reason hub.Reason, cursor string, retry time.Duration) []byte {
	data, err := json.Marshal(map[string]string{"reason": string(reason)})
	if err != nil { // a string always marshals
		panic(err)
	}
	return event.AppendSSE(appendRetry(dst, retry), cursor, "stream.end", data)
}

func appendRetry(dst []byte, retry time.Duration) []byte {
	dst = append(dst, "retry: "...)
	dst = strconv.AppendInt(dst, retry.Milliseconds(), 10)
	return append(dst, '\n')
}

// appendBatch joins the frames of a batch.
func appendBatch(dst []byte, batch []*hub.Message) []byte {
	for _, m := range batch {
		dst = append(dst, m.Frame(encoding)...)
	}
	return dst
}
