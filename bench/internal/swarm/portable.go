package swarm

import (
	"net"
	"sync"
	"time"
)

// A portable serves each connection in a goroutine of its own.
type portable struct {
	swarm *Swarm
	work  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	conns  []net.Conn
}

func newPortable(s *Swarm) (network, error) { return &portable{swarm: s}, nil }

func (p *portable) dial(i int, addr string) error {
	a, err := parseAddr(addr)
	if err != nil {
		return err
	}
	p.work.Go(func() {
		err := p.serve(i, a.String())
		p.swarm.mu.Lock()
		p.swarm.lost(i, err)
		p.swarm.mu.Unlock()
		p.swarm.progressed()
	})
	return nil
}

func (p *portable) serve(i int, addr string) error {
	c, err := net.DialTimeout("tcp4", addr, 10*time.Second)
	if err != nil {
		return err
	}
	if !p.keep(c) {
		return net.ErrClosed
	}
	defer c.Close()
	c.(*net.TCPConn).SetLinger(0) // see epoll.dial
	if _, err := c.Write(p.swarm.request(i)); err != nil {
		return err
	}
	buf := make([]byte, 4<<10) // each has its own
	for {
		n, err := c.Read(buf)
		if err != nil {
			return err
		}
		p.swarm.mu.Lock()
		back, err := p.swarm.receive(i, buf[:n])
		p.swarm.mu.Unlock()
		p.swarm.progressed()
		if err == nil && back != nil {
			_, err = c.Write(back)
		}
		if err != nil {
			return err
		}
	}
}

// keep notes a connection, so that close finds it. It reports false, and
// closes the connection, if that has already been.
func (p *portable) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.Close()
		return false
	}
	p.conns = append(p.conns, c)
	return true
}

func (p *portable) close() {
	p.mu.Lock()
	p.closed = true
	for _, c := range p.conns {
		c.Close()
	}
	p.mu.Unlock()
	p.work.Wait()
}
