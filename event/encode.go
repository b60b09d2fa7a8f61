package event

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// AppendSSE appends the event as one frame of a text/event-stream, which ends with
// a blank line:
//
//	id: 01980d5e-9d2c-7cc1-8a51-5b2ab0e8f0c4
//	event: chat.message.posted
//	data: {"from":"ada","text":"hello"}
//
// An [Ephemeral] event has no id line: it is
// never replayed, so its id must not become the id that a client resumes from.
// The payload of a [Text] kind is written as text, in a data line for each line of
// it. For other kinds, AppendSSE does not allocate if dst has enough capacity.
func (e *Event) AppendSSE(dst []byte) []byte {
	// Nothing needs to be checked here: defined types, and data from New or Decode,
	// contain no line ends and no invalid UTF-8.
	name := e.Type()
	dst = slices.Grow(dst, len("id: \nevent: \ndata: \n\n")+36+len(name)+len(e.data))
	if !e.Ephemeral() {
		dst = append(dst, "id: "...)
		dst = appendUUID(dst, e.id)
		dst = append(dst, '\n')
	}
	dst = append(dst, "event: "...)
	dst = append(dst, name...)
	dst = append(dst, "\ndata: "...)
	if e.kind().Text {
		return append(appendLines(dst, e.text()), "\n\n"...)
	}
	dst = append(dst, e.data...)
	return append(dst, "\n\n"...)
}

// text returns the string that the data of a Text kind is, or the data as it is
// if that is no string: it may have been decoded.
func (e *Event) text() []byte {
	var text string
	if json.Unmarshal(e.data, &text) != nil {
		return e.data
	}
	return []byte(text)
}

// AppendSSE appends one frame of a text/event-stream: the lines id, event and data,
// in this order, and a blank line. Whatever the arguments contain, a client reads
// exactly one event from the frame:
//
//   - Data is split at CR, LF and CRLF into several data lines, which a client
//     joins with LF. Empty data becomes one empty data line, because clients drop
//     frames without data.
//   - If id or name is empty, its line is omitted. CR, LF and NUL are removed from
//     both, because neither field can contain them.
//   - Each byte that is not UTF-8 becomes U+FFFD.
//
// It does not allocate if dst has enough capacity.
func AppendSSE(dst []byte, id, name string, data []byte) []byte {
	dst = slices.Grow(dst, len("id: \nevent: \ndata: \n\n")+len(id)+len(name)+len(data))
	dst = appendSSEField(dst, "id: ", id)
	dst = appendSSEField(dst, "event: ", name)
	dst = append(dst, "data: "...)
	if bytes.IndexByte(data, '\n') < 0 && bytes.IndexByte(data, '\r') < 0 {
		dst = appendUTF8(dst, data)
	} else {
		dst = appendLines(dst, data)
	}
	return append(dst, "\n\n"...)
}

// appendLines appends data and begins a new data line at every CR, LF and CRLF.
func appendLines(dst, data []byte) []byte {
	for {
		end := bytes.IndexAny(data, "\r\n")
		if end < 0 {
			return appendUTF8(dst, data)
		}
		dst = appendUTF8(dst, data[:end])
		dst = append(dst, "\ndata: "...)
		if bytes.HasPrefix(data[end:], []byte("\r\n")) {
			end++
		}
		data = data[end+1:]
	}
}

func appendSSEField(dst []byte, field, value string) []byte {
	if value == "" {
		return dst
	}
	start := len(dst)
	dst = append(dst, field...)
	if isPlain(value) {
		dst = append(dst, value...)
		return append(dst, '\n')
	}
	empty := len(dst)
	for _, c := range value { // c is U+FFFD for a byte that is not UTF-8
		if c != 0 && c != '\r' && c != '\n' {
			dst = utf8.AppendRune(dst, c)
		}
	}
	if len(dst) == empty { // an empty id line would make the client forget its last id
		return dst[:start]
	}
	return append(dst, '\n')
}

// isPlain reports whether s can be written unchanged: ASCII without CR, LF and NUL.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || c == 0 || c == '\r' || c == '\n' {
			return false
		}
	}
	return true
}

// appendUTF8 appends b, with U+FFFD for each byte that is not UTF-8.
func appendUTF8(dst, b []byte) []byte {
	if utf8.Valid(b) {
		return append(dst, b...)
	}
	for len(b) > 0 {
		c, size := utf8.DecodeRune(b)
		dst = utf8.AppendRune(dst, c)
		b = b[size:]
	}
	return dst
}

// repairUTF8 returns b if it is valid UTF-8, and otherwise a repaired copy. JSON
// stays JSON, because invalid bytes can occur in its strings only.
func repairUTF8(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	return appendUTF8(nil, b)
}

// appendUUID appends the canonical form of id. Unlike uuid.UUID.String, it does not
// allocate.
func appendUUID(dst []byte, id uuid.UUID) []byte {
	var b [36]byte
	hex.Encode(b[0:8], id[0:4])
	b[8] = '-'
	hex.Encode(b[9:13], id[4:6])
	b[13] = '-'
	hex.Encode(b[14:18], id[6:8])
	b[18] = '-'
	hex.Encode(b[19:23], id[8:10])
	b[23] = '-'
	hex.Encode(b[24:36], id[10:16])
	return append(dst, b[:]...)
}

// The keys of the storage form.
const (
	keyID   = "event_id"
	keyType = "event_type"
	keyUser = "user_id"
	keyData = "data"
	keyTime = "occurred_at"
)

const (
	microseconds = "2006-01-02T15:04:05.000000Z07:00"
	nanoseconds  = "2006-01-02T15:04:05.000000000Z07:00"
)

