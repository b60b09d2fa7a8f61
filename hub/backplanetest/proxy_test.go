package backplanetest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// echo starts a server that sends back what it receives, and a Proxy before it.
func echo(t *testing.T) *Proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	p, err := NewProxy(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close()
		p.Close()
	})
	return p
}

func dial(t *testing.T, p *Proxy) net.Conn {
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// works reports an error unless what is sent comes back.
func works(c net.Conn, text string) error {
	if _, err := io.WriteString(c, text); err != nil {
		return err
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if string(got) != text {
		return errors.New("got " + string(got))
	}
	return nil
}

func TestProxyCut(t *testing.T) {
	p := echo(t)
	c := dial(t, p)
	if err := works(c, "hello"); err != nil {
		t.Fatal(err)
	}
	p.Cut()
	if err := works(c, "hello"); err == nil {
		t.Error("the connection still works")
	}
	if err := works(dial(t, p), "hello"); err != nil {
		t.Errorf("a new connection: %v", err)
	}
}

func TestProxyAway(t *testing.T) {
	p := echo(t)
	c := dial(t, p)
	if err := works(c, "hello"); err != nil {
		t.Fatal(err)
	}
	p.SetAway(true)
	if err := works(c, "hello"); err == nil {
		t.Error("the connection still works")
	}
	if err := works(dial(t, p), "hello"); err == nil {
		t.Error("a new connection works")
	}
	p.SetAway(false)
	if err := works(dial(t, p), "hello"); err != nil {
		t.Errorf("a new connection afterwards: %v", err)
	}
}

func TestProxySilent(t *testing.T) {
	p := echo(t)
	c := dial(t, p)
	if err := works(c, "hello"); err != nil {
		t.Fatal(err)
	}
	p.SetSilent(true)
	if _, err := io.WriteString(c, "again"); err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read returned %d, %v", n, err)
	}
	c.SetReadDeadline(time.Time{})
	p.SetSilent(false)
	got := make([]byte, 5)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "again" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := works(c, "hello"); err != nil {
		t.Error(err)
	}
	p.SetSilent(true)
	p.Cut()
	if err := works(c, "hello"); err == nil {
		t.Error("a silent connection that was cut still works")
	}
}

func TestProxyDelay(t *testing.T) {
	const delay = 20 * time.Millisecond
	p := echo(t)
	c := dial(t, p)
	p.SetDelay(delay)
	start := time.Now()
	if err := works(c, "hello"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 2*delay {
		t.Errorf("there and back took %v, less than two delays of %v", took, delay)
	}
}

func TestProxyPassesMuch(t *testing.T) {
	p := echo(t)
	c := dial(t, p)
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	go func() {
		c.Write(want)
		c.(*net.TCPConn).CloseWrite()
	}()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v, and the bytes are those that were sent: %v", err, bytes.Equal(got, want))
	}
}

func TestProxyWithoutTarget(t *testing.T) {
	p := echo(t)
	target := p.target
	p.SetTarget("127.0.0.1:1")
	if err := works(dial(t, p), "hello"); err == nil {
		t.Error("a connection to nowhere works")
	}
	p.SetTarget(target)
	if err := works(dial(t, p), "hello"); err != nil {
		t.Error(err)
	}
}
