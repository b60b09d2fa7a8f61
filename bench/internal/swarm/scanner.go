package swarm

import "bytes"

// Mark is what an event's data contains once, in front of the event's number in decimal digits. Nothing else that a
// server sends contains it, and no JSON encoder escapes it. The numbers that one connection receives increase.
const Mark = "~#"

// Probe is a number that shows that a connection is subscribed. It is not counted as a delivery.
const Probe = 0

// A scanner finds numbered marks in a stream of bytes, however the stream is cut into pieces.
type scanner struct {
	seen   int // bytes of Mark
	digits int
	number int64
}

// feed calls found for each number that ends in b.
func (s *scanner) feed(b []byte, found func(number int64)) {
	for len(b) > 0 {
		switch c := b[0]; {
		case s.seen == 0:
			i := bytes.IndexByte(b, Mark[0])
			if i < 0 {
				return
			}
			s.seen, b = 1, b[i+1:]
		case s.seen == 1 && c == Mark[1]:
			s.seen, b = 2, b[1:]
		case s.seen == 2 && '0' <= c && c <= '9':
			s.number = s.number*10 + int64(c-'0')
			s.digits++
			b = b[1:]
		default:
			if s.digits > 0 {
				found(s.number)
			}
			*s = scanner{} // c may begin the next mark
		}
	}
}
