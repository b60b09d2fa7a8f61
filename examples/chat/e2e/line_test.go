package e2e

import (
	"io"
	"net"
	"sync"
	"testing"
)

// A line is a network between a browser and the chat that can break.
type line struct {
	listener net.Listener
	target   string
	wg       sync.WaitGroup

	mu     sync.Mutex
	broken bool
	conns  map[*net.TCPConn]bool
}

func newLine(t *testing.T, target string) *line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{listener: listener, target: target, conns: map[*net.TCPConn]bool{}}
	l.wg.Go(l.serve)
	t.Cleanup(func() {
		listener.Close()
		l.cut()
		l.wg.Wait()
	})
	return l
}

func (l *line) url() string { return "http://" + l.listener.Addr().String() }

func (l *line) serve() {
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.wg.Go(func() { l.carry(conn.(*net.TCPConn)) })
	}
}

func (l *line) carry(near *net.TCPConn) {
	if !l.add(near) {
		return
	}
	defer l.remove(near)
	conn, err := net.Dial("tcp", l.target)
	if err != nil {
		return
	}
	far := conn.(*net.TCPConn)
	if !l.add(far) {
		return
	}
	defer l.remove(far)
	var wg sync.WaitGroup
	for _, way := range [][2]*net.TCPConn{{near, far}, {far, near}} {
		wg.Go(func() {
			io.Copy(way[1], way[0])
			way[1].CloseWrite()
		})
	}
	wg.Wait()
}

// add reports whether the line holds; if it does not, the connection is gone.
func (l *line) add(c *net.TCPConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken {
		reset(c)
		return false
	}
	l.conns[c] = true
	return true
}

func (l *line) remove(c *net.TCPConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
	c.Close()
}

// cut breaks every connection, and every new one until mend is called.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = true
	for c := range l.conns {
		reset(c)
	}
}

func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = false
}

// reset closes a connection without a goodbye.
func reset(c *net.TCPConn) {
	c.SetLinger(0)
	c.Close()
}
