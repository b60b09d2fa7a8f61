package netwrite

import (
	"net"
	"sync"
	"time"

	"github.com/crier-go/crier/transport/internal/tcp"
)

// An Extender moves the write deadline of a connection while a write hangs, for
// as long as the kernel tells that the client takes something or that its kernel
// answers. It is for writes that cannot be continued once their deadline has
// passed: those of net/http and of TLS.
//
// The deadline must be set to Timeout * 5 / 4 from now.
type Extender struct {
	Conn        net.Conn
	SetDeadline func(time.Time) error
	Timeout     time.Duration

	mu      sync.Mutex
	timer   *time.Timer
	writing bool
	stopped bool
	idle    int    // looks in a row that found no progress
	acked   uint64 // at the last look
}

// Begin is called before a write. It is told whether the deadline has been set
// for this write, or is still that of an earlier one.
func (e *Extender) Begin(deadlineSet bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.writing, e.idle, e.acked = true, 0, 0
	switch {
	case e.stopped:
	case e.timer == nil:
		e.timer = time.AfterFunc(e.Timeout, e.look)
	case deadlineSet:
		e.timer.Reset(e.Timeout)
	}
}

// End is called after a write.
func (e *Extender) End() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.writing = false
}

// Stop releases the timer. The deadline is not moved any more. Stop does nothing
// on nil.
func (e *Extender) Stop() {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopped = true
	if e.timer != nil {
		e.timer.Stop()
	}
}

// look is called when the timeout has passed since the deadline was set, a
// quarter of the timeout before the deadline.
func (e *Extender) look() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.writing || e.stopped {
		return
	}
	info, ok := tcp.InfoOf(e.Conn)
	if !ok {
		return
	}
	if info.Acked != e.acked {
		e.idle = 0
	}
	e.acked = info.Acked
	if e.idle++; e.idle >= ClosedWindow || !info.Answers(e.Timeout) {
		return
	}
	e.SetDeadline(time.Now().Add(e.Timeout * 5 / 4))
	e.timer.Reset(e.Timeout)
}
