package event

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// AppendBinary appends the event in a compact form for another process of the same
// application; [Registry.DecodeBinary] reads it. It costs a tenth of the storage
// form, since the payload is neither escaped nor parsed again. It implements
// [encoding.BinaryAppender]. The error is that of a zero Event.
//
// The form is: the id and the user, of 16 bytes each; the time, as a varint of
// nanoseconds since 1970; the type, with its length as a uvarint before it; and the
// data.
func (e *Event) AppendBinary(dst []byte) ([]byte, error) {
	if e.info == nil {
		return dst, errors.New("event: a zero Event cannot be marshalled: events come from Kind.New and Registry.Decode")
	}
	dst = append(dst, e.id[:]...)
	dst = append(dst, e.user[:]...)
	dst = binary.AppendVarint(dst, e.time.Unix())
	dst = binary.AppendUvarint(dst, uint64(e.time.Nanosecond()))
	dst = binary.AppendUvarint(dst, uint64(len(e.info.Type)))
	dst = append(dst, e.info.Type...)
	return append(dst, e.data...), nil
}

// DecodeBinary reads an event that [Event.AppendBinary] has written. It does not
// retain b.
//
// The bytes are expected from the application itself, so the data is not parsed:
// it is only checked that it is one line of UTF-8, which is what framing relies
// on. If the registry does not have the type, the error wraps [ErrUnknownType];
// every other error wraps [ErrInvalidValue].
func (r *Registry) DecodeBinary(b []byte) (*Event, error) {
	invalid := func(what string) (*Event, error) {
		return nil, fmt.Errorf("%w: binary form: %s", ErrInvalidValue, what)
	}
	var e Event
	if len(b) < 2*len(e.id) {
		return invalid("it is cut short")
	}
	b = b[copy(e.id[:], b):]
	b = b[copy(e.user[:], b):]
	if !isV7(e.id) {
		return invalid("the id is not a version 7 UUID")
	}
	seconds, n := binary.Varint(b)
	if n <= 0 {
		return invalid("it is cut short")
	}
	b = b[n:]
	nanos, n := binary.Uvarint(b)
	if n <= 0 || nanos >= 1e9 {
		return invalid("the time is out of range")
	}
	b = b[n:]
	if e.time = time.Unix(seconds, int64(nanos)).UTC(); !writableYear(e.time) {
		return invalid("the time is out of range")
	}
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) || size > maxType {
		return invalid("the type is cut short")
	}
	b = b[n:]
	var err error
	if e.info, err = r.lookup(Type(b[:size])); err != nil {
		return nil, err
	}
	if b = b[size:]; len(b) == 0 || bytes.ContainsAny(b, "\r\n") || !utf8.Valid(b) {
		return invalid("the data is not one line of UTF-8")
	}
	e.data = json.RawMessage(bytes.Clone(b))
	e.readKey()
	return &e, nil
}
