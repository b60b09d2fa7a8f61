package ws

import "encoding/binary"

// A frameScanner parses the headers of the frames that a client sends (RFC 6455,
// section 5.2) for what gorilla does not report: it counts small fragments and
// notes a close frame.
type frameScanner struct {
	header    [14]byte // of the present frame
	have      uint8    // bytes of the header
	remaining uint64   // bytes of the payload
	closed    bool     // a close frame has come, whole
}

// smallFragment is the size below which a fragment counts as a message for the
// limiter. Larger ones are bounded by Options.ReadLimit.
const smallFragment = 1 << 10

// opContinuation is the opcode of all fragments of a message but the first.
const opContinuation = 0x0

// scan takes the next bytes and returns how many small fragments begin there.
func (s *frameScanner) scan(p []byte) (small int) {
	for len(p) > 0 && !s.closed {
		if s.remaining > 0 {
			n := min(s.remaining, uint64(len(p)))
			s.remaining -= n
			p = p[n:]
			s.closed = s.remaining == 0 && s.opcode() == opClose
			continue
		}
		if s.have == s.size() {
			s.have = 0 // the frame before is over
		}
		s.header[s.have] = p[0]
		s.have++
		p = p[1:]
		if s.have < s.size() {
			continue
		}
		s.remaining = s.length()
		if s.opcode() == opContinuation && s.remaining < smallFragment {
			small++
		}
		s.closed = s.remaining == 0 && s.opcode() == opClose
	}
	return small
}

// opClose is the opcode of a close frame.
const opClose = 0x8

func (s *frameScanner) opcode() byte { return s.header[0] & 0x0f }

// size returns how many bytes the header has, as far as is known.
func (s *frameScanner) size() uint8 {
	size := uint8(2)
	if s.have < 2 {
		return size
	}
	switch s.header[1] & 0x7f {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if s.header[1]&0x80 != 0 {
		size += 4 // the masking key
	}
	return size
}

// length returns the length of the payload. The header is whole.
func (s *frameScanner) length() uint64 {
	switch short := s.header[1] & 0x7f; short {
	case 126:
		return uint64(binary.BigEndian.Uint16(s.header[2:]))
	case 127:
		return binary.BigEndian.Uint64(s.header[2:])
	default:
		return uint64(short)
	}
}
