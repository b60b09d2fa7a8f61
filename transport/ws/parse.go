package ws

import (
	"encoding/binary"
	"errors"
)

// The opcodes of RFC 6455, section 5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

const (
	finBit  = 0x80
	rsv1Bit = 0x40 // marks a compressed message (RFC 7692, section 6)
	rsvBits = 0x70
	maskBit = 0x80
)

// A message is what a parser has found: a message of the client, joined from its
// fragments, or a control frame.
type message struct {
	opcode     byte
	compressed bool
	payload    []byte // may be kept
}

// isControl reports whether an opcode is that of a control frame.
func isControl(opcode byte) bool { return opcode&0x8 != 0 }

// A parser parses the frames that a client sends (RFC 6455, section 5), in
// whatever pieces they come. Between messages it holds nothing. Its zero value is
// ready.
type parser struct {
	header   [14]byte // of the present frame
	have     uint8    // bytes of the header
	opcode   uint8    // of the message in progress; 0 if there is none
	skimming bool     // see skim
	deflate  bool     // compressed messages have been agreed on
	packed   bool     // the message in progress is compressed
	// small counts the small fragments that have come. The caller resets it.
	small     uint32
	remaining uint64   // bytes of the present frame's payload that have yet to come
	partial   *partial // what has come of the payloads; nil if that is nothing
}

// partial has what a parser holds within a message.
type partial struct {
	data    []byte // of the message in progress
	control []byte // of a control frame, which may come between its fragments
}

// smallFragment is the size below which a fragment counts as a message for the
// limiter. Larger ones are bounded by Options.ReadLimit.
const smallFragment = 1 << 10

// A protocolError says how a client has broken the protocol. The client reads it.
type protocolError string

func (e protocolError) Error() string { return string(e) }

// errReadLimit means that a message is longer than it may be.
var errReadLimit = errors.New("ws: a message is too long")

// skim makes the parser look for a close frame only, and accept everything. It is
// for what comes after this side's close frame.
func (p *parser) skim() {
	p.skimming, p.partial = true, nil
}

// between reports whether the parser is between messages.
func (p *parser) between() bool { return p.have == 0 && p.opcode == 0 }

// next parses b, up to the end of a message or of a control frame, and returns
// what is left of b. If b ends before that, ok is false. A message may have no
// more than limit bytes. After an error, the parser skims.
func (p *parser) next(b []byte, limit int64) (m message, rest []byte, ok bool, err error) {
	defer func() {
		if err != nil {
			p.skim()
		}
	}()
	for {
		for p.have < p.size() {
			if len(b) == 0 {
				return m, nil, false, nil
			}
			p.header[p.have] = b[0]
			p.have++
			b = b[1:]
			if p.have == 2 && !p.skimming {
				if err := p.check(); err != nil {
					if p.have == p.size() {
						p.remaining = p.length()
					}
					return m, b, false, err
				}
			}
			if p.have == p.size() {
				if err := p.begin(limit); err != nil {
					return m, b, false, err
				}
			}
		}
		n := min(p.remaining, uint64(len(b)))
		p.take(b[:n])
		b = b[n:]
		if p.remaining > 0 {
			return m, nil, false, nil
		}
		if m, ok = p.end(); ok {
			return m, b, true, nil
		}
	}
}

// check checks the first two bytes of a frame.
func (p *parser) check() error {
	first, second := p.header[0], p.header[1]
	opcode, reserved := first&0xf, first&rsvBits
	if p.deflate && (opcode == opText || opcode == opBinary) {
		reserved &^= rsv1Bit
	}
	switch {
	case reserved != 0:
		return protocolError("reserved bits are set, and no extension was agreed on")
	case second&maskBit == 0:
		return protocolError("a frame of a client must be masked")
	case opcode > opPong, opcode > opBinary && !isControl(opcode):
		return protocolError("unknown opcode")
	case isControl(opcode) && first&finBit == 0:
		return protocolError("a control frame must not be fragmented")
	case isControl(opcode) && second&^maskBit > 125:
		return protocolError("a control frame has at most 125 bytes")
	case opcode == opContinuation && p.opcode == 0:
		return protocolError("a continuation of nothing")
	case (opcode == opText || opcode == opBinary) && p.opcode != 0:
		return protocolError("a message within another")
	}
	return nil
}

// begin is called when the header of a frame has come.
func (p *parser) begin(limit int64) error {
	p.remaining = p.length()
	opcode := p.header[0] & 0xf
	if p.skimming || isControl(opcode) {
		return nil
	}
	switch {
	case opcode != opContinuation:
		p.opcode, p.packed = opcode, p.header[0]&rsv1Bit != 0
	case p.remaining < smallFragment:
		p.small++
	}
	joined := 0
	if p.partial != nil {
		joined = len(p.partial.data)
	}
	if p.remaining > uint64(limit-int64(joined)) {
		return errReadLimit
	}
	return nil
}

// take takes the next bytes of the payload.
func (p *parser) take(b []byte) {
	at := p.length() - p.remaining // what came before
	p.remaining -= uint64(len(b))
	if len(b) == 0 || p.skimming {
		return
	}
	if p.partial == nil {
		p.partial = &partial{}
	}
	to := &p.partial.data
	if isControl(p.header[0] & 0xf) {
		to = &p.partial.control
	}
	start := len(*to)
	*to = append(*to, b...)
	mask := p.header[p.have-4 : p.have]
	for i := range (*to)[start:] {
		(*to)[start+i] ^= mask[(at+uint64(i))%4]
	}
}

// end is called at the end of a frame. It returns the message that ends there, if
// one does.
func (p *parser) end() (m message, ok bool) {
	opcode, final := p.header[0]&0xf, p.header[0]&finBit != 0
	p.have = 0
	switch {
	case p.skimming:
		return message{opcode: opcode}, opcode == opClose
	case isControl(opcode):
		m.opcode = opcode
		if p.partial != nil {
			m.payload, p.partial.control = p.partial.control, nil
		}
	case final:
		m.opcode, m.compressed = p.opcode, p.packed
		p.opcode = 0
		if p.partial != nil {
			m.payload = p.partial.data
		}
	default:
		return m, false
	}
	if p.opcode == 0 {
		p.partial = nil
	}
	return m, true
}

// size returns how many bytes the header has, as far as is known.
func (p *parser) size() uint8 {
	size := uint8(2)
	if p.have < 2 {
		return size
	}
	switch p.header[1] &^ maskBit {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if p.header[1]&maskBit != 0 {
		size += 4 // the masking key
	}
	return size
}

// length returns the length of the payload. The header is whole.
func (p *parser) length() uint64 {
	switch short := p.header[1] &^ maskBit; short {
	case 126:
		return uint64(binary.BigEndian.Uint16(p.header[2:]))
	case 127:
		return binary.BigEndian.Uint64(p.header[2:])
	default:
		return uint64(short)
	}
}
