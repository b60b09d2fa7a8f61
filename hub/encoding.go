package hub

import "sync/atomic"

// An Encoding is a transport's way to write a message. Make one per transport
// in a package variable: the hub caches what it produces on each message.
type Encoding struct {
	encode func(dst []byte, m *Message) []byte
}

// encodings counts those that this process has: each message may come to hold
// one frame of each.
var encodings atomic.Int64

// NewEncoding returns an encoding that appends a message's frame to dst. The
// function must depend on the message alone, and must not keep dst.
func NewEncoding(encode func(dst []byte, m *Message) []byte) *Encoding {
	encodings.Add(1)
	return &Encoding{encode: encode}
}

// A frame is a message in one encoding. A message has one or two, so a list
// is the quickest map.
type frame struct {
	encoding *Encoding
	bytes    []byte
	next     *frame
}

// Frame returns the message in encoding e, encoded when it is first asked for
// and shared from then on. The result must not be modified.
func (m *Message) Frame(e *Encoding) []byte {
	for f := m.frames.Load(); f != nil; f = f.next {
		if f.encoding == e {
			return f.bytes
		}
	}
	return m.encode(e)
}

func (m *Message) encode(e *Encoding) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := m.frames.Load()
	for f := first; f != nil; f = f.next {
		if f.encoding == e {
			return f.bytes
		}
	}
	f := &frame{encoding: e, bytes: e.encode(make([]byte, 0, m.item.Size), m), next: first}
	m.frames.Store(f)
	return f.bytes
}
