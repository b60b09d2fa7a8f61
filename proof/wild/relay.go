package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// A relay passes TCP connections on to the server and breaks them on demand.
// Clients and proxies connect to its address, which stays the same while the
// server behind it is replaced.
type relay struct {
	address string

	mu       sync.Mutex
	target   string
	listener net.Listener // nil during an outage
	links    map[*link]bool
	marks    map[string]bool // see cutAt
	accepts  sync.WaitGroup
}

// A link is one relayed connection.
type link struct{ client, server *net.TCPConn }

func newRelay(target string) (*relay, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &relay{
		address: l.Addr().String(), target: target,
		links: map[*link]bool{}, marks: map[string]bool{},
	}
	r.serve(l)
	return r, nil
}

// serve starts to accept connections.
func (r *relay) serve(l net.Listener) {
	r.mu.Lock()
	r.listener = l
	r.mu.Unlock()
	r.accepts.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go r.pass(c.(*net.TCPConn))
		}
	})
}

// setTarget replaces the server for new connections.
func (r *relay) setTarget(address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = address
}

// cutAt arms a mark: the first connection on which the server sends it is
// closed with a FIN in the middle of the mark.
func (r *relay) cutAt(mark string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.marks[mark] = true
}

// cutAll breaks every connection: with an orderly FIN, or with a RST.
func (r *relay) cutAll(reset bool) {
	r.mu.Lock()
	var links []*link
	for l := range r.links {
		links = append(links, l)
	}
	r.mu.Unlock()
	for _, l := range links {
		go l.cut(reset)
	}
}

// down begins an outage: nobody listens, and all connections are reset.
func (r *relay) down() {
	r.mu.Lock()
	l := r.listener
	r.listener = nil
	r.mu.Unlock()
	if l != nil {
		l.Close()
	}
	r.accepts.Wait()
	r.cutAll(true)
}

// up ends an outage.
func (r *relay) up() error {
	l, err := net.Listen("tcp", r.address)
	if err == nil {
		r.serve(l)
	}
	return err
}

// pass relays one connection until either side ends it.
func (r *relay) pass(client *net.TCPConn) {
	r.mu.Lock()
	target := r.target
	r.mu.Unlock()
	c, err := net.DialTimeout("tcp", target, 5*time.Second)
	if err != nil { // the server is being replaced
		client.SetLinger(0)
		client.Close()
		return
	}
	l := &link{client: client, server: c.(*net.TCPConn)}
	r.mu.Lock()
	r.links[l] = true
	r.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { r.copy(l.client, l.server, l, true) })
	r.copy(l.server, l.client, l, false)
	both.Wait()
	r.mu.Lock()
	delete(r.links, l)
	r.mu.Unlock()
	client.Close()
	c.Close()
}

// copy relays one direction. An end is passed on as what it was.
func (r *relay) copy(to, from *net.TCPConn, l *link, fromServer bool) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		b := buf[:n]
		if fromServer {
			if i := r.find(b); i >= 0 {
				to.Write(b[:i])
				l.cut(false)
				return
			}
		}
		if _, werr := to.Write(b); werr != nil && err == nil {
			err = werr
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				to.CloseWrite()
			} else {
				to.SetLinger(0)
				to.Close()
			}
			return
		}
	}
}

// find disarms an armed mark that is in b, and returns where its middle is.
func (r *relay) find(b []byte) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	for mark := range r.marks {
		if i := bytes.Index(b, []byte(mark)); i >= 0 {
			delete(r.marks, mark)
			return i + len(mark)/2
		}
	}
	return -1
}

// cut breaks one connection towards both sides. After a FIN it waits until the
// client has closed too, or a second, since closing with unread input would
// send a RST.
func (l *link) cut(reset bool) {
	if !reset {
		l.client.CloseWrite()
		l.client.SetReadDeadline(time.Now().Add(time.Second))
		l.server.CloseWrite()
		l.server.SetReadDeadline(time.Now().Add(time.Second))
		return
	}
	for _, c := range []*net.TCPConn{l.client, l.server} {
		c.SetLinger(0)
		c.Close()
	}
}
