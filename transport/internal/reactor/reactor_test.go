package reactor_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/crier-go/crier/transport/internal/reactor"
)

// pair returns both ends of a TCP connection, of which the server's has been taken
// if the system has a reactor.
func pair(t testing.TB) (server reactor.Conn, client *net.TCPConn) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the reactor is for Linux")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialled, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if server = reactor.Take(accepted); server == nil {
		t.Fatal("not taken")
	}
	t.Cleanup(func() { dialled.Close(); server.Close() })
	return server, dialled.(*net.TCPConn)
}

// awaited returns a channel on which something comes when Await calls.
func awaited(c reactor.Conn) chan bool {
	called := make(chan bool, 10)
	c.Await(func() { called <- true })
	return called
}

const patience = 10 * time.Second

func wantCall(t *testing.T, called chan bool, why string) {
	t.Helper()
	select {
	case <-called:
	case <-time.After(patience):
		t.Fatalf("Await has not called although %s", why)
	}
}

// wantReady reads until nothing is left, and checks what that was.
func wantReady(t *testing.T, c reactor.Conn, want string, wantErr error) {
	t.Helper()
	var got []byte
	buf := make([]byte, 3)
	for {
		n, err := c.TryRead(buf)
		got = append(got, buf[:n]...)
		if err == nil {
			continue
		}
		if string(got) != want || !errors.Is(err, wantErr) {
			t.Errorf("read %q, %v; want %q, %v", got, err, want, wantErr)
		}
		return
	}
}

func TestTakenConnectionGoesOn(t *testing.T) {
	server, client := pair(t)
	if _, err := server.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 5)
	if _, err := io.ReadFull(client, buf); err != nil || string(buf) != "hello" {
		t.Errorf("the client read %q, %v", buf, err)
	}
	if got, want := server.RemoteAddr().String(), client.LocalAddr().String(); got != want {
		t.Errorf("the address of the client is %s, want %s", got, want)
	}
	if got, want := server.LocalAddr().String(), client.RemoteAddr().String(); got != want {
		t.Errorf("the own address is %s, want %s", got, want)
	}
	if err := server.CloseWrite(); err != nil {
		t.Error(err)
	}
	if n, err := client.Read(buf); err != io.EOF {
		t.Errorf("after CloseWrite the client read %d, %v", n, err)
	}
}

func TestAwait(t *testing.T) {
	for name, c := range map[string]struct {
		happen func(server reactor.Conn, client *net.TCPConn)
		want   string
		err    error
	}{
		"something has come":     {func(_ reactor.Conn, c *net.TCPConn) { c.Write([]byte("hello")) }, "hello", reactor.ErrNotReady},
		"the peer has hung up":   {func(_ reactor.Conn, c *net.TCPConn) { c.Close() }, "", io.EOF},
		"it has, after a word":   {func(_ reactor.Conn, c *net.TCPConn) { c.Write([]byte("bye")); c.Close() }, "bye", io.EOF},
		"the deadline has come":  {func(s reactor.Conn, _ *net.TCPConn) { s.SetReadDeadline(time.Now().Add(time.Millisecond)) }, "", os.ErrDeadlineExceeded},
		"the deadline is past":   {func(s reactor.Conn, _ *net.TCPConn) { s.SetReadDeadline(time.Unix(1, 0)) }, "", os.ErrDeadlineExceeded},
		"the deadline was moved": {moveDeadline, "", os.ErrDeadlineExceeded},
		"it has been closed":     {func(s reactor.Conn, _ *net.TCPConn) { s.Close() }, "", net.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := pair(t)
			called := awaited(server)
			c.happen(server, client)
			wantCall(t, called, name)
			if c.err == io.EOF { // the end may be an event of its own
				for b := []byte(nil); ; {
					buf := make([]byte, 10)
					n, err := server.TryRead(buf)
					if b = append(b, buf[:n]...); err == reactor.ErrNotReady {
						wantCall(t, awaited(server), name)
					} else if err != nil {
						if string(b) != c.want || err != io.EOF {
							t.Errorf("read %q, %v", b, err)
						}
						break
					}
				}
			} else {
				wantReady(t, server, c.want, c.err)
			}
			if len(called) > 0 {
				t.Error("called twice")
			}
			if c.err != reactor.ErrNotReady { // an end does not go away
				wantCall(t, awaited(server), name)
			}
		})
	}
}

func moveDeadline(s reactor.Conn, _ *net.TCPConn) {
	s.SetReadDeadline(time.Now().Add(time.Hour))
	s.SetReadDeadline(time.Time{})
	s.SetReadDeadline(time.Now().Add(time.Hour))
	s.SetReadDeadline(time.Now().Add(time.Millisecond))
}

