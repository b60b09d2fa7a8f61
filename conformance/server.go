package conformance

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// A server plays the connections of a case, one for each attempt of a client,
// and notes what it sees.
type server struct {
	net.Listener
	c         *Case
	transport Transport
	ctx       context.Context
	tell      func(Command) // the client
	all       sync.WaitGroup

	mu       sync.Mutex
	changed  *sync.Cond
	attempts []*attempt
	reported int      // how many reports the client has made
	faults   []string // what the client did wrong
}

// An attempt is one connection of the client.
type attempt struct {
	at    time.Time // when its request was read
	last  time.Time // when the server sent its last byte, or closed the connection
	over  bool      // nothing more happens on it
	steps int       // that have been done
}

func newServer(ctx context.Context, c *Case, transport Transport, tell func(Command)) (*server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{Listener: listener, c: c, transport: transport, ctx: ctx, tell: tell}
	s.changed = sync.NewCond(&s.mu)
	s.all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.all.Go(func() { s.serve(conn) })
		}
	})
	context.AfterFunc(ctx, func() {
		listener.Close()
		s.changed.Broadcast() // whoever waits for something that will not come
	})
	return s, nil
}

func (s *server) fault(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
	s.changed.Broadcast()
}

// serve handles one TCP connection.
func (s *server) serve(conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(s.ctx, func() { conn.Close() })
	defer stop()
	in := bufio.NewReader(conn)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if r.Method != http.MethodHead {
			s.attempt(conn, in, r)
			return
		}
		// A question without a stream, which is no attempt.
		if _, err := conn.Write([]byte(s.probe())); err != nil {
			return
		}
	}
}

// probe answers HEAD as the last attempt was answered.
func (s *server) probe() string {
	s.mu.Lock()
	i := max(len(s.attempts)-1, 0)
	s.mu.Unlock()
	if n := len(s.c.Connections); i < n || s.c.Again > 0 {
		if c := &s.c.Connections[min(i, n-1)]; c.Status != 0 {
			return head(c.Status, c.Headers, nil)
		}
	}
	return head(http.StatusOK, nil, map[string]string{"Content-Type": "text/event-stream", "Content-Length": "0"})
}

// attempt handles one request for a stream.
func (s *server) attempt(conn net.Conn, in *bufio.Reader, r *http.Request) {
	s.mu.Lock()
	a := &attempt{at: time.Now()}
	a.last = a.at
	i := len(s.attempts)
	var before *attempt
	if i > 0 {
		before = s.attempts[i-1]
	}
	s.attempts = append(s.attempts, a)
	s.changed.Broadcast()
	s.mu.Unlock()

	n := len(s.c.Connections)
	switch {
	case i < n:
	case s.c.Again > 0 || s.c.Stops == May:
		i = n - 1
	default:
		s.fault("attempt %d came, and there should be %d", i+1, n)
		return
	}
	c := &s.c.Connections[i]
	s.checkOverlap(before, i)
	s.checkRequest(&c.Expect, i, r)
	if before != nil && c.Expect.After != nil {
		s.checkAfter(*c.Expect.After, a.at.Sub(before.lastByte(s)), i)
	}
	p := &player{server: s, attempt: a, conn: conn, in: in, connection: c}
	err := p.play(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	a.over = true
	if !p.stalled {
		a.last = time.Now()
	}
	if err != nil && s.ctx.Err() == nil {
		s.faults = append(s.faults, fmt.Sprintf("connection %d, step %d: %v", i+1, a.steps+1, err))
	}
	s.changed.Broadcast()
}

func (a *attempt) lastByte(s *server) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return a.last
}

// checkOverlap sees that the connection before is closed: two at once would
// deliver events twice.
func (s *server) checkOverlap(before *attempt, i int) {
	if before == nil {
		return
	}
	// The client's FIN may be read a little later than its next request.
	deadline := time.Now().Add(time.Second)
	wake := time.AfterFunc(time.Second, s.changed.Broadcast)
	defer wake.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for !before.over && time.Now().Before(deadline) && s.ctx.Err() == nil {
		s.changed.Wait()
	}
	if !before.over && s.ctx.Err() == nil {
		s.faults = append(s.faults, fmt.Sprintf("attempt %d came while connection %d was open", i+1, i))
	}
}

func (s *server) checkRequest(want *Expect, i int, r *http.Request) {
	q := r.URL.Query()
	lastID := r.Header.Get("Last-Event-ID")
	for _, key := range []string{"last_event_id", "lastEventId"} {
		if lastID == "" {
			lastID = q.Get(key)
		}
	}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if token == "" {
		token = q.Get("access_token")
	}
	for _, m := range []struct {
		name string
		want *string
		got  string
	}{
		{"last event id", want.LastEventID, lastID},
		{"filter", want.Categories, strings.Join(q["categories"], ",")},
		{"topics", want.Topics, strings.Join(q["topics"], ",")},
		{"token", want.Token, token},
	} {
		if m.want != nil && *m.want != m.got {
			s.fault("attempt %d came with the %s %q, want %q", i+1, m.name, m.got, *m.want)
		}
	}
	if r.Method != http.MethodGet {
		s.fault("attempt %d came with the method %s", i+1, r.Method)
	}
	if ws := strings.EqualFold(r.Header.Get("Upgrade"), "websocket"); ws != (s.transport == WebSocket) {
		s.fault("attempt %d came over another transport", i+1)
	}
}

func (s *server) checkAfter(want [2]int, got time.Duration, i int) {
	if ms := int(got.Milliseconds()); ms < want[0] || ms > want[1] {
		s.fault("attempt %d came after %d ms, want %d to %d", i+1, ms, want[0], want[1])
	}
}

// head returns the head of a response. The later headers replace earlier ones.
func head(status int, replace, base map[string]string) string {
	h := map[string]string{}
	maps.Copy(h, base)
	maps.Copy(h, replace)
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	for _, name := range slices.Sorted(maps.Keys(h)) {
		fmt.Fprintf(&b, "%s: %s\r\n", name, h[name])
	}
	b.WriteString("\r\n")
	return b.String()
}
