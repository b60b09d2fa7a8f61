package swarm

import (
	"bytes"
	"errors"
	"fmt"
)

// A parser reads what a server sends on one connection: the head of the HTTP
// response, then the body in the framing that the head announced. It finds the
// stamps of events in it, wherever reads, chunks or frames cut them in two,
// and keeps no more than a few bytes of what went by.
type parser struct {
	state   state
	webSock bool   // frames follow the head
	opcode  byte   // of the frame that is being read
	left    uint64 // bytes of the chunk or frame that are still to come
	held    []byte // the head, a frame's header or a ping's payload while they are incomplete
	scanner scanner
	pong    []byte // the answer that a ping wants
}

type state uint8

const (
	inHead state = iota
	inPlain
	inChunkSize
	inChunkData
	inChunkEnd
	inFrameHeader
	inFrameData
	ended
)

// errEnded means that the server has ended the stream in the way its protocol
// has for it.
var errEnded = errors.New("the server has ended the stream")

const longestHead = 16 << 10

// greeted reports whether the response's head has been read.
func (p *parser) greeted() bool { return p.state != inHead }

// feed reads the next bytes of the connection, and calls found with each stamp.
func (p *parser) feed(b []byte, found func(stamp int64)) (err error) {
	for len(b) > 0 && err == nil {
		switch p.state {
		case inHead:
			b, err = p.head(b)
		case inPlain:
			p.scanner.feed(b, found)
			return nil
		case inChunkSize:
			b, err = p.chunkSize(b)
		case inChunkEnd:
			if b[0] == '\n' {
				p.state, p.left = inChunkSize, 0
			}
			b = b[1:]
		case inFrameHeader:
			b, err = p.frameHeader(b)
		case inChunkData, inFrameData:
			n := min(uint64(len(b)), p.left)
			p.content(b[:n], found)
			b, p.left = b[n:], p.left-n
			if p.left == 0 {
				err = p.unitDone()
			}
		case ended:
			return errEnded
		}
	}
	return err
}

func (p *parser) head(b []byte) ([]byte, error) {
	had := len(p.held)
	p.held = append(p.held, b...)
	end := bytes.Index(p.held, []byte("\r\n\r\n"))
	if end+4 > longestHead || end < 0 && len(p.held) > longestHead {
		return nil, errors.New("the response's head does not end")
	}
	if end < 0 {
		return nil, nil
	}
	head := bytes.ToLower(p.held[:end])
	p.held = nil
	status, _, _ := bytes.Cut(head, []byte("\r\n"))
	switch {
	case bytes.HasPrefix(status, []byte("http/1.1 101")):
		p.webSock, p.state = true, inFrameHeader
	case !bytes.HasPrefix(status, []byte("http/1.1 200")):
		return nil, fmt.Errorf("the server answered %q", status)
	case bytes.Contains(head, []byte("\r\ntransfer-encoding: chunked")):
		p.state = inChunkSize
	default:
		p.state = inPlain
	}
	return b[end+4-had:], nil
}

// chunkSize reads a chunk's first line (RFC 9112, section 7.1).
func (p *parser) chunkSize(b []byte) ([]byte, error) {
	for i, c := range b {
		switch {
		case c == '\r':
		case c == '\n' && p.left == 0:
			p.state = ended
			return nil, errEnded
		case c == '\n':
			p.state = inChunkData
			return b[i+1:], nil
		case '0' <= c && c <= '9':
			p.left = p.left<<4 | uint64(c-'0')
		case 'a' <= c && c <= 'f':
			p.left = p.left<<4 | uint64(c-'a'+10)
		default:
			return nil, fmt.Errorf("%q in the size of a chunk", c)
		}
	}
	return nil, nil
}

const (
	opClose = 8
	opPing  = 9
	opPong  = 10
)

// frameHeader reads the header of an unmasked frame (RFC 6455, section 5.2).
func (p *parser) frameHeader(b []byte) ([]byte, error) {
	for i, c := range b {
		p.held = append(p.held, c)
		if len(p.held) < 2 {
			continue
		}
		size, length := uint64(p.held[1]), 2
		switch size {
		case 126:
			length = 4
		case 127:
			length = 10
		}
		if size > 127 {
			return nil, errors.New("the server has masked a frame")
		}
		if len(p.held) < length {
			continue
		}
		if length > 2 {
			size = 0
			for _, c := range p.held[2:] {
				size = size<<8 | uint64(c)
			}
		}
		p.opcode, p.left, p.held, p.state = p.held[0]&15, size, p.held[:0], inFrameData
		if size == 0 {
			return b[i+1:], p.unitDone()
		}
		return b[i+1:], nil
	}
	return nil, nil
}

// content reads a piece of a chunk's or a frame's data.
func (p *parser) content(b []byte, found func(int64)) {
	switch {
	case p.state == inChunkData || p.opcode < opClose:
		p.scanner.feed(b, found)
	case p.opcode == opPing:
		p.held = append(p.held, b...)
	}
}

// unitDone is where a chunk or a frame ends.
func (p *parser) unitDone() error {
	if !p.webSock {
		p.state = inChunkEnd
		return nil
	}
	p.state = inFrameHeader
	switch p.opcode {
	case opClose:
		p.state = ended
		return errEnded
	case opPing:
		// A client's frames are masked; a mask of zeros is one.
		p.pong = append([]byte{0x80 | opPong, 0x80 | byte(len(p.held)), 0, 0, 0, 0}, p.held...)
		p.held = p.held[:0]
	}
	return nil
}

// Stamp is how the data of every event begins that a swarm understands. A
// number follows it: when the event was due, in nanoseconds of Unix time.
const Stamp = `{"at":`

// A scanner finds stamps in a stream of bytes. It remembers how much of one it
// has seen, so that it does not matter where the stream is cut.
type scanner struct {
	seen   int // bytes of Stamp
	number int64
}

func (s *scanner) feed(b []byte, found func(stamp int64)) {
	for len(b) > 0 {
		switch c := b[0]; {
		case s.seen == 0:
			i := bytes.IndexByte(b, Stamp[0])
			if i < 0 {
				return
			}
			s.seen, b = 1, b[i+1:]
		case s.seen < len(Stamp) && c == Stamp[s.seen]:
			s.seen++
			b = b[1:]
		case s.seen < len(Stamp): // perhaps it begins here
			s.seen = 0
		case '0' <= c && c <= '9':
			s.number = s.number*10 + int64(c-'0')
			b = b[1:]
		default:
			found(s.number)
			*s = scanner{}
		}
	}
}
