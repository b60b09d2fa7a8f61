package ws_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/internal/memnet"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/fixture"
	"github.com/crier-go/crier/transport/ws"
)

// answer reads frames and answers pings until it fails. It returns the text
// messages that it is to keep, and how many pings came.
func (c *raw) answer(until time.Duration) (messages []string, pings int) {
	c.t.Helper()
	c.SetReadDeadline(time.Now().Add(until))
	for {
		op, payload, err := c.receive()
		switch {
		case err != nil:
			return messages, pings
		case op == opPing:
			pings++
			c.send(frame(fin|opPong, payload))
		case op == opText:
			messages = append(messages, anyID.ReplaceAllString(payload, "ID"))
		}
	}
}

// Traffic suppresses the cursor of a heartbeat, but not its ping: that the
// kernel accepts bytes does not prove that the client is there.
func TestPingsAreSentDuringTraffic(t *testing.T) {
	o := options(transport.Options{Heartbeat: 10 * time.Second})
	bubble(t, o, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
		c := connect("")
		done := make(chan bool)
		go func() {
			for range 60 {
				f.Publish("news")
				time.Sleep(time.Second)
			}
			close(done)
		}()
		messages, pings := c.answer(time.Minute)
		<-done
		if pings < 6 || pings > 7 {
			t.Errorf("%d pings in a minute, with a heartbeat of 8 to 10 s", pings)
		}
		for _, m := range messages[1:] {
			if m != note("news") {
				t.Errorf("got %s", m)
			}
		}
	})
}

// Without traffic a heartbeat has a cursor and a ping.
func TestHeartbeatSendsCursorAndPing(t *testing.T) {
	o := options(transport.Options{Heartbeat: 10 * time.Second})
	bubble(t, o, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
		c := connect("")
		c.want(opening)
		for range 3 {
			c.want(`{"id":"ID","event":"stream.cursor","data":{}}`)
			if op, payload, err := c.receive(); op != opPing || payload != "" || err != nil {
				t.Fatalf("got %x, %q, %v; want a ping", op, payload, err)
			}
			c.send(frame(fin|opPong, ""))
		}
	})
}

// A client that does not answer a ping is disconnected.
func TestMissingPongClosesConnection(t *testing.T) {
	for name, c := range map[string]transport.Options{
		"defaults":                         {Heartbeat: 25 * time.Second},
		"more pings than time to answer":   {Heartbeat: 3 * time.Second},
		"time to answer that equals pings": {Heartbeat: 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, options(c), func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
				client := connect("")
				began := time.Now()
				client.SetReadDeadline(began.Add(5 * time.Minute))
				var last string
				for {
					op, payload, err := client.receive()
					if err != nil {
						break
					}
					last = fmt.Sprintf("%x %q", op, payload)
				}
				if want := fmt.Sprintf("%x %q", opClose, "\x03\xf3no pong"); last != want {
					t.Errorf("the last frame is %s, want %s", last, want)
				}
				synctest.Wait()
				least, most := c.Heartbeat*4/5+10*time.Second, c.Heartbeat+11*time.Second
				if took := time.Since(began); took < least || took > most {
					t.Errorf("closed after %v; want %v to %v", took, least, most)
				}
				if f.Ended(hub.ReasonGone) != 1 {
					t.Errorf("ended: %v; want one as gone", f.Hub.Stats().Ended)
				}
			})
		})
	}
}

// Bytes that never become a message do not move the deadline for a pong.
func TestPartialFrameDoesNotReplacePong(t *testing.T) {
	bubble(t, options(transport.Options{Heartbeat: 25 * time.Second}), func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
		c := connect("")
		began := time.Now()
		drip := text(strings.Repeat("x", 10_000))
		for i := range drip {
			if _, err := c.Write(drip[i : i+1]); err != nil {
				break
			}
			if time.Sleep(2 * time.Second); time.Since(began) > 40*time.Second {
				t.Fatal("still open after 40 s, without a pong")
			}
		}
		synctest.Wait()
		if f.Ended(hub.ReasonGone) != 1 {
			t.Errorf("ended: %v", f.Hub.Stats().Ended)
		}
	})
}

// A lateWriter's writes return a little after their bytes have arrived.
type lateWriter struct{ net.Conn }

func (c lateWriter) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	time.Sleep(time.Millisecond)
	return n, err
}

