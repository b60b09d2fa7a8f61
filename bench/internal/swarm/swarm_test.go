package swarm

import (
	"fmt"
	"net"
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

// networks are tried alike: the quick one of this system, and the other.
func networks(t *testing.T, f func(t *testing.T, open func(addr string) *Swarm)) {
	for name, network := range map[string]func(*Swarm) (network, error){"own": newNetwork, "portable": newPortable} {
		t.Run(name, func(t *testing.T) {
			f(t, func(addr string) *Swarm {
				s, err := newSwarm(Target{Addrs: []string{addr}, Path: "/sse"}, network)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(s.Close)
				return s
			})
		})
	}
}

func TestCounts(t *testing.T) {
	networks(t, func(t *testing.T, open func(string) *Swarm) {
		more := make(chan struct{})
		addr := serve(t, func(c net.Conn) {
			fmt.Fprintf(c, "%s\r\n", okHead)
			for _, at := range []int{100, 200, 200, 150, 300} { // two of them wrong
				fmt.Fprintf(c, "data: {\"at\":%d}\n\n", at)
			}
			<-more
		})
		s := open(addr)
		s.Since(200)
		const clients = 300 // more than handshakes
		if err := s.Connect(clients, patience); err != nil {
			t.Fatal(err)
		}
		if err := s.Await(5*clients, patience); err != nil {
			t.Fatal(err)
		}
		c, latency := s.Settle(3*clients, patience)
		if want := (Counts{Clients: clients, Delivered: 5 * clients, Disorder: 2 * clients, Window: 3 * clients}); c != want {
			t.Errorf("counts: %+v, want %+v", c, want)
		}
		if latency.Total != 3*clients {
			t.Errorf("%d latencies, want %d", latency.Total, 3*clients)
		}
		if err := s.Await(6*clients, 20*time.Millisecond); err == nil {
			t.Error("Await of what never comes returned no error")
		}
		close(more) // the server hangs up
		if err := s.Await(6*clients, patience); err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("Await on closed connections: %v", err)
		}
	})
}

func TestConnectFails(t *testing.T) {
	networks(t, func(t *testing.T, open func(string) *Swarm) {
		for name, handle := range map[string]func(net.Conn){
			"refused":  func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 503 Service Unavailable\r\n\r\n") },
			"hung up":  func(net.Conn) {},
			"half-way": func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 200") },
		} {
			s := open(serve(t, handle))
			if err := s.Connect(3, patience); err == nil || !strings.Contains(err.Error(), "before it was answered") {
				t.Errorf("%s: %v", name, err)
			}
		}
		s := open("192.0.2.1:80") // not on loopback
		if err := s.Connect(1, patience); err == nil || !strings.Contains(err.Error(), "not on this machine") {
			t.Errorf("a distant address: %v", err)
		}
	})
}

func TestConnectGivesUp(t *testing.T) {
	networks(t, func(t *testing.T, open func(string) *Swarm) {
		quiet := make(chan struct{})
		defer close(quiet)
		s := open(serve(t, func(net.Conn) { <-quiet }))
		if err := s.Connect(2, 20*time.Millisecond); err == nil || !strings.Contains(err.Error(), "0 of 2") {
			t.Errorf("a server that never answers: %v", err)
		}
	})
}
