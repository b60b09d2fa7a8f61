package ws

import (
	"encoding/binary"
	"encoding/json"
	"time"

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
	dst = appendHeader(dst, opText, uint64(size))
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
	dst = append(dst, finBit|opcode)
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
	return len(frame) > 0 && frame[0] == finBit|opClose
}

// appendClose appends a close frame.
func appendClose(dst []byte, code int, text string) []byte {
	text = text[:min(len(text), maxCloseText)] // all of this package's are shorter
	dst = appendHeader(dst, opClose, uint64(2+len(text)))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, text...)
}

// maxCloseText is how many bytes of text a close frame has room for.
const maxCloseText = 123

func appendPing(dst []byte) []byte { return appendHeader(dst, opPing, 0) }

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

// The codes of close frames (RFC 6455, section 7.4, and the IANA registry).
const (
	closeNormal         = 1000
	closeProtocolError  = 1002
	closeUnsupported    = 1003
	closeInvalidPayload = 1007
	closePolicy         = 1008
	closeTooBig         = 1009
	closeInternalError  = 1011
	closeRestart        = 1012
	closeTryAgainLater  = 1013
)

// closeCode returns the code that goes with a reason.
func closeCode(reason hub.Reason) int {
	switch reason {
	case hub.ReasonShutdown:
		return closeRestart
	case hub.ReasonRevoked, hub.ReasonExpired, hub.ReasonAbusive:
		return closePolicy
	case hub.ReasonOverloaded, hub.ReasonUnavailable:
		return closeTryAgainLater
	}
	return closeNormal
}

// mustJSON marshals what always marshals.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
