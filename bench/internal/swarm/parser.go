package swarm

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// A parser takes the framing off what a server sends on one connection: the head of an HTTP response, then chunks,
// WebSocket frames, or neither. (A search through the raw bytes would miss a mark that a chunk or a frame cuts in two.)
// It keeps only a few bytes. The zero value is ready for use.
type parser struct {
	pong []byte // the frame that answers the last ping; the caller sends it and sets it to nil

	state  state
	opcode byte   // of the current frame
	left   uint64 // bytes of the current chunk or frame that are still to come
	held   []byte // an incomplete head, chunk size, frame header or ping payload
}

type state uint8

const (
	inHead state = iota
	inPlain
	inChunkSize
	inChunk
	inFrameHeader
	inFrame
	ended
)

// errEnded means that the server has ended the stream in the way its protocol prescribes.
var errEnded = errors.New("the server has ended the stream")

const longestHead = 16 << 10

// greeted reports whether the response's head has been read.
func (p *parser) greeted() bool { return p.state != inHead }

// feed reads the next bytes of the connection and calls content with each piece of data that the chunks or data frames
// in it carry. It returns errEnded, or why no client could read this. Then the connection is over.
func (p *parser) feed(b []byte, content func([]byte)) (err error) {
	for len(b) > 0 && err == nil {
		switch p.state {
		case inHead:
			b, err = p.head(b)
		case inPlain:
			content(b)
			return nil
		case inChunkSize:
			b, err = p.chunkSize(b)
		case inFrameHeader:
			b, err = p.frameHeader(b)
		case inChunk, inFrame:
			piece := b[:min(uint64(len(b)), p.left)]
			b, p.left = b[len(piece):], p.left-uint64(len(piece))
			switch {
			case p.state == inChunk || p.opcode < opClose:
				content(piece)
			case p.opcode == opPing:
				p.held = append(p.held, piece...)
			}
			if p.left == 0 {
				err = p.end()
			}
		case ended:
			return errEnded
		}
	}
	return err
}

func (p *parser) head(b []byte) (rest []byte, err error) {
	had := len(p.held)
	p.held = append(p.held, b...)
	end := bytes.Index(p.held, []byte("\r\n\r\n"))
	switch {
	case end > longestHead, end < 0 && len(p.held) > longestHead:
		return nil, errors.New("the response's head does not end")
	case end < 0:
		return nil, nil
	}
	head := bytes.ToLower(p.held[:end])
	p.held = nil
	status, _, _ := bytes.Cut(head, []byte("\r\n"))
	switch {
	case bytes.HasPrefix(status, []byte("http/1.1 101")):
		p.state = inFrameHeader
	case !bytes.HasPrefix(status, []byte("http/1.1 200")):
		return nil, fmt.Errorf("the server answered %q", status)
	case bytes.Contains(head, []byte("\r\ntransfer-encoding: chunked")):
		p.state = inChunkSize
	default:
		p.state = inPlain
	}
	return b[end+4-had:], nil
}

// chunkSize reads the first line of a chunk (RFC 9112, section 7.1), and the line break that ends the chunk before it.
func (p *parser) chunkSize(b []byte) (rest []byte, err error) {
	line, rest, complete := bytes.Cut(b, []byte("\n"))
	p.held = append(p.held, line...)
	size := bytes.TrimSpace(p.held)
	if len(size) > 8 { // a chunk of 4 GiB
		return nil, fmt.Errorf("%.20q is not the size of a chunk", size)
	}
	if !complete {
		return nil, nil
	}
	p.held = p.held[:0]
	if len(size) == 0 {
		return rest, nil
	}
	if p.left, err = strconv.ParseUint(string(size), 16, 32); err != nil {
		return nil, fmt.Errorf("the size of a chunk: %w", err)
	}
	if p.state = inChunk; p.left == 0 {
		p.state = ended
		return nil, errEnded
	}
	return rest, nil
}

// Opcodes of WebSocket frames (RFC 6455, section 5.2).
const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
)

// clientFrame returns a client's WebSocket frame. The payload has at most 125 bytes. A client's frames are masked; this
// mask is zero.
func clientFrame(opcode byte, payload []byte) []byte {
	return append([]byte{0x80 | opcode, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
}

// frameHeader reads the header of a server's frame (RFC 6455, section 5.2).
func (p *parser) frameHeader(b []byte) (rest []byte, err error) {
	for i, c := range b {
		p.held = append(p.held, c)
		if len(p.held) < 2 {
			continue
		}
		size, length := uint64(p.held[1]), 2
		switch {
		case size > 127:
			return nil, errors.New("the server has masked a frame")
		case size == 127:
			length = 10
		case size == 126:
			length = 4
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
		p.opcode, p.left, p.held, p.state = p.held[0]&15, size, p.held[:0], inFrame
		if size == 0 {
			err = p.end()
		}
		return b[i+1:], err
	}
	return nil, nil
}

// end ends the current chunk or frame.
func (p *parser) end() error {
	if p.state == inChunk {
		p.state = inChunkSize
		return nil
	}
	p.state = inFrameHeader
	switch p.opcode {
	case opClose:
		p.state = ended
		return errEnded
	case opPing:
		p.pong = clientFrame(opPong, p.held)
		p.held = p.held[:0]
	}
	return nil
}
