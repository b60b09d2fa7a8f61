package transport_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/internal/memnet"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/fixture"
)

// A panicConn panics in one of its methods.
type panicConn struct {
	*lineConn
	in string
}

func (c *panicConn) Open(cursor string, retry time.Duration) error {
	c.panicIf("Open")
	return c.lineConn.Open(cursor, retry)
}

func (c *panicConn) Send(batch []*hub.Message) error {
	c.panicIf("Send")
	return c.lineConn.Send(batch)
}

func (c *panicConn) Beat(cursor string) error {
	c.panicIf("Beat")
	return c.lineConn.Beat(cursor)
}

func (c *panicConn) panicIf(in string) {
	if c.in == in {
		panic("a bug in " + in)
	}
}

// A panic ends its stream, is logged with its stack and does not delay a
// shutdown, whichever goroutine the stream runs in.
func TestPanicInConnEndsTheStream(t *testing.T) {
	for _, method := range []string{"Open", "Send", "Beat"} {
		for name, run := range map[string]func(*transport.Stream, context.Context, transport.Conn){
			"Serve": func(s *transport.Stream, ctx context.Context, c transport.Conn) { s.Serve(ctx, c) },
			"Start": func(s *transport.Stream, ctx context.Context, c transport.Conn) {
				s.Start(c)
				time.Sleep(time.Minute) // whoever owns the connection notices that it is closed
				s.Close()
			},
		} {
			t.Run(method+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := fixture.New(t, nil)
					a := transport.NewAcceptor(f.Hub, f.Auth, "panic", &transport.Options{Logger: f.Logger()})
					server := memnet.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						line := &lineConn{w, http.NewResponseController(w), time.Second}
						run(a.Accept(w, r), r.Context(), &panicConn{line, method})
					}))
					fixture.Send(t, server.Dial(), fixture.Request("/"))
					synctest.Wait()
					f.Publish("a")
					time.Sleep(2 * time.Minute)
					checkContained(t, f, "a bug in "+method)
				})
			})
		}
	}
}

// The same holds for a panic in a function of the observer, on every transport.
func TestPanicInObserverIsContained(t *testing.T) {
	for method, observer := range map[string]*hub.Observer{
		"Gap":   {Gap: func(hub.Gap) { panic("a bug in Gap") }},
		"Ended": {Ended: func(hub.Stream) { panic("a bug in Ended") }},
	} {
		for name, newHandler := range handlers {
			t.Run(method+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := fixture.New(t, &hub.Options{Observer: observer})
					server := memnet.Serve(t, newHandler(f.Hub, f.Auth, &transport.Options{Logger: f.Logger()}))
					r := fixture.Request("/", "Last-Event-ID", "unknown")
					if strings.HasPrefix(name, "ws") {
						fixture.Upgrade(r)
					}
					conn := server.Dial()
					fixture.Send(t, conn, r)
					time.Sleep(time.Second)
					conn.Close()
					time.Sleep(2 * time.Minute)
					checkContained(t, f, "a bug in "+method)
				})
			})
		}
	}
}

func checkContained(t *testing.T, f *fixture.Fixture, what string) {
	t.Helper()
	if log := f.Log.String(); !strings.Contains(log, what) || !strings.Contains(log, "panic_test.go") || !strings.Contains(log, "level=ERROR") {
		t.Errorf("logged: %s", log)
	}
	if st := f.Hub.Stats(); len(st.Streams) != 0 {
		t.Errorf("still open: %v", st.Streams)
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := f.Hub.Shutdown(ctx); err != nil || time.Since(began) > time.Second {
		t.Errorf("Shutdown took %v, and returned %v", time.Since(began), err)
	}
}
