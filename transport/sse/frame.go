package sse

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport/internal/netwrite"
)

// encoding is how a message looks on this transport: an event of the stream, as
// one chunk (RFC 9112, section 7.1). The frame is made once and shared by all
// streams. A lean stream writes a single frame as it is; net/http makes chunks
// itself, so it gets what is inside, see unchunked.
var encoding = hub.NewEncoding(func(dst []byte, m *hub.Message) []byte {
	start := len(dst)
	return closeChunk(appendEvent(append(dst, chunkRoom...), m), start)
})

func appendEvent(dst []byte, m *hub.Message) []byte {
	if e := m.Event(); e != nil {
		return e.AppendSSE(dst)
	}
	return event.AppendSSE(dst, m.ID().String(), string(m.Type()), m.Data())
}

// chunkRoom is room for the longest chunk header: eight digits and a line end.
const chunkRoom = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// closeChunk makes a chunk of what lies behind start and its chunkRoom.
func closeChunk(dst []byte, start int) []byte {
	payload := dst[start+len(chunkRoom):]
	var digits [len(chunkRoom)]byte
	header := append(strconv.AppendInt(digits[:0], int64(len(payload)), 16), "\r\n"...)
	n := copy(dst[start:], header)
	n += copy(dst[start+n:], payload)
	return append(dst[:start+n], "\r\n"...)
}

// lastChunk ends a response.
const lastChunk = "0\r\n\r\n"

// unchunked returns what a frame holds.
func unchunked(frame []byte) []byte {
	return frame[bytes.IndexByte(frame, '\n')+1 : len(frame)-len("\r\n")]
}

// appendPiece joins messages from the beginning of a batch, at least one and no
// more than a write should have, and returns those that are left.
func (b *body) appendPiece(dst []byte, batch []*hub.Message) (piece []byte, rest []*hub.Message) {
	start := len(dst)
	for i, m := range batch {
		chunk, sum := b.chunk(m)
		frame := unchunked(chunk)
		if i > 0 && len(dst)-start+len(frame) > netwrite.PieceBytes {
			return dst, batch[i:]
		}
		b.add(sum)
		dst = append(dst, frame...)
	}
	return dst, nil
}

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
