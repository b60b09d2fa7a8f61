package conformance

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
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

// A player does what a connection's script says.
type player struct {
	*server
	*attempt
	conn       net.Conn
	in         *bufio.Reader
	connection *Connection
	messages   chan []byte // what the client says on a WebSocket
	pongs      chan string
	hungUp     chan struct{}
	stalled    bool // the client has to end it; guarded by mu
}

func (p *player) play(r *http.Request) error {
	c := p.connection
	switch {
	case c.Reset:
		p.reset()
		return nil
	case c.Status != 0:
		return p.answer(c)
	case p.transport == WebSocket:
		key := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		p.write([]byte(head(101, c.Headers, map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Accept": base64.StdEncoding.EncodeToString(key[:]),
		})))
	case c.Whole:
		p.write([]byte(head(200, c.Headers, map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-cache, no-transform", "Connection": "close"})))
	default:
		p.write([]byte(head(200, c.Headers, map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-cache, no-transform", "Transfer-Encoding": "chunked"})))
	}
	p.messages, p.pongs, p.hungUp = make(chan []byte, 100), make(chan string, 100), make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(p.read)
	defer reading.Wait()
	defer p.conn.Close()
	ended := false
	for _, step := range c.Steps {
		if err := p.step(&step); err != nil {
			return err
		}
		ended = ended || step.End != "" || step.Close != nil
		p.mu.Lock()
		p.steps++
		p.mu.Unlock()
	}
	if !ended {
		return p.end("fin")
	}
	return nil
}

// answer sends a response that is no stream.
func (p *player) answer(c *Connection) error {
	base := map[string]string{"Content-Type": "text/plain"}
	if c.Status != http.StatusNoContent {
		base["Content-Length"] = fmt.Sprint(len(c.Body))
	}
	base["Connection"] = "close"
	p.write([]byte(head(c.Status, c.Headers, base) + c.Body))
	p.conn.(*net.TCPConn).CloseWrite()
	p.conn.SetReadDeadline(time.Now().Add(time.Second))
	io.Copy(io.Discard, p.in) // so that the client reads to the end
	return nil
}

// patience is how long a client may take for what it must do.
const patience = 10 * time.Second

func (p *player) step(s *Step) error {
	switch {
	case s.Frame != nil && p.transport == SSE:
		return p.send(s.Frame.sse(), s.Pieces)
	case s.Frame != nil:
		return p.writeRaw(wsFrame(opText, s.Frame.message()), s.Pieces)
	case s.Text != "" && p.transport == SSE:
		return p.send([]byte(s.Text), s.Pieces)
	case s.Text != "":
		return p.writeRaw(wsFrame(opText, []byte(s.Text)), s.Pieces)
	case s.Hex != "":
		b, err := hex.DecodeString(strings.ReplaceAll(s.Hex, " ", ""))
		if err != nil {
			return err
		}
		if p.transport == SSE {
			return p.send(b, s.Pieces)
		}
		return p.writeRaw(b, s.Pieces)
	case s.Pause > 0:
		select {
		case <-time.After(time.Duration(s.Pause) * time.Millisecond):
			return nil
		case <-p.hungUp:
			return fmt.Errorf("the client hung up in a pause of %d ms", s.Pause)
		}
	case s.Ping != "":
		if err := p.write(wsFrame(opPing, []byte(s.Ping))); err != nil {
			return err
		}
		select {
		case got := <-p.pongs:
			if got != s.Ping {
				return fmt.Errorf("a ping with %q was answered with %q", s.Ping, got)
			}
			return nil
		case <-time.After(patience):
			return errors.New("a ping was not answered")
		case <-p.hungUp:
			return errors.New("the client hung up instead of answering a ping")
		}
	case s.Reported > 0:
		return p.await(s.Reported)
	case s.Receive != nil:
		select {
		case got := <-p.messages:
			if !contains(got, s.Receive) {
				return fmt.Errorf("the client said %.200s", got)
			}
			return nil
		case <-time.After(patience):
			return errors.New("the client said nothing")
		case <-p.hungUp:
			return errors.New("the client hung up instead of saying something")
		}
	case s.Do != nil:
		p.tell(*s.Do)
		return nil
	case s.Close != nil:
		code := []byte{byte(s.Close.Code >> 8), byte(s.Close.Code)}
		if err := p.write(wsFrame(opClose, append(code, s.Close.Reason...))); err != nil {
			return err
		}
		select {
		case <-p.hungUp:
		case <-time.After(time.Second):
		case <-p.ctx.Done():
		}
		return nil
	case s.End != "":
		return p.end(s.End)
	}
	return errors.New("the step says nothing")
}

// await waits until the client has made n reports.
func (p *player) await(n int) error {
	deadline := time.Now().Add(patience)
	wake := time.AfterFunc(patience, p.changed.Broadcast)
	defer wake.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.reported < n && p.ctx.Err() == nil {
		if time.Now().After(deadline) {
			return fmt.Errorf("the client has made %d of %d reports", p.reported, n)
		}
		p.changed.Wait()
	}
	return nil
}

// end ends the connection.
func (p *player) end(how string) error {
	switch how {
	case "fin":
		if p.transport == SSE && !p.connection.Whole {
			p.write([]byte("0\r\n\r\n"))
		}
		p.conn.Close()
	case "cut":
		p.conn.Close()
	case "rst":
		p.reset()
	case "stall":
		p.mu.Lock()
		p.stalled = true
		p.mu.Unlock()
		select {
		case <-p.hungUp:
		case <-p.ctx.Done():
		}
	}
	return nil
}

func (p *player) reset() {
	p.conn.(*net.TCPConn).SetLinger(0)
	p.conn.Close()
}

// send sends bytes of a body of Server-Sent Events, each piece in a chunk.
func (p *player) send(b []byte, pieces int) error {
	for piece := range slices.Chunk(b, pieceLen(b, pieces)) {
		if !p.connection.Whole {
			piece = fmt.Appendf(nil, "%x\r\n%s\r\n", len(piece), piece)
		}
		if err := p.write(piece); err != nil {
			return err
		}
		breathe(pieces)
	}
	return nil
}

// writeRaw writes bytes in pieces.
func (p *player) writeRaw(b []byte, pieces int) error {
	for piece := range slices.Chunk(b, pieceLen(b, pieces)) {
		if err := p.write(piece); err != nil {
			return err
		}
		breathe(pieces)
	}
	return nil
}

func pieceLen(b []byte, pieces int) int {
	if pieces > 0 {
		return pieces
	}
	return max(len(b), 1)
}

// breathe lets the client read a piece before the next one comes.
func breathe(pieces int) {
	if pieces > 0 {
		time.Sleep(time.Millisecond)
	}
}

func (p *player) write(b []byte) error {
	_, err := p.conn.Write(b)
	p.mu.Lock()
	if !p.stalled {
		p.last = time.Now()
	}
	p.mu.Unlock()
	if err != nil {
		return fmt.Errorf("the client hung up: %w", err)
	}
	return nil
}