// Await calls at once if something has been left unread, and not for what has been
// read.
func TestAwaitAfterPartialRead(t *testing.T) {
	server, client := pair(t)
	called := awaited(server)
	client.Write([]byte("hello"))
	wantCall(t, called, "something has come")
	if n, err := server.TryRead(make([]byte, 2)); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	wantCall(t, awaited(server), "three bytes are unread")
	wantReady(t, server, "llo", reactor.ErrNotReady)
	called = awaited(server)
	select {
	case <-called:
		// An event that is late is allowed; but then there is nothing.
		wantReady(t, server, "", reactor.ErrNotReady)
		called = awaited(server)
	case <-time.After(20 * time.Millisecond):
	}
	client.Write([]byte("x"))
	wantCall(t, called, "something has come again")
}

// What comes between TryRead and Await is not missed.
func TestAwaitAfterEvent(t *testing.T) {
	server, client := pair(t)
	wantReady(t, server, "", reactor.ErrNotReady)
	client.Write([]byte("x"))
	time.Sleep(20 * time.Millisecond) // by then the event has come, and nobody waited
	wantCall(t, awaited(server), "something has come")
	wantReady(t, server, "x", reactor.ErrNotReady)
}

// A write that has to wait goes on when there is room, and ends at its deadline
// and when the connection is closed.
func TestWriteWaits(t *testing.T) {
	const size = 16 << 20
	for name, c := range map[string]struct {
		happen func(server reactor.Conn, client *net.TCPConn)
		want   error
	}{
		"the peer reads":    {func(_ reactor.Conn, c *net.TCPConn) { io.CopyN(io.Discard, c, size) }, nil},
		"the deadline":      {func(s reactor.Conn, _ *net.TCPConn) { s.SetWriteDeadline(time.Now().Add(time.Millisecond)) }, os.ErrDeadlineExceeded},
		"a deadline before": {func(reactor.Conn, *net.TCPConn) {}, os.ErrDeadlineExceeded},
		"closed":            {func(s reactor.Conn, _ *net.TCPConn) { s.Close() }, net.ErrClosed},
		"the peer hangs up": {func(_ reactor.Conn, c *net.TCPConn) { c.SetLinger(0); c.Close() }, errAny},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := pair(t)
			if name == "a deadline before" {
				server.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
			}
			type result struct {
				n   int
				err error
			}
			wrote := make(chan result, 1)
			go func() {
				n, err := server.Write(make([]byte, size))
				wrote <- result{n, err}
			}()
			time.Sleep(50 * time.Millisecond) // by then it waits
			c.happen(server, client)
			select {
			case r := <-wrote:
				if c.want == errAny && r.err == nil || c.want != errAny && !errors.Is(r.err, c.want) || (r.n == size) != (r.err == nil) {
					t.Errorf("wrote %d, %v", r.n, r.err)
				}
			case <-time.After(patience):
				t.Error("the write still waits")
			}
		})
	}
}

var errAny = errors.New("any")

// Read and its deadline are as those of package net.
func TestReadWaits(t *testing.T) {
	server, client := pair(t)
	buf := make([]byte, 10)
	server.SetReadDeadline(time.Now().Add(time.Millisecond))
	if n, err := server.Read(buf); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %d, %v", n, err)
	}
	server.SetDeadline(time.Time{})
	go func() {
		time.Sleep(time.Millisecond)
		client.Write([]byte("x"))
	}()
	if n, err := server.Read(buf); n != 1 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	go func() {
		time.Sleep(time.Millisecond)
		server.Close()
	}()
	if n, err := server.Read(buf); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %d, %v", n, err)
	}
	for name, err := range map[string]error{
		"Close":         server.Close(),
		"CloseWrite":    server.CloseWrite(),
		"a deadline":    server.SetReadDeadline(time.Now()),
		"the other one": server.SetWriteDeadline(time.Now()),
	} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
	if server.RemoteAddr() != nil {
		t.Error("an address after Close")
	}
}

// What is not plain TCP is left alone.
func TestTakeLeavesOthers(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	if reactor.Take(a) != nil {
		t.Fatal("taken")
	}
	go b.Write([]byte("x"))
	if n, err := a.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	a.Close()
}

func ExampleConn() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	accepted, err := l.Accept()
	if err != nil {
		fmt.Println(err)
		return
	}
	c := reactor.Take(accepted)
	if c == nil { // not Linux
		fmt.Println("read: hello\nthe client has hung up")
		return
	}
	done := make(chan bool)
	var readable func()
	readable = func() {
		buf := make([]byte, 100)
		for {
			n, err := c.TryRead(buf)
			switch {
			case err == reactor.ErrNotReady:
				c.Await(readable) // and this goroutine ends
				return
			case err != nil:
				fmt.Println("the client has hung up")
				c.Close()
				close(done)
				return
			}
			fmt.Printf("read: %s\n", buf[:n])
		}
	}
	c.Await(readable)
	client.Write([]byte("hello"))
	client.Close()
	<-done
	// Output:
	// read: hello
	// the client has hung up
}
