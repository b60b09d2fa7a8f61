package memnet

import (
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
)

// A Server serves a handler to connections in memory.
type Server struct {
	HTTP *http.Server
	Wrap func(net.Conn) net.Conn // if set, wraps the server's ends of connections

	t        testing.TB
	mu       sync.Mutex
	conns    []*Conn // the server's ends
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

// Serve serves a handler until the test is over. Whatever net/http logs, such as
// a handler's panic, fails the test. The options are applied before the server
// starts.
func Serve(t testing.TB, handler http.Handler, options ...func(*Server)) *Server {
	s := &Server{t: t, accepted: make(chan net.Conn), closed: make(chan struct{})}
	s.HTTP = &http.Server{Handler: handler, ErrorLog: log.New(failing{t}, "net/http: ", 0), Protocols: &http.Protocols{}}
	s.HTTP.Protocols.SetHTTP1(true)
	s.HTTP.Protocols.SetUnencryptedHTTP2(true) // for clients that ask for it
	for _, option := range options {
		option(s)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		s.HTTP.Serve(listener{s})
	}()
	t.Cleanup(func() {
		s.HTTP.Close()
		<-served
	})
	return s
}

// Dial opens a connection and returns the client's end, which is closed when the
// test is over.
func (s *Server) Dial() *Conn {
	client, server := Pipe()
	s.t.Cleanup(func() { client.Close() })
	s.mu.Lock()
	s.conns = append(s.conns, server)
	s.mu.Unlock()
	accepted := net.Conn(server)
	if s.Wrap != nil {
		accepted = s.Wrap(server)
	}
	select {
	case s.accepted <- accepted:
	case <-s.closed:
		s.t.Error("memnet: dialled a server that is closed")
	}
	return client
}

// Cut closes all connections at the server's end, as if the server's process had
// been killed.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
}

type listener struct{ *Server }

func (l listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l listener) Addr() net.Addr { return addr{} }

type failing struct{ t testing.TB }

func (f failing) Write(p []byte) (int, error) {
	f.t.Errorf("%s", p)
	return len(p), nil
}
