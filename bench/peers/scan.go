package main

import (
	"bytes"
	"errors"
	"fmt"
)

// A stream reads what a server sends on one connection: the head of the HTTP response, then the body in whatever
// framing the head announced, and counts the markers in it. It holds no more than a few bytes of what went by, so
// that fifty thousand of them are cheap, and it does not care where reads, chunks or frames cut a marker in two.
//
// The framing is taken apart, rather than searched through, because a marker that is cut by a chunk's or a frame's
// header would otherwise be taken for a lost event.
type stream struct {
	state   streamState
	chunked bool // the head announced Transfer-Encoding: chunked
	upgrade bool // the head was 101: WebSocket frames follow
	opcode  byte
	left    uint64 // bytes of the current chunk or frame that are still to come
	head    []byte // the response's head while it is incomplete; a frame's header, a ping's payload later

	tail [markerSize]byte // the beginning of a marker that the last segment ended with
	tn   int

	last     uint64 // highest sequence number seen
	count    uint64 // events counted, probes aside
	disorder uint64 // events whose number did not exceed the one before: doubled or out of order
	probed   bool   // at least one marker, be it a probe, has arrived

	pong []byte // payload of a ping that wants an answer; nil if none does
}

type streamState uint8

const (
	inHead streamState = iota
	inPlain
	inChunkSize
	inChunkData
	inChunkEnd
	inFrameHeader
	inFrameData
	atEnd
)

const maxHead = 16 << 10

var errStreamEnded = errors.New("the server ended the stream")

// feed takes the next bytes off the wire. It returns errStreamEnded at the last chunk or a close frame, and another
// error for a response that no client could read.
func (s *stream) feed(b []byte) error {
	for len(b) > 0 {
		var err error
		switch s.state {
		case inHead:
			b, err = s.feedHead(b)
		case inPlain:
			s.scan(b)
			b = nil
		case inChunkSize, inChunkEnd:
			b, err = s.feedChunkLine(b)
		case inChunkData, inFrameData:
			n := min(uint64(len(b)), s.left)
			s.content(b[:n])
			b, s.left = b[n:], s.left-n
			if s.left == 0 {
				err = s.unitDone()
			}
		case inFrameHeader:
			b, err = s.feedFrameHeader(b)
		case atEnd:
			return errStreamEnded
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *stream) feedHead(b []byte) ([]byte, error) {
	had := len(s.head)
	s.head = append(s.head, b...)
	end := bytes.Index(s.head, []byte("\r\n\r\n"))
	if end < 0 {
		if len(s.head) > maxHead {
			return nil, errors.New("the response's head does not end")
		}
		return nil, nil
	}
	rest := b[end+4-had:]
	head := bytes.ToLower(s.head[:end])
	s.head = nil
	status, _, _ := bytes.Cut(head, []byte("\r\n"))
	switch {
	case bytes.HasPrefix(status, []byte("http/1.1 101")):
		s.upgrade = true
		s.state = inFrameHeader
	case bytes.HasPrefix(status, []byte("http/1.1 200")):
		s.state = inPlain
		if bytes.Contains(head, []byte("\r\ntransfer-encoding: chunked")) {
			s.chunked = true
			s.state = inChunkSize
		}
	default:
		return nil, fmt.Errorf("the server answered %q", status)
	}
	return rest, nil
}

// feedChunkLine reads a chunk's size line, or the line end that follows a chunk's data.
func (s *stream) feedChunkLine(b []byte) ([]byte, error) {
	for i, c := range b {
		if s.state == inChunkEnd {
			if c == '\n' {
				s.state = inChunkSize
				s.left = 0
			}
			continue
		}
		switch {
		case c == '\n':
			if s.left == 0 {
				s.state = atEnd
				return nil, errStreamEnded
			}
			s.state = inChunkData
			return b[i+1:], nil
		case c == '\r':
		case c >= '0' && c <= '9':
			s.left = s.left<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			s.left = s.left<<4 | uint64(c-'a'+10)
		case c >= 'A' && c <= 'F':
			s.left = s.left<<4 | uint64(c-'A'+10)
		default:
			return nil, fmt.Errorf("byte %q in a chunk's size", c)
		}
		if s.left > 1<<30 {
			return nil, errors.New("a chunk is larger than 1 GiB")
		}
	}
	return nil, nil
}

const (
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xA
)

func (s *stream) feedFrameHeader(b []byte) ([]byte, error) {
	for i, c := range b {
		s.head = append(s.head, c)
		if len(s.head) < 2 {
			continue
		}
		size := s.head[1] & 0x7f
		need := 2
		switch size {
		case 126:
			need = 4
		case 127:
			need = 10
		}
		if len(s.head) < need {
			continue
		}
		if s.head[1]&0x80 != 0 {
			return nil, errors.New("the server masked a frame")
		}
		s.opcode = s.head[0] & 0x0f
		s.left = uint64(size)
		if need > 2 {
			s.left = 0
			for _, x := range s.head[2:need] {
				s.left = s.left<<8 | uint64(x)
			}
		}
		s.head = s.head[:0]
		s.state = inFrameData
		if s.left == 0 {
			return b[i+1:], s.unitDone()
		}
		return b[i+1:], nil
	}
	return nil, nil
}

// content is a piece of a chunk's or a frame's data.
func (s *stream) content(b []byte) {
	switch {
	case !s.upgrade || s.opcode < opClose:
		s.scan(b)
	case s.opcode == opPing:
		s.head = append(s.head, b...)
	}
}

// unitDone is called where a chunk or a frame ends.
func (s *stream) unitDone() error {
	if !s.upgrade {
		s.state = inChunkEnd
		return nil
	}
	s.state = inFrameHeader
	switch s.opcode {
	case opClose:
		s.state = atEnd
		return errStreamEnded
	case opPing:
		s.pong = append([]byte{}, s.head...)
		s.head = s.head[:0]
	}
	return nil
}

// scan looks for markers in b, which continues what the previous call was given.
func (s *stream) scan(b []byte) {
	if s.tn > 0 {
		n := copy(s.tail[s.tn:], b)
		if s.tn+n < markerSize {
			s.tn += n
			return
		}
		whole := s.tail
		s.tn = 0
		if !s.match(whole[:]) {
			s.scan(whole[1:]) // a marker may begin within what was kept
		}
		s.scan(b[n:])
		return
	}
	for {
		i := bytes.IndexByte(b, markerStart)
		if i < 0 {
			return
		}
		b = b[i:]
		if len(b) < markerSize {
			s.tn = copy(s.tail[:], b)
			return
		}
		if s.match(b) {
			b = b[markerSize:]
		} else {
			b = b[1:]
		}
	}
}

// match counts the marker that b begins with, if it begins with one.
func (s *stream) match(b []byte) bool {
	if b[0] != markerStart || b[1] != markerSecond {
		return false
	}
	var seq uint64
	for _, c := range b[2:markerSize] {
		if c < '0' || c > '9' {
			return false
		}
		seq = seq*10 + uint64(c-'0')
	}
	s.probed = true
	if seq == probeSeq {
		return true
	}
	s.count++
	if seq <= s.last {
		s.disorder++
	} else {
		s.last = seq
	}
	return true
}
