package ws

import (
	"encoding/binary"
	"encoding/json"
	"time"

	"github.com/gorilla/websocket"

	"github.com/crier-go/crier/hub"
)

// encoding is this transport's encoding of a message. Frames from a server are
// not masked (RFC 6455, section 5.1), so the same bytes serve every client.
var encoding = hub.NewEncoding(func(dst []byte, m *hub.Message) []byte {
	return appendMessage(dst, idOf(m), string(m.Type()), m.Data())
})

// idOf returns the id that a message has on the wire. An ephemeral event has none.
func idOf(m *hub.Message) string {
	if e := m.Event(); e != nil && e.Ephemeral() {
		return ""
	}
	return m.ID().String()
}

// appendMessage appends {"id":...,"event":...,"data":...} as one text frame.
// An empty id is left out. Types are plain ASCII by their rule, and ids UUIDs,
// so neither needs escaping; application names are checked in Client.Send.
func appendMessage(dst []byte, id, event string, data []byte) []byte {
	size := len(`{"event":"","data":}`) + len(event) + len(data)
	if id != "" {
		size += len(`"id":"",`) + len(id)
	}
	dst = appendHeader(dst, websocket.TextMessage, uint64(size))
	return appendObject(dst, id, event, data)
}

// appendObject appends the object without a frame.
func appendObject(dst []byte, id, event string, data []byte) []byte {
	dst = append(dst, '{')
	if id != "" {
		dst = append(dst, `"id":"`...)
		dst = append(dst, id...)
		dst = append(dst, `",`...)
	}
	dst = append(dst, `"event":"`...)
	dst = append(dst, event...)
	dst = append(dst, `","data":`...)
	dst = append(dst, data...)
	return append(dst, '}')
}

// appendHeader appends the header of an unmasked, unfragmented frame (RFC
// 6455, section 5.2).
func appendHeader(dst []byte, opcode byte, size uint64) []byte {
	const fin = 0x80
	dst = append(dst, fin|opcode)
	switch {
	case size < 126:
		return append(dst, byte(size))
	case size < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, 126), uint16(size))
	default:
		return binary.BigEndian.AppendUint64(append(dst, 127), size)
	}
}

// isClose reports whether a frame of ours is a close frame.
func isClose(frame []byte) bool {
	return len(frame) > 0 && frame[0] == 0x80|websocket.CloseMessage
}

// appendClose appends a close frame.
func appendClose(dst []byte, code int, text string) []byte {
	const most = 123 // bytes of text (RFC 6455, section 5.5); ours are shorter
	text = text[:min(len(text), most)]
	dst = appendHeader(dst, websocket.CloseMessage, uint64(2+len(text)))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, text...)
}

func appendPing(dst []byte) []byte { return appendHeader(dst, websocket.PingMessage, 0) }

func appendOpening(dst []byte, cursor string, retry time.Duration) []byte {
	return appendMessage(dst, cursor, "stream.cursor", mustJSON(map[string]int64{"retry": retry.Milliseconds()}))
}

// appendEnd appends stream.end and the close frame.
func appendEnd(dst []byte, reason hub.Reason, cursor string, retry time.Duration) []byte {
	dst = appendMessage(dst, cursor, "stream.end", mustJSON(struct {
		Reason hub.Reason `json:"reason"`
		Retry  int64      `json:"retry"`
	}{reason, retry.Milliseconds()}))
	return appendClose(dst, closeCode(reason), string(reason))
}

// closeCode returns the code that goes with a reason (RFC 6455, section 7.4,
// and 1012 and 1013 from the IANA registry).
func closeCode(reason hub.Reason) int {
	switch reason {
	case hub.ReasonShutdown:
		return websocket.CloseServiceRestart
	case hub.ReasonRevoked, hub.ReasonExpired, hub.ReasonAbusive:
		return websocket.ClosePolicyViolation
	case hub.ReasonOverloaded, hub.ReasonUnavailable:
		return websocket.CloseTryAgainLater
	}
	return websocket.CloseNormalClosure
}

// mustJSON marshals what always marshals.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
