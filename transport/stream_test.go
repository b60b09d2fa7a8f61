package transport_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/fixture"
)

// A fakeConn notes what a stream asks of its connection.
type fakeConn struct {
	t      *testing.T
	fail   map[string]error         // what a method returns
	takes  map[string]time.Duration // and how long it takes
	mu     sync.Mutex
	busy   bool
	ended  bool
	calls  []string // "open", "send a", "beat cursor", "beat", "end revoked", "abort"
	at     []time.Time
	retry  time.Duration // the last that was told
	cursor string        // the last that was told
}

func (c *fakeConn) call(method, note string) error {
	c.mu.Lock()
	if c.busy {
		c.t.Errorf("%s while another call is under way", method)
	}
	if c.ended {
		c.t.Errorf("%s after End", method)
	}
	c.busy = true
	c.calls = append(c.calls, method+note)
	c.at = append(c.at, time.Now())
	c.mu.Unlock()
	time.Sleep(c.takes[method])
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
	c.ended = method == "end"
	return c.fail[method]
}

func (c *fakeConn) Open(cursor string, retry time.Duration) error {
	c.cursor, c.retry = cursor, retry
	return c.call("open", "")
}

func (c *fakeConn) Send(batch []*hub.Message) error {
	var texts strings.Builder
	for _, m := range batch {
		texts.WriteString(fmt.Sprintf(" %s", m.Data()))
	}
	return c.call("send", texts.String())
}

func (c *fakeConn) Beat(cursor string) error {
	if cursor == "" {
		return c.call("beat", "")
	}
	c.cursor = cursor
	return c.call("beat", " cursor")
}

func (c *fakeConn) End(reason hub.Reason, cursor string, retry time.Duration) error {
	c.cursor, c.retry = cursor, retry
	return c.call("end", " "+string(reason))
}

func (c *fakeConn) Abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, "abort")
	c.at = append(c.at, time.Now())
}

func (c *fakeConn) want(calls ...string) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Equal(c.calls, calls) {
		c.t.Errorf("the connection was asked for\n%q, want\n%q", c.calls, calls)
	}
}

// serve runs a stream of Alice's over c, and returns how it ended.
func serve(ctx context.Context, f *fixture.Fixture, c *fakeConn, o *transport.Options) <-chan error {
	c.t.Helper()
	session, _ := f.Auth(nil)
	sub, err := f.Hub.Subscribe(hub.Request{Session: session, Filter: hub.Everything(), Transport: "fake"})
	if err != nil {
		c.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- transport.NewStream(sub, o).Serve(ctx, c) }()
	synctest.Wait()
	return done
}

func inBubble(t *testing.T, test func(t *testing.T, f *fixture.Fixture, c *fakeConn)) {
	synctest.Test(t, func(t *testing.T) {
		test(t, fixture.New(t, nil), &fakeConn{t: t, fail: map[string]error{}, takes: map[string]time.Duration{}})
	})
}

// An idle stream writes an event at once. A busy one writes everything that was
// published meanwhile in one batch.
func TestServeSendsBatches(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture.Fixture, c *fakeConn) {
		c.takes["send"] = time.Second
		done := serve(t.Context(), f, c, nil)
		f.Publish("a")
		synctest.Wait()
		f.Publish("b")
		f.Publish("c")
		time.Sleep(3 * time.Second)
		f.Publish("d")
		synctest.Wait()
		f.Hub.RevokeUser(context.Background(), fixture.Alice)
		f.Publish("never")
		if err := <-done; err != hub.ReasonRevoked {
			t.Errorf("got %v", err)
		}
		c.want("open", `send "a"`, `send "b" "c"`, `send "d"`, "end revoked")
	})
}

func TestServeEndsWithContext(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture.Fixture, c *fakeConn) {
		ctx, cancel := context.WithCancel(t.Context())
		done := serve(ctx, f, c, nil)
		cancel()
		if err := <-done; err != hub.ReasonGone {
			t.Errorf("got %v", err)
		}
		c.want("open", "end gone")
		if st := f.Hub.Stats(); len(st.Streams) > 0 {
			t.Error("the subscription is still open")
		}
	})
}

