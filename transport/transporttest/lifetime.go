package transporttest

import (
	"context"
	"fmt"
	"net/http"
	"testing/synctest"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
)

func heartbeatMovesCursor(s *suite) {
	s.start(nil, &transport.Options{Heartbeat: 10 * time.Second})
	c := s.open(request{categories: []string{"alerts"}})
	began := time.Now()
	s.publish("unwanted")
	c.want("after 10 s without an event for this client", "stream.cursor")
	if took := time.Since(began); took < 8*time.Second || took > 10*time.Second {
		s.Fatalf("with Options.Heartbeat 10 s, the first must come after 8 to 10 s; it came after %v", took)
	}
	if c.lastID == c.cursor {
		s.Fatal("a heartbeat must move the cursor past what the filter kept back; it has that of the opening")
	}
	c.want("after a heartbeat, for another 10 s", "stream.cursor")
	c.conn.Close()
	resumed := s.open(request{lastID: c.lastID})
	s.publish("live")
	resumed.want("after a reconnect with a heartbeat's cursor, which lies behind what was published before", "live")
	resumed.conn.Close()
}

func trafficStandsForHeartbeat(s *suite) {
	s.start(nil, &transport.Options{Heartbeat: 10 * time.Second})
	c := s.open(request{})
	for i := range 20 {
		time.Sleep(3 * time.Second)
		text := fmt.Sprint(i)
		s.publish(text)
		c.want("while there is an event every 3 s, and so no need for heartbeats", text)
	}
}

func neverSilent(s *suite) {
	const heartbeat = 10 * time.Second
	s.start(nil, &transport.Options{Heartbeat: heartbeat})
	c := s.open(request{})
	done := make(chan bool)
	go func() {
		defer close(done)
		for i := range 40 { // at all kinds of times between heartbeats
			time.Sleep(time.Duration(i) * 500 * time.Millisecond)
			s.publish(fmt.Sprint(i))
		}
	}()
	for last, text := time.Now(), ""; text != "39"; {
		text = c.describe(c.frame("the next event or heartbeat"))
		now := time.Now()
		if silence := now.Sub(last); silence > heartbeat {
			s.Fatalf("with Options.Heartbeat %v, a stream was silent for %v before %q; proxies cut streams that are silent", heartbeat, silence, text)
		}
		last = now
	}
	<-done
}

func endsWhenRevoked(s *suite) {
	s.start(nil, nil)
	for name, revoke := range map[string]func() (int, error){
		"RevokeUser":    func() (int, error) { return s.hub.RevokeUser(context.Background(), alice) },
		"RevokeSession": func() (int, error) { return s.hub.RevokeSession(context.Background(), alice, "laptop") },
	} {
		c := s.open(request{})
		s.publish("before")
		c.want("before "+name, "before")
		if n, err := revoke(); n != 1 || err != nil {
			s.Fatalf("%s must end the one open stream; it ended %d (%v)", name, n, err)
		}
		s.publish("after")
		c.wantEnd("after "+name, hub.ReasonRevoked)
		time.Sleep(2 * time.Second) // what is authenticated from here on is welcome
	}
	s.ended("after two revocations", hub.ReasonRevoked, 2)
}

func endsWhenExpired(s *suite) {
	s.start(nil, nil)
	expires := time.Now().Add(30 * time.Second)
	s.auth = func(*http.Request) (hub.Session, error) {
		return hub.Session{User: alice, Expires: expires, Allowed: hub.Everything()}, nil
	}
	c := s.open(request{})
	s.publish("before")
	c.want("before the session expires", "before")
	c.wantEnd("when the session expires", hub.ReasonExpired)
	if late := time.Since(expires); late < 0 || late > 2*time.Second {
		s.Fatalf("the stream must end within a second of Session.Expires; it was closed %v after", late)
	}
	s.ended("when the session has expired", hub.ReasonExpired, 1)
}

func endsAtShutdown(s *suite) {
	s.start(nil, nil)
	clients := []*client{s.open(request{}), s.open(request{}), s.open(request{})}
	s.publish("last words")
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		done <- s.hub.Shutdown(ctx)
	}()
	for _, c := range clients {
		c.want("of what was published before a shutdown", "last words")
		c.wantEnd("at shutdown", hub.ReasonShutdown)
	}
	if err := <-done; err != nil {
		s.Fatalf("all clients were there to be told, and Hub.Shutdown returned %v", err)
	}
}

// stall opens a stream whose client then reads nothing, and publishes until
// nothing more can be written to it.
func (s *suite) stall() (stalled *client, published []string) {
	s.Helper()
	stalled = s.open(request{})
	filler := incompressible(2700)
	for i := range 100 {
		text := fmt.Sprint(i, " ", filler)
		began := time.Now()
		s.publish(text)
		synctest.Wait()
		if took := time.Since(began); took > 0 {
			s.Fatalf("publishing must never wait for a client; event %d past a stalled one took %v", i, took)
		}
		published = append(published, text[:40])
	}
	return stalled, published
}

func stalledHoldsNobody(s *suite) {
	s.start(nil, nil)
	other := s.open(request{})
	stalled, published := s.stall()
	other.want("beside a stalled client", published...)
	other.conn.Close()
	time.Sleep(15 * time.Second)
	synctest.Wait()
	if got := s.hub.Stats().Ended[hub.ReasonSlow]; got != 1 {
		s.Fatalf("a client that has read nothing for Options.WriteTimeout (10 s) and half as long again must have ended as slow; ended so far: %v. "+
			"(Does every write have a deadline, and does its error satisfy os.ErrDeadlineExceeded?)", s.hub.Stats().Ended)
	}
	back := s.open(request{lastID: stalled.lastID})
	back.want("of a client that stalled and came back", published...)
	back.conn.Close()
}

func abortsAtShutdown(s *suite) {
	s.start(nil, &transport.Options{WriteTimeout: time.Hour, Heartbeat: time.Hour})
	s.stall()
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.hub.Shutdown(ctx); err != context.DeadlineExceeded {
		s.Fatalf("Hub.Shutdown could not tell a stalled client in time; it must say so and returned %v", err)
	}
	if took := time.Since(began); took > 5500*time.Millisecond {
		s.Fatalf("Hub.Shutdown with 5 s took %v: Conn.Abort must unblock a write", took)
	}
	s.ended("after a shutdown that had to abort", hub.ReasonShutdown, 1)
}

func noticesGone(s *suite) {
	s.start(nil, nil)
	c := s.open(request{})
	c.conn.Close()
	time.Sleep(2 * time.Second)
	s.ended("2 s after the client of an idle stream closed its connection", hub.ReasonGone, 1)
}
