package load

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/crier-go/crier/client"
	"github.com/crier-go/crier/event"
)

// A person is one who uses the chat.
type person struct {
	name   string
	others []string
	url    string
	speed  float64
	log    *slog.Logger
	http   *http.Client

	mu     sync.Mutex
	cookie string
}

func newPerson(o Options, name string, others []string) *person {
	return &person{
		name: name, others: others, url: o.URL, speed: o.Speed, log: o.Logger.With("person", name),
		http: &http.Client{
			Transport: &http.Transport{},
			Timeout:   10 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return http.ErrUseLastResponse // it has the cookie
			},
		},
	}
}

// scaled returns how long something takes at this person's speed.
func (p *person) scaled(d time.Duration) time.Duration { return time.Duration(float64(d) / p.speed) }

// live does what people of a habit do until ctx is over.
func (p *person) live(ctx context.Context, h habit) {
	defer p.http.CloseIdleConnections()
	if !wait(ctx, rand.N(p.scaled(20*time.Second))) { // they do not all come at once
		return
	}
	for !p.try(ctx, "log in", p.logIn(ctx)) {
		if !wait(ctx, about(p.scaled(5*time.Second))) {
			return
		}
	}
	var talks sync.WaitGroup
	defer talks.Wait()
	if h.talks {
		talks.Go(func() { p.talk(ctx) })
	}
	for ctx.Err() == nil {
		h.do(ctx, p)
		if !wait(ctx, about(p.scaled(time.Second))) {
			return
		}
	}
}

// try reports whether something has succeeded, and logs what has not.
func (p *person) try(ctx context.Context, what string, err error) bool {
	if err != nil && ctx.Err() == nil {
		p.log.Warn("a simulated person failed to "+what, "error", err)
	}
	return err == nil
}

// logIn enters a name, joins rooms and keeps the session's cookie.
func (p *person) logIn(ctx context.Context) error {
	form := strings.NewReader(url.Values{"name": {p.name}}.Encode())
	response, err := p.do(ctx, http.MethodPost, "/login", "application/x-www-form-urlencoded", form)
	if err != nil {
		return err
	}
	for _, c := range response.Cookies() {
		p.mu.Lock()
		p.cookie = c.Name + "=" + c.Value
		p.mu.Unlock()
	}
	for _, room := range roomsOf(p.name) {
		if _, err := p.do(ctx, http.MethodPost, "/rooms/"+room, "", nil); err != nil {
			return err
		}
	}
	return nil
}

// logOut ends the session's streams.
func (p *person) logOut(ctx context.Context) error {
	_, err := p.do(ctx, http.MethodPost, "/logout", "", nil)
	return err
}

// post sends something as JSON.
func (p *person) post(ctx context.Context, path string, v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = p.do(ctx, http.MethodPost, path, "application/json", strings.NewReader(string(b)))
	}
	return err
}

// state reads what a page reads when it is loaded, and returns the cursor from
// which its stream starts.
func (p *person) state(ctx context.Context) (cursor string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/state", nil)
	if err != nil {
		return "", err
	}
	request.Header = p.header()
	response, err := p.http.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var state struct{ Cursor string }
	err = json.NewDecoder(response.Body).Decode(&state)
	return state.Cursor, err
}

// do sends a request. The answer has been read and has no error status.
func (p *person) do(ctx context.Context, method, path, contentType string, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, p.url+path, body)
	if err != nil {
		return nil, err
	}
	request.Header = p.header()
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := p.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 400 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
	}
	return response, err
}

func (p *person) header() http.Header {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := http.Header{"User-Agent": {"crier-load/1"}}
	if p.cookie != "" {
		h.Set("Cookie", p.cookie)
	}
	return h
}

// A visit is a stream that a person has open for a while.
type visit struct {
	ws         bool
	lastID     string
	topics     []string
	categories []event.Category // none means all
	stay       time.Duration    // how long
	// pause is how long the person looks at each event before taking the next.
	pause time.Duration
	// buffer is how many bytes may wait in this computer. Zero is the system's
	// choice, which is megabytes.
	buffer int
}

// listen opens a stream and reads it. It returns the id to resume from.
func (p *person) listen(ctx context.Context, v visit) (lastID string) {
	visiting, leave := context.WithTimeout(ctx, v.stay)
	defer leave()
	address := p.url + "/events"
	if v.ws {
		address = strings.Replace(p.url, "http", "ws", 1) + "/ws"
	}
	dial := dialer(v.buffer)
	transport := &http.Transport{DialContext: dial}
	defer transport.CloseIdleConnections()
	stream, err := client.Dial(visiting, address, &client.Options{
		LastID:     v.lastID,
		Filter:     client.Filter{Categories: v.categories, Topics: v.topics},
		Header:     p.header(),
		HTTPClient: &http.Client{Transport: transport},
		Dialer:     &websocket.Dialer{NetDialContext: dial},
		OnGap: func(client.Gap) {
			_, err := p.state(visiting)
			p.try(visiting, "read the state after a gap", err)
		},
	})
	if !p.try(visiting, "open a stream", err) {
		return v.lastID
	}
	defer stream.Close()
	for _, err := range stream.Events() {
		if !p.try(visiting, "read a stream", err) {
			break
		}
		if v.pause > 0 {
			wait(visiting, v.pause)
		}
	}
	return stream.LastID()
}

// dialer returns a function that opens connections with a buffer of a size.
func dialer(buffer int) func(ctx context.Context, network, address string) (net.Conn, error) {
	d := &net.Dialer{Control: receiveBuffer(buffer)}
	return d.DialContext
}
