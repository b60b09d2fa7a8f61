package swarm

import "bytes"

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
