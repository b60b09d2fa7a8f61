package memnet

import (
	"net"
	"time"
)

// A Slow is a connection that is read slowly: some bytes at most, and a pause
// before each time. The fields may be changed between reads.
type Slow struct {
	net.Conn
	Pause time.Duration
	Bytes int
}

func (s *Slow) Read(p []byte) (int, error) {
	time.Sleep(s.Pause)
	return s.Conn.Read(p[:min(len(p), s.Bytes)])
}
