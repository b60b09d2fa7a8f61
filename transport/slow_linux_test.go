//go:build linux && !386 && !s390x

package transport_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/fixture"
)

// owned are the transports that know the connection that they write to. Here
// the kernel's buffers are the point, so the connections are real.
var owned = []string{"sse", "sse lean", "ws", "sse lean with io_uring", "ws with io_uring", "sse over TLS", "sse lean over TLS", "ws over TLS"}

// serveOverTCP serves a transport, and returns a function that opens a stream. The
// TCP connection is that below TLS.
func serveOverTCP(t *testing.T, name string, o *transport.Options, ho *hub.Options) (*fixture.Fixture, func() (net.Conn, *net.TCPConn)) {
	name, useTLS := strings.CutSuffix(name, " over TLS")
	name, o.IOUring = strings.CutSuffix(name, " with io_uring")
	f := fixture.New(t, ho)
	o.Logger = f.Logger()
	server := httptest.NewUnstartedServer(handlers[name](f.Hub, f.Auth, o))
	server.Config.ConnContext = transport.ConnContext // for "sse"
	if useTLS {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return f, func() (net.Conn, *net.TCPConn) {
		t.Helper()
		c, err := (&net.Dialer{Control: smallReceiveBuffer}).Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		r := fixture.Request("/")
		if strings.HasPrefix(name, "ws") {
			fixture.Upgrade(r)
		}
		tcp := c.(*net.TCPConn)
		if useTLS {
			c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
		}
		fixture.Send(t, c, r)
		return c, tcp
	}
}

// smallReceiveBuffer makes a client's kernel announce room soon after some has
// been read, so that tests are quick.
func smallReceiveBuffer(_, _ string, c syscall.RawConn) error {
	var err error
	c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 32<<10) })
	return err
}

// A client that reads slowly and steadily is not cut, however much there is to
// read. It is told of gaps.
func TestSteadySlowReaderStays(t *testing.T) {
	t.Parallel()
	for _, name := range owned {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, dial := serveOverTCP(t, name, &transport.Options{WriteTimeout: time.Second, Heartbeat: 2 * time.Second}, &hub.Options{UserEvents: 10})
			conn, _ := dial()
			stop, stopped := make(chan bool), make(chan bool)
			go func() {
				defer close(stopped)
				for text := strings.Repeat("x", 1000); ; time.Sleep(time.Millisecond) {
					select {
					case <-stop:
						return
					default:
						f.Publish(text)
					}
				}
			}()
			defer func() {
				close(stop)
				<-stopped // so that it does not publish to a hub that is shut down
			}()
			// 16 KB a second, for several times WriteTimeout, and until there is a
			// gap: a busy machine needs longer to fill the buffers.
			const rate = 16_000
			enough := func(d time.Duration) bool {
				return d > 4*time.Second && f.Hub.Stats().Gaps[hub.GapEvicted] > 0 || d > 30*time.Second
			}
			read, buf := 0, make([]byte, 800)
			for began := time.Now(); !enough(time.Since(began)); time.Sleep(50 * time.Millisecond) {
				// On a busy machine a sleep takes longer. Without reading what is
				// due since, the client would be slower than this test is about.
				for due := int(time.Since(began).Seconds() * rate); read < due; {
					n, err := conn.Read(buf[:min(len(buf), due-read)])
					if err != nil {
						t.Fatalf("cut after %v and %d bytes: %v; ended: %v", time.Since(began), read, err, f.Hub.Stats().Ended)
					}
					read += n
				}
			}
			if st := f.Hub.Stats(); len(st.Streams) != 1 || st.Gaps[hub.GapEvicted] == 0 {
				t.Errorf("read %d bytes; got %+v", read, st)
			}
		})
	}
}

// A client that reads nothing ends as slow, also if its kernel answers.
func TestStalledReaderEndsOverTCP(t *testing.T) {
	t.Parallel()
	for _, name := range owned {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, dial := serveOverTCP(t, name, &transport.Options{WriteTimeout: 200 * time.Millisecond, Heartbeat: time.Hour}, nil)
			dial()
			for f.Subscribed() == 0 {
				time.Sleep(time.Millisecond)
			}
			for range 20 {
				f.Publish(strings.Repeat("x", 10_000))
			}
			began := time.Now()
			for f.Ended(hub.ReasonSlow) == 0 {
				if time.Sleep(5 * time.Millisecond); time.Since(began) > 20*time.Second {
					t.Fatalf("still there: %+v", f.Hub.Stats())
				}
			}
			if took := time.Since(began); took < 200*time.Millisecond {
				t.Errorf("ended after %v", took)
			}
		})
	}
}

// A client that vanishes without closing its connection is noticed within a few
// heartbeats.
func TestVanishedClientIsNoticed(t *testing.T) {
	t.Parallel()
	for _, name := range owned {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const heartbeat = time.Second
			f, dial := serveOverTCP(t, name, &transport.Options{WriteTimeout: 500 * time.Millisecond, Heartbeat: heartbeat}, nil)
			conn, tcp := dial()
			awaits(t, bufio.NewReader(conn), "stream.cursor")
			fixture.Vanish(t, tcp)
			began := time.Now()
			for f.Ended(hub.ReasonGone) == 0 {
				if time.Sleep(5 * time.Millisecond); time.Since(began) > 20*heartbeat {
					t.Fatalf("still there: %+v", f.Hub.Stats())
				}
			}
			t.Logf("noticed after %v", time.Since(began))
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			if err := f.Hub.Shutdown(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}
