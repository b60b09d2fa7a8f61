package proof

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
)

// A lawClient keeps one stream open. What the schedule does to it happens to its
// connection.
type lawClient struct {
	law  *law
	user uuid.UUID
	path string
	rand *rand.Rand

	// law.mu guards the following.
	account lawAccount
	conn    *lawConn
	stream  *lawStream       // nil while there is none
	filter  []event.Category // that it asks for; nil: everything
	topics  []string         // that it asks for
}

// run connects, reads until the connection breaks, waits, and connects again.
func (c *lawClient) run() {
	for {
		c.once()
		select {
		case <-c.law.stopped:
			return
		case <-time.After(time.Duration(1+c.rand.IntN(3000)) * time.Millisecond):
		}
	}
}

func (c *lawClient) once() {
	conn := c.law.dial()
	if conn == nil {
		return // the server is down
	}
	defer conn.Close()
	c.law.mu.Lock()
	c.conn = conn
	c.account.Connections++
	c.law.mu.Unlock()
	lifetime := ""
	if c.rand.IntN(8) == 0 {
		lifetime = fmt.Sprintf("%dms", 1+c.rand.IntN(10_000))
	}
	next, err := c.open(conn, lifetime)
	for err == nil {
		var f frame
		if f, err = next(); err == nil {
			c.receive(f)
		}
	}
	c.law.mu.Lock()
	defer c.law.mu.Unlock()
	c.stream = nil
	var refused *statusError
	if errors.As(err, &refused) {
		c.forbidden(refused.status)
	}
}

// open opens the stream. A client that polls opens one with each request.
func (c *lawClient) open(conn *lawConn, lifetime string) (next func() (frame, error), err error) {
	if c.path == "/poll" {
		p := &poller{conn: conn, in: bufio.NewReader(conn), query: func() url.Values { return c.begin(lifetime) }}
		return p.next, nil
	}
	query := c.begin(lifetime)
	last := query.Get("last_event_id")
	query.Del("last_event_id")
	next, socket, err := open(conn, "memory", c.path, query, last)
	c.law.mu.Lock()
	defer c.law.mu.Unlock()
	conn.socket = socket
	return next, err
}

// begin enters that a stream is asked for, and returns the query for it.
func (c *lawClient) begin(lifetime string) url.Values {
	c.law.mu.Lock()
	defer c.law.mu.Unlock()
	c.stream = c.account.begin(view{c.user, c.filter, slices.Clone(c.topics)})
	c.stream.forbidden = c.law.forbids(c.user, c.topics)
	query := url.Values{"user": {c.user.String()}, "last_event_id": {c.account.last}}
	for _, category := range c.filter {
		query.Add("categories", string(category))
	}
	for _, topic := range c.topics {
		query.Add("topics", topic)
	}
	if lifetime != "" {
		query.Set("lifetime", lifetime)
	}
	return query
}

func (c *lawClient) receive(f frame) {
	c.law.mu.Lock()
	defer c.law.mu.Unlock()
	s := c.stream
	if !s.open && s.forbidden && !c.law.granted(c.user, s) {
		c.account.breach(&c.account.Foreign, "a stream of %v was opened, which is forbidden", s.topics)
	}
	c.account.receive(s, f)
	if f.Event == "stream.filter" {
		c.filter, c.topics = s.categories, slices.Clone(s.topics)
	}
}

// forbidden judges that a stream was refused with a status, and gives up what the
// client may not follow. The caller holds law.mu.
func (c *lawClient) forbidden(status int) {
	if status != http.StatusForbidden {
		return // revoked or overloaded: it comes again
	}
	c.account.Forbidden++
	if !c.law.forbids(c.user, c.topics) && !c.law.leftLately(c.user, c.topics) {
		c.account.breach(&c.account.Wrong, "topics %v were forbidden", c.topics)
	}
	c.topics = slices.DeleteFunc(c.topics, func(topic string) bool { return c.law.forbids(c.user, []string{topic}) })
}