// A pong may come before the write of its ping has returned.
func TestPongBeforeWriteReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture.New(t, nil)
		server := memnet.Serve(t, ws.NewHandler(f.Hub, f.Auth, options(transport.Options{Heartbeat: 25 * time.Second})),
			func(s *memnet.Server) { s.Wrap = func(c net.Conn) net.Conn { return lateWriter{c} } })
		c := connect(t, server, "")
		if _, pings := c.answer(10 * time.Minute); pings < 24 {
			t.Errorf("cut off after %d pings that were all answered at once", pings)
		}
		c.Close()
		time.Sleep(time.Second)
	})
}

// While OnMessage runs, a pong waits unread, which must not end the connection.
func TestPongBehindSlowMessage(t *testing.T) {
	slow := func(_ context.Context, c *ws.Client, data []byte) error {
		time.Sleep(time.Minute)
		return c.Send("done", string(data))
	}
	o := &ws.Options{Common: transport.Options{Heartbeat: 25 * time.Second}, OnMessage: slow}
	bubble(t, o, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
		c := connect("")
		time.Sleep(10 * time.Second)
		c.send(text("1"), text("2"))
		messages, _ := c.answer(5 * time.Minute)
		if all := fmt.Sprint(messages); !strings.Contains(all, "1") || !strings.Contains(all, "2") {
			t.Errorf("cut off: %s", all)
		}
		if st := f.Hub.Stats(); len(st.Streams) != 1 {
			t.Errorf("ended: %v", st.Ended)
		}
	})
}

// A slow link is not cut as long as it makes progress: not because of a write,
// of a ping that has to wait, or of a late pong.
func TestSlowLinkIsNotCut(t *testing.T) {
	o := options(transport.Options{Heartbeat: 20 * time.Second})
	bubble(t, o, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
		c := connect("")
		c.want(opening)
		const events, size = 8, 60_000
		for i := range events {
			f.Publish(fmt.Sprint(i) + strings.Repeat("x", size))
		}
		link := &memnet.Slow{Conn: c, Pause: time.Second, Bytes: 1000}
		c.reader.Reset(link)
		c.send(frame(fin|opPing, "the client's own")) // the pong has to wait
		for read, ponged := 0, false; read < events || !ponged; {
			switch op, payload, err := c.receive(); {
			case err != nil:
				t.Fatalf("cut off after %d of %d events: %v, %v", read, events, err, f.Hub.Stats().Ended)
			case op == opPing:
				c.send(frame(fin|opPong, payload))
			case op == opPong:
				ponged = true
			case strings.Contains(payload, "note.added"):
				if !strings.Contains(payload, fmt.Sprintf(`"data":"%dx`, read)) {
					t.Fatalf("event %d is not next: %.100s", read, payload)
				}
				read++
			}
		}
		link.Bytes = 1 << 20
		if _, pings := c.answer(5 * time.Minute); pings < 10 {
			t.Errorf("afterwards %d pings in 5 minutes", pings)
		}
	})
}

// A client that sends and does not read is cut like any other that does not
// read, also if only pongs are written to it. What it reads in the end is whole
// frames.
func TestClientThatReadsNoPongsIsSlow(t *testing.T) {
	for name, publish := range map[string]func(*fixture.Fixture){
		"with news behind": func(f *fixture.Fixture) { f.Publish("news") },
		"without":          func(*fixture.Fixture) {},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, &ws.Options{MessageBurst: 1000}, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
				c := connect("")
				c.want(opening)
				ping := frame(fin|opPing, strings.Repeat("p", 125))
				for range memnet.Capacity/127 + 1 { // the last pong does not fit
					c.send(ping)
				}
				synctest.Wait()
				publish(f)
				time.Sleep(15 * time.Second) // the pong is given up
				if f.Ended(hub.ReasonSlow) != 1 {
					t.Errorf("ended: %v; want one as slow", f.Hub.Stats().Ended)
				}
				for {
					op, payload, err := c.receive()
					if err != nil {
						break
					}
					if op != opPong || len(payload) != 125 {
						t.Fatalf("half a frame, and then something else: %x, %.100q", op, payload)
					}
				}
			})
		})
	}
}

// The opening is the first frame, also if the client sends something at once.
func TestOpeningIsFirstFrame(t *testing.T) {
	for range 100 {
		bubble(t, nil, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
			c := connect("")
			c.send(text("x"))
			c.want(opening)
		})
	}
}
