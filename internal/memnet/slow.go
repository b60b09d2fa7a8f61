package memnet

import (
	"net"
	"time"
)

// A Slow is a connection that is read slowly: each Read first sleeps for Pause,
// and reads at most Bytes. The fields may be changed between reads.
type Slow struct {
	net.Conn
	Pause time.Duration
	Bytes int
}

func (s *Slow) Read(p []byte) (int, error) {
	time.Sleep(s.Pause)
	return s.Conn.Read(p[:min(len(p), s.Bytes)])
}