// change asks for other categories and topics: on a WebSocket in the stream, else
// by coming again.
func (c *lawClient) change(filter []event.Category, topics []string) {
	c.law.mu.Lock()
	conn, s := c.conn, c.stream
	if conn == nil || s == nil || conn.socket == nil {
		c.filter, c.topics = filter, topics
		if conn != nil {
			conn.Close()
		}
		c.law.mu.Unlock()
		return
	}
	s.refused = s.refused || c.law.forbids(c.user, topics)
	for _, topic := range topics {
		if _, left := s.left[topic]; left { // it may not come back by itself
			s.refused = true
		}
	}
	clear(s.joined)
	s.asking = true
	c.law.mu.Unlock()
	conn.socket.SetWriteDeadline(time.Now().Add(time.Second))
	if conn.socket.WriteJSON(map[string]any{"categories": filter, "topics": topics}) != nil {
		conn.Close()
	}
}

// cut ends the connection after some more bytes.
func (c *lawClient) cut(after int) {
	c.law.mu.Lock()
	defer c.law.mu.Unlock()
	if c.conn != nil {
		c.conn.limit(after)
	}
}

func (c *lawClient) stall(d time.Duration) {
	c.law.mu.Lock()
	defer c.law.mu.Unlock()
	if c.conn != nil {
		c.conn.pause(d)
	}
}

// heal ends what the schedule has in store for the present connection, and lets
// the client ask for everything that it may have.
func (c *lawClient) heal() {
	c.law.mu.Lock()
	defer c.law.mu.Unlock()
	c.filter, c.topics = nil, nil
	for _, topic := range c.law.topics {
		if !c.law.forbids(c.user, []string{topic}) {
			c.topics = append(c.topics, topic)
		}
	}
	if c.conn != nil {
		c.conn.Close()
	}
}

// A poller polls over one connection, each time as soon as it has an answer.
type poller struct {
	conn   net.Conn
	in     *bufio.Reader
	query  func() url.Values // begins a stream
	frames []frame           // that were read and not returned yet
	ended  bool
}

func (p *poller) next() (f frame, err error) {
	for len(p.frames) == 0 {
		if p.ended {
			return f, io.EOF
		}
		if err := p.poll(); err != nil {
			return f, err
		}
	}
	f, p.frames = p.frames[0], p.frames[1:]
	return f, nil
}

func (p *poller) poll() error {
	r, err := http.NewRequest("GET", "http://memory/poll?"+p.query().Encode(), nil)
	if err != nil {
		return err
	}
	if err := r.Write(p.conn); err != nil {
		return err
	}
	resp, err := http.ReadResponse(p.in, r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return &statusError{resp.StatusCode}
	}
	var answer struct {
		Events []frame `json:"events"`
		Cursor string  `json:"cursor"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return err
	}
	p.frames = answer.Events
	if n := len(p.frames); n > 0 && p.frames[n-1].Event == "stream.end" {
		p.ended = true
	} else {
		p.frames = append(p.frames, frame{ID: answer.Cursor, Event: "stream.cursor"})
	}
	return nil
}

// A lawConn is the client's end of a connection that the schedule can harm.
type lawConn struct {
	net.Conn
	socket *websocket.Conn // once it is one; law.mu guards it

	mu     sync.Mutex
	left   int // bytes until it is cut; below zero: no limit
	until  time.Time
	closed bool
}

func (c *lawConn) limit(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = n
}

func (c *lawConn) pause(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if until := time.Now().Add(d); until.After(c.until) { // a Read that sleeps does not wake earlier
		c.until = until
	}
}

// healthy reports whether nothing is in the way of what the server sends.
func (c *lawConn) healthy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.closed && c.left < 0 && time.Now().After(c.until)
}

func (c *lawConn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	return c.Conn.Close()
}

func (c *lawConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	left, wait := c.left, time.Until(c.until)
	c.mu.Unlock()
	if wait > 0 {
		time.Sleep(wait)
	}
	if left == 0 {
		c.Close()
	} else if left > 0 {
		p = p[:min(len(p), left)]
	}
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left > 0 {
		c.left = max(0, c.left-n)
	}
	return n, err
}
