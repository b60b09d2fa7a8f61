package backplanetest

import (
	"bytes"
	"io"
	"net"
	"sync"
	"time"
)

// A Proxy is a TCP proxy on 127.0.0.1 between the processes of a test and their
// engine. It can break connections, make them half-open, delay what passes and
// take the engine away. All methods are safe for concurrent use.
type Proxy struct {
	listener net.Listener
	done     sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at every change
	target  string
	conns   map[net.Conn]struct{}
	closed  bool
	away    bool
	silent  bool
	delay   time.Duration
}

// NewProxy returns a Proxy in front of the TCP address target. Close releases
// it.
func NewProxy(target string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: l, target: target, changed: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	p.done.Go(p.accept)
	return p, nil
}

// Addr returns the address, host:port, to which processes connect.
func (p *Proxy) Addr() string {
	return p.listener.Addr().String()
}

// Close closes the listener and all connections, and returns when all
// goroutines of the proxy have ended.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.mu.Lock()
	p.closed = true
	p.cutLocked()
	p.mu.Unlock()
	p.done.Wait()
	return err
}

// SetTarget changes where new connections lead, such as to an engine that was
// restarted on another port.
func (p *Proxy) SetTarget(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// Cut closes all connections. New ones are possible at once.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutLocked()
}

// SetAway closes all connections, and every new one as soon as it is made, until
// SetAway(false).
func (p *Proxy) SetAway(away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = away
	if away {
		p.cutLocked()
	}
}

// SetSilent makes all connections half-open, also new ones: they stay open, but
// nothing passes in either direction, not even the end of a connection. After
// SetSilent(false) they go on with what was held back.
func (p *Proxy) SetSilent(silent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = silent
	p.changeLocked()
}

// SetDelay delays what passes from now on by d in each direction. Zero is no
// delay.
func (p *Proxy) SetDelay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

func (p *Proxy) cutLocked() {
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
	p.changeLocked()
}

func (p *Proxy) changeLocked() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.done.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	p.mu.Lock()
	target, refuse := p.target, p.away || p.closed
	p.mu.Unlock()
	if refuse {
		return
	}
	engine, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer engine.Close()

	p.mu.Lock()
	refuse = p.away || p.closed
	p.conns[client], p.conns[engine] = struct{}{}, struct{}{}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, client)
		delete(p.conns, engine)
	}()
	if refuse {
		return
	}

	var both sync.WaitGroup
	both.Go(func() { p.pass(client.(*net.TCPConn), engine.(*net.TCPConn)) })
	both.Go(func() { p.pass(engine.(*net.TCPConn), client.(*net.TCPConn)) })
	both.Wait()
}

// A parcel is what was read at once.
type parcel struct {
	data []byte
	due  time.Time
}

// pass copies from one connection to the other. If from ends, so does what is
// written to the other; if either breaks, both are closed.
func (p *Proxy) pass(from, to *net.TCPConn) {
	parcels := make(chan parcel, 64)
	stop := make(chan struct{})
	var end error
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(parcels)
		end = p.read(from, parcels, stop)
	})
	broken := false
	for c := range parcels {
		if d := time.Until(c.due); d > 0 {
			time.Sleep(d)
		}
		if !p.audible(to) {
			broken = true
			break
		}
		if _, err := to.Write(c.data); err != nil {
			broken = true
			break
		}
	}
	p.audible(to) // the end of a connection is held back too
	close(stop)
	if broken {
		from.Close()
	}
	reading.Wait()
	if end == io.EOF && !broken {
		to.CloseWrite()
		return
	}
	from.Close()
	to.Close()
}

// read reads until the connection ends, or stop is closed.
func (p *Proxy) read(from net.Conn, parcels chan<- parcel, stop <-chan struct{}) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			p.mu.Lock()
			due := time.Now().Add(p.delay)
			p.mu.Unlock()
			select {
			case parcels <- parcel{bytes.Clone(buf[:n]), due}:
			case <-stop:
				return nil
			}
		}
		if err != nil {
			return err
		}
	}
}

// audible waits while the proxy is silent. It reports whether the connection is
// still to be used.
func (p *Proxy) audible(c net.Conn) bool {
	for {
		p.mu.Lock()
		_, open := p.conns[c]
		silent, closed, changed := p.silent, p.closed || p.away, p.changed
		p.mu.Unlock()
		if !open || closed {
			return false
		}
		if !silent {
			return true
		}
		<-changed
	}
}
