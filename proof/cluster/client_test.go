package cluster

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"
)

// An item is what a client received: a note's number, or a gap.
type item struct {
	n   int
	gap string // its reason
	at  time.Time
	by  int // which process told of the gap
}

// A client is one user's device. It moves between the processes, and resumes
// each time behind the last id that it has.
type client struct {
	id        int
	user      uuid.UUID
	room      string
	processes []string // host:port

	opened    chan struct{} // closed when it has its first cursor
	openOnce  sync.Once
	received  *atomic.Int64 // of all clients
	last      string
	rand      *rand.Rand
	reconnect int
	overWS    int

	mu    sync.Mutex
	items []item
}

// wants reports whether a publication is for this client.
func (c *client) wants(p *publication) bool {
	switch {
	case p.Room != "":
		return p.Room == c.room
	case len(p.Users) > 0:
		return slices.Contains(p.Users, c.user)
	}
	return true
}

func (c *client) gaps() (n int) {
	for _, i := range c.items {
		if i.gap != "" {
			n++
		}
	}
	return n
}

// has reports whether the last thing that the client received is note n.
func (c *client) has(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.items) > 0 && c.items[len(c.items)-1].gap == "" && c.items[len(c.items)-1].n == n
}

// stay bounds how long a client stays with a process.
const stay = 8 * time.Second

// run listens until ctx ends.
func (c *client) run(ctx context.Context) {
	for ctx.Err() == nil {
		i := c.rand.IntN(len(c.processes))
		visit, cancel := context.WithTimeout(ctx, 200*time.Millisecond+time.Duration(c.rand.Int64N(int64(stay))))
		var err error
		if c.rand.IntN(2) == 0 {
			err = c.events(visit, i)
		} else {
			c.overWS++
			err = c.socket(visit, i)
		}
		cancel()
		c.reconnect++
		if err != nil && ctx.Err() == nil && visit.Err() == nil {
			pause := time.NewTimer(50*time.Millisecond + time.Duration(c.rand.Int64N(int64(200*time.Millisecond))))
			select {
			case <-pause.C:
			case <-ctx.Done():
			}
			pause.Stop()
		}
	}
}

func (c *client) query() string {
	q := url.Values{"user": {c.user.String()}, "room": {c.room}, "topics": {c.room}}
	if c.last != "" {
		q.Set("last_event_id", c.last)
	}
	return q.Encode()
}

// take takes what a stream carries.
func (c *client) take(process int, id, typ string, data []byte) error {
	switch typ {
	case string(note.Info().Type):
		n, err := strconv.Atoi(string(data))
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.items = append(c.items, item{n: n})
		c.mu.Unlock()
		c.received.Add(1)
	case "stream.gap":
		var gap struct{ Reason string }
		if err := json.Unmarshal(data, &gap); err != nil {
			return err
		}
		c.mu.Lock()
		c.items = append(c.items, item{gap: gap.Reason, at: time.Now(), by: process})
		c.mu.Unlock()
	case "stream.cursor", "stream.end":
	default:
		return fmt.Errorf("a message of type %q", typ)
	}
	if id != "" {
		c.last = id
		if typ == "stream.cursor" {
			c.openOnce.Do(func() { close(c.opened) })
		}
	}
	return nil
}

// web does not keep connections: each visit is a new one.
var web = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func (c *client) events(ctx context.Context, process int) error {
	r, err := http.NewRequestWithContext(ctx, "GET", "http://"+c.processes[process]+"/events?"+c.query(), nil)
	if err != nil {
		return err
	}
	resp, err := web.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET /events: %s", resp.Status)
	}
	lines := bufio.NewScanner(resp.Body)
	var id, typ string
	var data []byte
	for lines.Scan() {
		line := lines.Bytes()
		if len(line) == 0 {
			if typ != "" {
				if err := c.take(process, id, typ, data); err != nil {
					return err
				}
			}
			id, typ, data = "", "", nil
			continue
		}
		key, value, _ := bytes.Cut(line, []byte(": "))
		switch string(key) {
		case "id":
			id = string(value)
		case "event":
			typ = string(value)
		case "data":
			data = append(data[:0], value...)
		}
	}
	return lines.Err()
}

func (c *client) socket(ctx context.Context, process int) error {
	conn, _, err := websocket.DefaultDialer.DialContext(ctx, "ws://"+c.processes[process]+"/ws?"+c.query(), nil)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer conn.Close()
	for {
		_, b, err := conn.ReadMessage()
		if err != nil {
			return err
		}
		var m struct {
			ID    string          `json:"id"`
			Event string          `json:"event"`
			Data  json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(b, &m); err != nil {
			return err
		}
		if err := c.take(process, m.ID, m.Event, m.Data); err != nil {
			return err
		}
	}
}
