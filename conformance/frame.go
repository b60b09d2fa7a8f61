package conformance

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// sse returns the bytes that a server of Crier sends for a message over
// Server-Sent Events.
func (f *Frame) sse() []byte {
	var b bytes.Buffer
	if f.Retry != nil {
		fmt.Fprintf(&b, "retry: %d\n", *f.Retry)
	}
	if f.ID != nil {
		fmt.Fprintf(&b, "id: %s\n", *f.ID)
	}
	fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", f.Event, f.data())
	return b.Bytes()
}

// message returns the text message that a server of Crier sends over WebSocket.
// ref is that of the message that it may answer, as JSON, or empty.
func (f *Frame) message(ref json.RawMessage) []byte {
	data := f.data()
	if f.Retry != nil {
		data = appendMember(data, "retry", strconv.Itoa(*f.Retry))
	}
	if f.Answers && len(ref) > 0 {
		data = appendMember(data, "ref", string(ref))
	}
	if f.ID == nil {
		return fmt.Appendf(nil, `{"event":%q,"data":%s}`, f.Event, data)
	}
	return fmt.Appendf(nil, `{"id":%q,"event":%q,"data":%s}`, *f.ID, f.Event, data)
}

// appendMember appends a member to a JSON object.
func appendMember(object []byte, name, value string) []byte {
	object = fmt.Appendf(bytes.TrimSuffix(object, []byte("}")), `,%q:%s}`, name, value)
	return bytes.Replace(object, []byte("{,"), []byte("{"), 1)
}

func (f *Frame) data() []byte {
	if f.Fill > 0 {
		return fill(f.Fill)
	}
	var b bytes.Buffer
	if json.Compact(&b, f.Data) != nil {
		return f.Data
	}
	return b.Bytes()
}

func fill(n int) []byte { return []byte(`"` + strings.Repeat("x", n) + `"`) }

// The opcodes of WebSocket (RFC 6455, section 5.2).
const (
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xa
)

// wsFrame returns an unmasked frame.
func wsFrame(opcode byte, payload []byte) []byte {
	const fin = 0x80
	b := []byte{fin | opcode}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, payload...)
}
