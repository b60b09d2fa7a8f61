// Package wire takes the framing off what a server sends to a client that
// listens: the head of an HTTP response, then chunks, or WebSocket frames, or
// neither. It is for clients that must cost next to nothing: they look for
// events in what is left, and no event is missed because a chunk or a frame
// cut it in two.
package wire

import (
	"bytes"
	"errors"
	"fmt"
)

// A Parser reads what a server sends on one connection. It keeps no more than
// a few bytes of what went by. The zero value is ready for use.
type Parser struct {
	// Pong is the frame that answers the last ping. Whoever sends it sets it to
	// nil.
	Pong []byte

	state   state
	webSock bool   // frames follow the head
	opcode  byte   // of the frame that is being read
	left    uint64 // bytes of the chunk or frame that are still to come
	held    []byte // the head, a frame's header or a ping's payload while they are incomplete
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

// ErrEnded means that the server has ended the stream in the way its protocol
// has for it.
var ErrEnded = errors.New("the server has ended the stream")

const (
	longestHead  = 16 << 10
	largestChunk = 1 << 30
)

// Greeted reports whether the response's head has been read.
func (p *Parser) Greeted() bool { return p.state != inHead }

// Feed reads the next bytes of the connection, and hands on, piece by piece,
// what the chunks or the data frames in it carry. It returns ErrEnded, or why
// no client could read this; then the connection is of no more use.
func (p *Parser) Feed(b []byte, content func([]byte)) (err error) {
	for len(b) > 0 && err == nil {
		switch p.state {
		case inHead:
			b, err = p.head(b)
		case inPlain:
			content(b)
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
			p.content(b[:n], content)
			b, p.left = b[n:], p.left-n
			if p.left == 0 {
				err = p.unitDone()
			}
		case ended:
			return ErrEnded
		}
	}
	return err
}

func (p *Parser) head(b []byte) ([]byte, error) {
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
func (p *Parser) chunkSize(b []byte) ([]byte, error) {
	for i, c := range b {
		switch {
		case c == '\r':
		case c == '\n' && p.left == 0:
			p.state = ended
			return nil, ErrEnded
		case c == '\n':
			p.state = inChunkData
			return b[i+1:], nil
		case '0' <= c && c <= '9':
			p.left = p.left<<4 | uint64(c-'0')
		case 'a' <= c && c <= 'f':
			p.left = p.left<<4 | uint64(c-'a'+10)
		case 'A' <= c && c <= 'F':
			p.left = p.left<<4 | uint64(c-'A'+10)
		default:
			return nil, fmt.Errorf("%q in the size of a chunk", c)
		}
		if p.left > largestChunk {
			return nil, errors.New("a chunk is larger than 1 GiB")
		}
	}
	return nil, nil
}

// Text is the opcode of a frame with text.
const Text = 1

const (
	opClose = 8
	opPing  = 9
	opPong  = 10
)

// ClientFrame returns a WebSocket frame of a client, whose payload has at most
// 125 bytes. A client's frames are masked; a mask of zeros is one.
func ClientFrame(opcode byte, payload []byte) []byte {
	return append([]byte{0x80 | opcode, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
}

// frameHeader reads the header of an unmasked frame (RFC 6455, section 5.2).
func (p *Parser) frameHeader(b []byte) ([]byte, error) {
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

// content hands on a piece of a chunk's or a frame's data, if it is of the
// application's.
func (p *Parser) content(b []byte, content func([]byte)) {
	switch {
	case p.state == inChunkData || p.opcode < opClose:
		content(b)
	case p.opcode == opPing:
		p.held = append(p.held, b...)
	}
}

// unitDone is where a chunk or a frame ends.
func (p *Parser) unitDone() error {
	if !p.webSock {
		p.state = inChunkEnd
		return nil
	}
	p.state = inFrameHeader
	switch p.opcode {
	case opClose:
		p.state = ended
		return ErrEnded
	case opPing:
		p.Pong = ClientFrame(opPong, p.held)
		p.held = p.held[:0]
	}
	return nil
}
