package reactor

import (
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

func taken(t *testing.T, l net.Listener) (*conn, net.Conn) {
	t.Helper()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Error(err)
		return nil, nil
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Error(err)
		return nil, nil
	}
	return Take(accepted).(*conn), client
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// After the last connection nothing is left, and a connection that was closed
// twice has closed one descriptor.
func TestNothingIsLeft(t *testing.T) {
	l := listen(t)
	if c, client := taken(t, l); c != nil { // package net keeps descriptors of its own
		c.Close()
		client.Close()
	}
	before := descriptors(t)
	for range 3 {
		var all []io.Closer
		for range 50 {
			c, client := taken(t, l)
			all = append(all, c, client)
		}
		if now := descriptors(t); now < before+100 || now > before+100+len(sets) {
			t.Errorf("%d descriptors for 50 connections", now-before)
		}
		for _, c := range all {
			c.Close()
			c.Close()
		}
		for i := range sets {
			if s := &sets[i]; s.epoll != nil || s.open != 0 || s.conns != nil {
				t.Errorf("set %d: %d connections, %v", i, s.open, s.epoll)
			}
		}
	}
	if now := descriptors(t); now > before {
		t.Errorf("%d descriptors became %d", before, now)
	}
}

// An event of a connection that has been closed does not reach the one that has
// its descriptor now.
func TestLateEvent(t *testing.T) {
	l := listen(t)
	old, oldClient := taken(t, l)
	defer oldClient.Close()
	fd, generation, s := old.fd, old.generation, setOf(old.fd)
	if s.find(fd, generation) != old {
		t.Error("not found")
	}
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for { // no lower descriptor may be free
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if int32(f.Fd()) > fd {
			break
		}
	}
	old.Close()
	if s.find(fd, generation) != nil {
		t.Error("found after Close")
	}
	next := Take(accepted).(*conn)
	defer next.Close()
	if next.fd != fd {
		t.Fatalf("the next connection has descriptor %d, not %d", next.fd, fd)
	}
	if s.find(fd, generation) != nil {
		t.Error("the event of a connection reaches the next one")
	}
	if s.find(fd, next.generation) != next {
		t.Error("the next one is not found")
	}
}

// Connections that are closed at any time, by either side, while they are read and
// written never read or write another's bytes.
func TestCloseAtAnyTime(t *testing.T) {
	l := listen(t)
	var accepting sync.Mutex
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 60 {
				accepting.Lock()
				c, client := taken(t, l)
				accepting.Unlock()
				if c == nil {
					return
				}
				mine := byte(worker)
				var parts sync.WaitGroup
				var readable func()
				ended := make(chan bool)
				readable = func() {
					var buf [16]byte
					for {
						n, err := c.TryRead(buf[:])
						for _, b := range buf[:n] {
							if b != mine {
								t.Errorf("worker %d read a byte of %d", mine, b)
							}
						}
						if err == ErrNotReady {
							c.Await(readable)
							return
						}
						if err != nil {
							c.Close()
							close(ended)
							return
						}
					}
				}
				c.Await(readable)
				parts.Go(func() { // the server writes
					for {
						if _, err := c.Write([]byte{mine, mine, mine}); err != nil {
							return
						}
					}
				})
				parts.Go(func() { // the client reads
					var buf [64]byte
					for {
						n, err := client.Read(buf[:])
						for _, b := range buf[:n] {
							if b != mine {
								t.Errorf("the client of worker %d read a byte of %d", mine, b)
							}
						}
						if err != nil {
							return
						}
					}
				})
				client.Write([]byte{mine, mine})
				if i%3 == 0 {
					time.Sleep(time.Duration(i%7) * 10 * time.Microsecond)
				}
				if i%2 == 0 {
					client.Close()
				} else {
					c.Close()
				}
				<-ended
				client.Close()
				parts.Wait()
			}
		})
	}
	all.Wait()
}
