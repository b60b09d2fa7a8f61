package sse

import (
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/crier-go/crier/transport/internal/netwrite"
	"github.com/crier-go/crier/transport/internal/tcp"
)

// An extender moves the write deadline of an HTTP/1.1 connection while a write
// hangs, for as long as the kernel tells that the client takes something or that
// its kernel answers. (net/http cannot go on once a deadline has passed.)
type extender struct {
	conn    net.Conn
	rc      *http.ResponseController
	timeout time.Duration

	mu      sync.Mutex
	timer   *time.Timer
	writing bool
	aborted bool
	looks   int    // in a row that found nothing taken
	acked   uint64 // at the last look
}

// begin is called before a write, with whether its deadline has been set anew.
func (e *extender) begin(deadlineSet bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.writing, e.looks, e.acked = true, 0, 0
	switch {
	case e.timer == nil:
		e.timer = time.AfterFunc(e.timeout, e.look)
	case deadlineSet:
		e.timer.Reset(e.timeout)
	}
}

// end is called after a write.
func (e *extender) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.writing = false
}

// stop is called when nothing more is written.
func (e *extender) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.aborted = true
	if e.timer != nil {
		e.timer.Stop()
	}
}

// look is called a timeout after a deadline was set; a quarter of a timeout
// before it passes.
func (e *extender) look() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.writing || e.aborted {
		return
	}
	info, ok := tcp.InfoOf(e.conn)
	if !ok {
		return
	}
	if info.Acked != e.acked {
		e.looks = 0
	}
	e.acked = info.Acked
	if e.looks++; e.looks >= netwrite.ClosedWindow || !info.Answers(e.timeout) {
		return
	}
	e.rc.SetWriteDeadline(time.Now().Add(e.timeout * 5 / 4))
	e.timer.Reset(e.timeout)
}
