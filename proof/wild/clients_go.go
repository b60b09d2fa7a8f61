package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	gorilla "github.com/gorilla/websocket"
	r3labs "github.com/r3labs/sse/v2"
	gosse "github.com/tmaxmax/go-sse"

	recipe "github.com/crier-go/crier/proof/wild/recipes/r3labs"
)

var goClients = []client{
	goClient("r3labs/sse", "events", true, runR3labs),
	goClient("r3labs/sse lean", "lean", false, runR3labs),
	goClient("r3labs/sse once", "events", false, runR3labsOnce),
	goClient("tmaxmax/go-sse", "events", true, runGoSSE),
	goClient("tmaxmax/go-sse lean", "lean", false, runGoSSE),
	goClient("gorilla/websocket", "ws", true, runGorilla),
	goClient("coder/websocket", "ws", false, runCoder),
}

func runR3labs(ctx context.Context, address string, tell func(report)) error {
	return recipe.Follow(ctx, address, func(e *r3labs.Event) { handOut(tell, string(e.Event), e.Data) })
}

// runR3labsOnce subscribes as the library's README does.
func runR3labsOnce(ctx context.Context, address string, tell func(report)) error {
	return r3labs.NewClient(address).SubscribeRawWithContext(ctx, func(e *r3labs.Event) {
		handOut(tell, string(e.Event), e.Data)
	})
}

func runGoSSE(ctx context.Context, address string, tell func(report)) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := gosse.Client{HTTPClient: &http.Client{Transport: transport}}
	conn := client.NewConnection(r)
	conn.SubscribeToAll(func(e gosse.Event) { handOut(tell, e.Type, []byte(e.Data)) })
	return conn.Connect()
}

// A message is what a WebSocket carries.
type message struct {
	ID    string          `json:"id"`
	Event string          `json:"event"`
	Data  json.RawMessage `json:"data"`
}

// A socket reads messages; two libraries have one.
type socket interface {
	read(*message) error
	close()
}

// runSockets is the loop that a WebSocket library leaves to its user: connect
// again, with the last id, after as long as the server asked for.
func runSockets(ctx context.Context, address string, tell func(report), dial func(context.Context, string) (socket, error)) error {
	last, pause := "", retry
	for ctx.Err() == nil {
		u := address
		if last != "" {
			u += "&last_event_id=" + url.QueryEscape(last)
		}
		s, err := dial(ctx, u)
		if err == nil {
			end := context.AfterFunc(ctx, s.close)
			for {
				var m message
				if err = s.read(&m); err != nil {
					break
				}
				if m.ID != "" {
					last = m.ID
				}
				handOut(tell, m.Event, m.Data)
			}
			end()
			s.close()
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			tell(report{What: "note", Text: err.Error()})
		}
		sleep(ctx, pause)
	}
	return ctx.Err()
}

type gorillaSocket struct{ *gorilla.Conn }

func (s gorillaSocket) read(m *message) error { return s.ReadJSON(m) }
func (s gorillaSocket) close()                { s.Conn.Close() }

func runGorilla(ctx context.Context, address string, tell func(report)) error {
	return runSockets(ctx, address, tell, func(ctx context.Context, address string) (socket, error) {
		d := gorilla.Dialer{HandshakeTimeout: 5 * time.Second}
		c, _, err := d.DialContext(ctx, address, nil)
		return gorillaSocket{c}, err
	})
}

type coderSocket struct {
	*websocket.Conn
	ctx context.Context
}

func (s coderSocket) read(m *message) error { return wsjson.Read(s.ctx, s.Conn, m) }
func (s coderSocket) close()                { s.CloseNow() }

func runCoder(ctx context.Context, address string, tell func(report)) error {
	return runSockets(ctx, address, tell, func(ctx context.Context, address string) (socket, error) {
		c, _, err := websocket.Dial(ctx, address, nil)
		return coderSocket{c, ctx}, err
	})
}
