package swarm

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

const patience = 10 * time.Second

const okHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"

// serve answers every connection with what handle writes.
func serve(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.Read(make([]byte, 1024)) // the request
				handle(c)
			}()
		}
	}()
	return l.Addr().String()
}

func open(t *testing.T, addr string, onEvent func(int64)) *Swarm {
	t.Helper()
	s, err := New(Target{Addrs: []string{addr}, Request: Request("/sse", false), Slowest: true}, new(Board), onEvent)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCounts(t *testing.T) {
	more := make(chan struct{})
	addr := serve(t, func(c net.Conn) {
		fmt.Fprintf(c, "%s\r\n", okHead)
		for _, n := range []int{Probe, 100, 200, 200, 150, 300} { // two of them out of order
			fmt.Fprintf(c, "data: {\"n\":\"~#%d\"}\n\n", n)
		}
		<-more
	})
	window := 0
	s := open(t, addr, func(n int64) {
		if n >= 200 {
			window++
		}
	})
	const clients = 300 // more than handshakes
	if err := s.Connect(clients, patience); err != nil {
		t.Fatal(err)
	}
	if err := s.Await(5*clients, patience); err != nil {
		t.Fatal(err)
	}
	got := []int64{s.Connected.Load(), s.Ready.Load(), s.Delivered.Load(), s.Disorder.Load(), s.Closed.Load()}
	if want := []int64{clients, clients, 5 * clients, 2 * clients, 0}; !slices.Equal(got, want) {
		t.Errorf("connected, ready, delivered, disorder, closed: %v, want %v", got, want)
	}
	s.Locked(func() {
		if window != 3*clients {
			t.Errorf("%d events in the window, want %d", window, 3*clients)
		}
		s.storeSlowest(time.Now().Add(time.Second))
	})
	if n := s.Slowest.Load(); n != 300 {
		t.Errorf("the slowest is at %d, want 300", n)
	}
	if err := s.Await(6*clients, 20*time.Millisecond); err == nil {
		t.Error("Await of what never comes returned no error")
	}
	close(more) // the server hangs up
	if err := s.Await(6*clients, patience); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("Await on closed connections: %v", err)
	}
}

func TestConnectFails(t *testing.T) {
	for name, handle := range map[string]func(net.Conn){
		"refused":  func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 503 Service Unavailable\r\n\r\n") },
		"hung up":  func(net.Conn) {},
		"half-way": func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 200") },
	} {
		s := open(t, serve(t, handle), nil)
		if err := s.Connect(3, patience); err == nil || !strings.Contains(err.Error(), "before it was answered") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTargetMustBeLocal(t *testing.T) {
	_, err := New(Target{Addrs: []string{"192.0.2.1:80"}}, new(Board), nil)
	if err == nil || !strings.Contains(err.Error(), "not on this machine") {
		t.Errorf("a distant address: %v", err)
	}
}

func TestConnectGivesUp(t *testing.T) {
	quiet := make(chan struct{})
	defer close(quiet)
	s := open(t, serve(t, func(net.Conn) { <-quiet }), nil)
	if err := s.Connect(2, 20*time.Millisecond); err == nil || !strings.Contains(err.Error(), "0 of 2") {
		t.Errorf("a server that never answers: %v", err)
	}
}