// After a failed write nothing more is written, and the reason tells why.
func TestServeEndsWhenWriteFails(t *testing.T) {
	for method, calls := range map[string][]string{
		"open": {"open", "abort"},
		"send": {"open", `send "a"`, "abort"},
		"beat": {"open", "beat cursor", "abort"},
	} {
		for reason, err := range map[hub.Reason]error{
			hub.ReasonSlow: fmt.Errorf("wrapped: %w", os.ErrDeadlineExceeded),
			hub.ReasonGone: errors.New("broken pipe"),
		} {
			inBubble(t, func(t *testing.T, f *fixture.Fixture, c *fakeConn) {
				c.fail[method] = err
				done := serve(t.Context(), f, c, nil)
				if method == "send" {
					f.Publish("a")
				}
				if err := <-done; err != reason {
					t.Errorf("got %v, want %v", err, reason)
				}
				f.Publish("later")
				c.want(calls...)
				if f.Ended(reason) != 1 {
					t.Errorf("ended: %v", f.Hub.Stats().Ended)
				}
			})
		}
	}
}

// Heartbeats come at most a fifth early, never late, and not all at once. A
// stream that was written to needs no cursor yet.
func TestServeHeartbeats(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture.Fixture, c *fakeConn) {
		ctx, cancel := context.WithCancel(t.Context())
		done := serve(ctx, f, c, &transport.Options{Heartbeat: 10 * time.Second})
		time.Sleep(10 * time.Minute)
		cancel()
		<-done
		intervals := map[time.Duration]bool{}
		beats := c.calls[1 : len(c.calls)-1]
		for i, call := range beats {
			if call != "beat cursor" {
				t.Errorf("got %s", call)
			}
			d := c.at[i+1].Sub(c.at[i])
			if intervals[d] = true; d < 8*time.Second || d > 10*time.Second {
				t.Errorf("a heartbeat after %v", d)
			}
		}
		if len(beats) < 60 || len(intervals) < 20 {
			t.Errorf("%d heartbeats in ten minutes, at %d different intervals", len(beats), len(intervals))
		}
	})
	inBubble(t, func(t *testing.T, f *fixture.Fixture, c *fakeConn) {
		ctx, cancel := context.WithCancel(t.Context())
		done := serve(ctx, f, c, &transport.Options{Heartbeat: 10 * time.Second})
		f.Publish("a")
		time.Sleep(20 * time.Second)
		cancel()
		<-done
		c.want("open", `send "a"`, "beat cursor", "beat cursor", "end gone")
	})
	inBubble(t, func(t *testing.T, f *fixture.Fixture, c *fakeConn) {
		ctx, cancel := context.WithCancel(t.Context())
		done := serve(ctx, f, c, &transport.Options{Heartbeat: 10 * time.Second})
		time.Sleep(7 * time.Second)
		f.Publish("a")
		time.Sleep(11 * time.Second)
		cancel()
		<-done
		c.want("open", `send "a"`, "beat", "beat cursor", "end gone")
	})
}

// A heartbeat that becomes due during a long write follows it.
func TestServeHeartbeatDuringWrite(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture.Fixture, c *fakeConn) {
		c.takes["send"] = time.Minute
		ctx, cancel := context.WithCancel(t.Context())
		done := serve(ctx, f, c, &transport.Options{Heartbeat: 10 * time.Second})
		f.Publish("a")
		time.Sleep(time.Minute + time.Second)
		cancel()
		<-done
		c.want("open", `send "a"`, "beat", "end gone")
	})
}

// Clients whose streams end together are asked to wait for different times,
// after an overload for longer.
func TestRetryIsSpread(t *testing.T) {
	const retry = 3 * time.Second
	for reason, c := range map[hub.Reason]struct{ least, most time.Duration }{
		hub.ReasonShutdown:    {retry, 3 * retry},
		hub.ReasonOverloaded:  {10 * retry, 20 * retry},
		hub.ReasonUnavailable: {10 * retry, 20 * retry},
		hub.ReasonRevoked:     {retry, retry},
		hub.ReasonExpired:     {retry, retry},
		hub.ReasonGone:        {retry, retry},
	} {
		least, most := time.Duration(1<<62), time.Duration(0)
		for range 100 {
			inBubble(t, func(t *testing.T, f *fixture.Fixture, conn *fakeConn) {
				session, _ := f.Auth(nil)
				sub, err := f.Hub.Subscribe(hub.Request{Session: session, Filter: hub.Everything()})
				if err != nil {
					t.Fatal(err)
				}
				s := transport.NewStream(sub, nil)
				s.End(reason)
				if err := s.Serve(t.Context(), conn); err != reason {
					t.Errorf("got %v, want %v", err, reason)
				}
				least, most = min(least, conn.retry), max(most, conn.retry)
			})
		}
		if least < c.least || most > c.most {
			t.Errorf("%s: told to wait %v to %v; want %v to %v", string(reason), least, most, c.least, c.most)
		}
		if wide := c.most - c.least; most-least < wide/2 {
			t.Errorf("%s: 100 clients are told to wait %v to %v: not spread over %v", string(reason), least, most, wide)
		}
	}
}