// MarshalJSON returns the event in its storage form: an object with the keys
// event_id, event_type, user_id, data and occurred_at, in this order. The time is
// in UTC and in RFC 3339, with microseconds, or with nanoseconds if it has any.
// [Registry.Decode] reads this form.
func (e *Event) MarshalJSON() ([]byte, error) {
	if e.info == nil {
		return nil, errors.New("event: a zero Event cannot be marshalled: events come from Kind.New and Registry.Decode")
	}
	layout := microseconds
	if e.time.Nanosecond()%int(time.Microsecond) != 0 {
		layout = nanoseconds
	}
	// encoding/json would validate and compact the data again, which costs more than
	// all of this. The keys, both ids and the time fit into 200 bytes.
	dst := make([]byte, 0, 200+len(e.info.Type)+len(e.data))
	dst = append(dst, `{"`+keyID+`":"`...)
	dst = appendUUID(dst, e.id)
	dst = append(dst, `","`+keyType+`":"`...)
	dst = append(dst, e.info.Type...)
	dst = append(dst, `","`+keyUser+`":"`...)
	dst = appendUUID(dst, e.user)
	dst = append(dst, `","`+keyData+`":`...)
	dst = append(dst, e.data...)
	dst = append(dst, `,"`+keyTime+`":"`...)
	dst = e.time.AppendFormat(dst, layout)
	return append(dst, `"}`...), nil
}

// Decode reads an event from its storage form, which [Event.MarshalJSON] writes.
// Unknown keys are ignored. If a key occurs twice, the last one counts.
//
// If a key is missing, or a key other than data is null, the error wraps
// [ErrMissingField]. If the registry does not have the type, it wraps
// [ErrUnknownType]. Every other error wraps [ErrInvalidValue]. The bytes may come
// from an untrusted source: Decode does not panic, and its errors do not quote the
// input, except for the beginning of an unknown type.
//
// Ids must be in the canonical form of 36 characters, and the event's id must have
// version 7. The time may have any offset and is converted to UTC. The data is
// compacted, and bytes in it that are not UTF-8 become U+FFFD. Decode does not check
// that the data fits the Go type of the payload: [Kind.Payload] does. Decode does
// not retain b.
func (r *Registry) Decode(b []byte) (*Event, error) {
	// A map, because encoding/json ignores case when it matches the fields of a
	// struct, and does not distinguish null from absent.
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return nil, fmt.Errorf("%w: not JSON: %w", ErrInvalidValue, syntax)
		}
		return nil, fmt.Errorf("%w: not a JSON object", ErrInvalidValue)
	}
	if fields == nil { // null
		return nil, fmt.Errorf("%w: not a JSON object", ErrInvalidValue)
	}
	for _, key := range []string{keyID, keyType, keyUser, keyData, keyTime} {
		if value, ok := fields[key]; !ok || string(value) == "null" && key != keyData {
			return nil, fmt.Errorf("%w: %s", ErrMissingField, key)
		}
	}

	var e Event
	t, err := decodeString(fields, keyType)
	if err != nil {
		return nil, err
	}
	if e.info, err = r.lookup(Type(t)); err != nil {
		return nil, err
	}
	if e.id, err = decodeUUID(fields, keyID); err != nil {
		return nil, err
	}
	if !isV7(e.id) {
		return nil, fmt.Errorf("%w: %s: not a version 7 UUID", ErrInvalidValue, keyID)
	}
	if e.user, err = decodeUUID(fields, keyUser); err != nil {
		return nil, err
	}
	if e.time, err = decodeTime(fields, keyTime); err != nil {
		return nil, err
	}
	var data bytes.Buffer
	if err := json.Compact(&data, fields[keyData]); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrInvalidValue, keyData, err)
	}
	e.data = slices.Clip(repairUTF8(data.Bytes()))
	e.readKey()
	return &e, nil
}

// readKey finds the key of a decoded event of a [Latest] kind.
func (e *Event) readKey() {
	if !e.info.Latest {
		return
	}
	payload := reflect.New(e.info.Payload)
	if json.Unmarshal(e.data, payload.Interface()) == nil {
		e.key = e.info.key.of(payload.Elem().Interface())
	}
}

func decodeString(fields map[string]json.RawMessage, key string) (string, error) {
	var s string
	if json.Unmarshal(fields[key], &s) != nil { // its error may quote the value
		return "", fmt.Errorf("%w: %s: not a JSON string", ErrInvalidValue, key)
	}
	return s, nil
}

func decodeUUID(fields map[string]json.RawMessage, key string) (uuid.UUID, error) {
	s, err := decodeString(fields, key)
	if err != nil {
		return uuid.Nil, err
	}
	id, err := uuid.Parse(s)
	if err != nil || len(s) != 36 { // Parse also reads urn:uuid:, braces and bare digits
		return uuid.Nil, fmt.Errorf("%w: %s: not a UUID in its canonical form of 36 characters", ErrInvalidValue, key)
	}
	return id, nil
}

func decodeTime(fields map[string]json.RawMessage, key string) (time.Time, error) {
	s, err := decodeString(fields, key)
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339, s)
	// Parse also reads an hour of one digit and a comma before the fraction.
	if err != nil || s[len("2006-01-02T15")] != ':' || strings.Contains(s, ",") {
		// Parse's own error would quote the value.
		return time.Time{}, fmt.Errorf("%w: %s: not a time as RFC 3339 writes it", ErrInvalidValue, key)
	}
	t = t.UTC()
	if !writableYear(t) {
		return time.Time{}, fmt.Errorf("%w: %s: in UTC the year is not within 0 to 9999", ErrInvalidValue, key)
	}
	return t, nil
}
