package main

import (
	"bytes"

	"github.com/crier-go/crier/bench/internal/wire"
)

// A stream counts the markers in what a server sends on one connection. It holds no more than a few bytes of what went
// by, so that thousands of them are cheap, and it does not care where reads, chunks or frames cut a marker in two.
//
// The framing is taken apart, rather than searched through, because a marker that is cut by a chunk's or a frame's
// header would otherwise be taken for a lost event.
type stream struct {
	parser wire.Parser

	tail [markerSize]byte // the beginning of a marker that the last segment ended with
	tn   int

	last     uint64 // highest sequence number seen
	count    uint64 // events counted, probes aside
	disorder uint64 // events whose number did not exceed the one before: doubled or out of order
	probed   bool   // at least one marker, be it a probe, has arrived
}

// feed takes the next bytes off the wire. Its errors are those of wire.Parser.
func (s *stream) feed(b []byte) error { return s.parser.Feed(b, s.scan) }

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
