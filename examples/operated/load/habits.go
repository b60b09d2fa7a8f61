package load

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"github.com/crier-go/crier/event"
)

// A habit is how somebody is connected. What a person does is repeated.
type habit struct {
	talks bool
	do    func(context.Context, *person)
}

// habits are those of the first twenty people, and of each twenty after them. Most
// people have a connection that is good.
var habits = []habit{
	{true, stays(false)},
	{true, stays(true)},
	{true, commutes(false)},
	{true, commutes(true)},
	{true, loadsPages},
	{true, hasTwoTabs},
	{true, readsSlowly},
	{false, logsOut},
	{true, stays(true)},
	{true, commutes(false)},
	{false, sleeps},
	{true, stays(false)},
	{true, loadsPages},
	{true, stalls(false)},
	{true, stays(true)},
	{false, opensTooManyTabs},
	{true, commutes(true)},
	{false, comesFromElsewhere},
	{true, stalls(true)},
	{false, breaksTheProtocol},
}

// narrow is a receive buffer that is full after a few events.
const narrow = 4 << 10

// stays has one stream for minutes. Its stream begins as new.
func stays(ws bool) func(context.Context, *person) {
	return func(ctx context.Context, p *person) {
		p.listen(ctx, visit{ws: ws, topics: topicsOf(p.name), stay: about(p.scaled(3 * time.Minute))})
	}
}

// commutes loses the connection again and again, and resumes after a few seconds
// from the last id. Nothing is lost.
func commutes(ws bool) func(context.Context, *person) {
	return func(ctx context.Context, p *person) {
		last := ""
		for range 10 {
			last = p.listen(ctx, visit{ws: ws, lastID: last, topics: topicsOf(p.name), stay: about(p.scaled(15 * time.Second))})
			if !wait(ctx, about(p.scaled(4*time.Second))) {
				return
			}
		}
	}
}

// hasTwoTabs has a page whose connection is lost now and then, and another that only
// counts what is unread. The second filters the rest.
func hasTwoTabs(ctx context.Context, p *person) {
	var tabs sync.WaitGroup
	defer tabs.Wait()
	tabs.Go(func() {
		p.listen(ctx, visit{categories: []event.Category{"chat"}, stay: p.scaled(4 * time.Minute)})
	})
	commutes(true)(ctx, p)
}

// loadsPages reads the state as a page does, and streams from the page's cursor.
func loadsPages(ctx context.Context, p *person) {
	cursor, err := p.state(ctx)
	if p.try(ctx, "load a page", err) {
		p.listen(ctx, visit{lastID: cursor, topics: topicsOf(p.name), stay: about(p.scaled(30 * time.Second))})
	}
}

// sleeps loads a page and closes the laptop. When the page's stream starts, the room
// "prices" does not have the events any more that were missed: it begins with a
// gap.
func sleeps(ctx context.Context, p *person) {
	cursor, err := p.state(ctx)
	if p.try(ctx, "load a page", err) && wait(ctx, p.scaled(time.Minute)) {
		p.listen(ctx, visit{
			lastID: cursor, topics: append(topicsOf(p.name), topic(pricesRoom)),
			stay: about(p.scaled(20 * time.Second)),
		})
	}
}

// readsSlowly takes longer for each price than it takes until the next. The stream
// falls behind, and is told of gaps.
func readsSlowly(ctx context.Context, p *person) {
	p.listen(ctx, visit{
		topics: append(topicsOf(p.name), topic(pricesRoom)),
		stay:   about(p.scaled(2 * time.Minute)), pause: p.scaled(700 * time.Millisecond), buffer: narrow,
	})
}

// stalls stops reading. The stream ends as slow, since no write makes progress.
func stalls(ws bool) func(context.Context, *person) {
	return func(ctx context.Context, p *person) {
		stay := about(p.scaled(45 * time.Second))
		p.listen(ctx, visit{ws: ws, topics: []string{topic(pricesRoom)}, stay: stay, pause: stay, buffer: narrow})
	}
}

// opensTooManyTabs opens more streams than the hub allows for one user. The oldest
// end as overloaded, and those that reconnect are refused.
func opensTooManyTabs(ctx context.Context, p *person) {
	var tabs sync.WaitGroup
	defer tabs.Wait()
	for range 6 {
		tabs.Go(func() { p.listen(ctx, visit{ws: rand.IntN(2) == 0, stay: p.scaled(50 * time.Second)}) })
		if !wait(ctx, p.scaled(time.Second)) {
			return
		}
	}
}

// logsOut logs out after a while, and in again. The stream ends as revoked.
func logsOut(ctx context.Context, p *person) {
	var tab sync.WaitGroup
	defer tab.Wait()
	visiting, leave := context.WithCancel(ctx)
	defer leave()
	tab.Go(func() { p.listen(visiting, visit{topics: topicsOf(p.name), stay: p.scaled(time.Minute)}) })
	if wait(ctx, about(p.scaled(15*time.Second))) && p.try(ctx, "log out", p.logOut(ctx)) {
		leave() // a browser has no cookie any more to reconnect with
		wait(ctx, about(p.scaled(5*time.Second)))
		p.try(ctx, "log in again", p.logIn(ctx))
	}
}

// comesFromElsewhere resumes with an id that another server has given out. The
// stream begins with a gap.
func comesFromElsewhere(ctx context.Context, p *person) {
	id := uuid.New()
	id[6] = id[6]&0x0f | 0x80 // version 8: a cursor
	p.listen(ctx, visit{ws: true, lastID: id.String(), stay: about(p.scaled(20 * time.Second))})
}

// breaksTheProtocol sends what is no WebSocket message. The stream ends as abusive.
func breaksTheProtocol(ctx context.Context, p *person) {
	conn, response, err := websocket.DefaultDialer.DialContext(ctx, strings.Replace(p.url, "http", "ws", 1)+"/ws", p.header())
	if response != nil && response.StatusCode != http.StatusSwitchingProtocols {
		response.Body.Close()
	}
	if !p.try(ctx, "open a WebSocket", err) {
		wait(ctx, p.scaled(5*time.Second))
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if !wait(ctx, about(p.scaled(20*time.Second))) {
		return
	}
	// A frame with a reserved opcode. Nothing is expected of the answer.
	_, _ = conn.NetConn().Write([]byte{0x83, 0x80, 0, 0, 0, 0})
	for {
		if _, _, err := conn.ReadMessage(); err != nil {
			return
		}
	}
}
