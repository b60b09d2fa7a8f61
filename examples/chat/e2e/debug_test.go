package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/uuid"

	"github.com/crier-go/crier/debug"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport/sse"
)

// Support tickets: a user did not get an event, and whoever is on call finds out why
// from the debug page: from the search box to the answer.

var (
	shop      event.Registry
	shipped   = event.Define[string](&shop, "orders", "order.shipped", "An order was shipped.")
	reminded  = event.Define[string](&shop, "reminders", "reminder.due", "A reminder is due.")
	customers = event.NewUserIDs("shop.example.com")
)

// An onCall is a hub that serves one user over SSE, and its debug page in a browser.
type onCall struct {
	*tab
	hub    *hub.Hub
	server *httptest.Server
	user   uuid.UUID
}

// newOnCall returns a hub that retains two events for each user.
func newOnCall(t *testing.T) *onCall {
	t.Helper()
	c := &onCall{tab: newPerson(t, "on call"), hub: hub.New(&shop, &hub.Options{UserEvents: 2}), user: customers.FromInt(42)}
	page := debug.NewHandler(c.hub, func(*http.Request) error { return nil }, debug.WithUserIDs(customers.FromString))
	mux := http.NewServeMux()
	mux.Handle("/debug/crier/", page)
	mux.Handle("GET /events", sse.NewHandler(c.hub, func(r *http.Request) (hub.Session, error) {
		return hub.Session{User: c.user, ID: r.FormValue("device"), Allowed: hub.Everything()}, nil
	}, nil))
	c.server = httptest.NewServer(mux)
	t.Cleanup(page.Close) // after the hub's end
	closeAfter(t, c.hub, c.server)
	return c
}

// connect opens a stream of the user and returns what closes it, once the hub knows.
func (c *onCall) connect(query string) (leave func()) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server.URL+"/events?"+query, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	go func() { // reads until it is cut
		defer resp.Body.Close()
		_, _ = new(bytes.Buffer).ReadFrom(resp.Body)
	}()
	return func() {
		c.t.Helper()
		cancel()
		c.until("the stream has ended", func() bool { return len(c.hub.Listening(c.user)) == 0 })
	}
}

// until waits until something is so in the server.
func (c *onCall) until(what string, ok func() bool) {
	c.t.Helper()
	for began := time.Now(); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > patience {
			c.t.Fatalf("still not so: %s", what)
		}
	}
}

// happen lets the clock pass to another millisecond, before and after it publishes
// an event: an id says no more than in which it was made.
func (c *onCall) happen(k event.Kind[string], text string) *event.Event {
	c.t.Helper()
	pass := func() {
		for now := time.Now().UnixMilli(); time.Now().UnixMilli() <= now+1; {
			time.Sleep(time.Millisecond)
		}
	}
	pass()
	e, err := k.New(c.user, text)
	if err == nil {
		err = c.hub.Publish(context.Background(), e)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	pass()
	return e
}

// search types into the search box as a person does.
func (c *onCall) search(user string, event ...string) {
	c.t.Helper()
	c.open(c.server.URL + "/debug/crier/")
	c.write(`.explain input[name=user]`, user)
	if len(event) > 0 {
		c.write(`.explain input[name=event]`, event[0])
	}
	c.click(`.explain button`)
	c.says("main", "Retained events, newest first")
}

// says demands that a part of the page shows all of these words.
func (c *onCall) says(selector string, words ...string) {
	c.t.Helper()
	for _, s := range words {
		c.wait(selector+" says "+s, `document.querySelector(%s)?.innerText.includes(%s)`, selector, s)
	}
}

// row demands that the log's row of an event shows all of these words.
func (c *onCall) row(e *event.Event, words ...string) {
	c.t.Helper()
	for _, s := range words {
		c.wait("the row of the event says "+s, `[...document.querySelectorAll('#events tr')].find((r) => r.innerText.includes(%s))?.innerText.includes(%s)`, e.ID().String(), s)
	}
}

// Somebody filtered the event out. The log says so beside the event; a click on the
// event says why.
func TestTicketFiltered(t *testing.T) {
	t.Parallel()
	c := newOnCall(t)
	c.connect("device=phone&categories=reminders")
	e := c.happen(shipped, "secret")
	c.happen(reminded, "secret")
	c.until("the reminder was written", func() bool { return !c.hub.Streams(c.user)[0].LastWrite.IsZero() })
	c.search("42")
	c.says("main", c.user.String(), "1 open stream, 0 that ended", "sse from 127.0.0.1", "session phone", "reminders", "1 event")
	c.wait("says when the stream was last written to", `/just now|ago/.test(document.querySelector('[data-label="last write"]').innerText)`)
	c.row(e, "order.shipped", "filtered out", "#1")
	c.shot("debug-filtered-log")
	c.click(fmt.Sprintf(`#events a[href*="%s"]`, e.ID()))
	c.says("#answer", "Not delivered: filtered out.", "order.shipped, category orders",
		"The stream asked for reminders only. The event is of the category orders.", "Stream #1, sse, session phone")
	c.legible()
	c.shot("debug-filtered")
	if text := eval[string](c.tab, `document.documentElement.outerHTML`); strings.Contains(text, "secret") {
		t.Error("the page shows a payload")
	}
}

// The user was not connected, and the event was evicted before the user came back:
// with a last id, the client was told of a gap; without, it does not know.
func TestTicketNotConnected(t *testing.T) {
	t.Parallel()
	c := newOnCall(t)
	leave := c.connect("device=laptop")
	cursor := c.hub.Cursor()
	leave()
	e := c.happen(shipped, "on its way")
	c.happen(reminded, "1")
	c.happen(reminded, "2") // the log holds two events
	c.connect("device=laptop&last_event_id=" + cursor)
	c.until("the laptop was told of the gap", func() bool { return c.hub.Streams(c.user)[0].Gaps == 1 })
	c.connect("device=phone")
	c.search("42")
	c.says("main", "2 open streams, 1 that ended", "the client has gone", "1 gap", "resumed with a gap", "session laptop", "session phone")
	c.search("42", e.ID().String())
	c.says("#answer", "Probably not delivered to any of the user's 2 streams; 1 more had ended before.", "it has been evicted since",
		"evicted before it was read", "The client is told of a gap.",
		"not connected", "and its client gave no last id to resume from")
	c.click("#answer summary")
	c.says("#answer", "ended before", "(the client has gone), before the event was made at")
	c.legible()
	c.dark(true)
	c.legible()
	c.shot("debug-not-connected-dark")
}

// The session was revoked before. Another device had the event.
func TestTicketRevoked(t *testing.T) {
	t.Parallel()
	c := newOnCall(t)
	c.connect("device=stolen")
	if n, err := c.hub.RevokeSession(t.Context(), c.user, "stolen"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	c.until("the stream has ended", func() bool { return len(c.hub.Listening(c.user)) == 0 })
	c.connect("device=phone")
	e := c.happen(shipped, "on its way")
	c.until("the phone has it", func() bool { return c.hub.Streams(c.user)[0].Delivered == 1 })
	c.search(" "+c.user.String()+" ", e.ID().String())
	c.row(e, "delivered", "#2", "revoked before", "#1")
	c.says("#answer", "Delivered to 1 of the user's 2 streams.", "revoked before", "(revoked), before the event was published at", "session stolen")
	c.do("be a phone", chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(2), chromedp.EmulateMobile, chromedp.EmulateTouch))
	c.fits()
	c.legible()
	c.shot("debug-revoked-phone")
}

// Every view fits a phone, whatever streams are called. The log follows what happens.
func TestDebugPageOnAPhone(t *testing.T) {
	t.Parallel()
	c := newOnCall(t)
	c.do("be a phone", chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(2), chromedp.EmulateMobile, chromedp.EmulateTouch))
	c.connect("device=" + strings.Repeat("long", 30))
	c.connect("device=%3Cimg%20src=x%20onerror=%22window.hurt=1%22%3E")
	c.happen(shipped, "1")
	for _, dark := range []bool{false, true} {
		c.dark(dark)
		for _, query := range []string{"", "?view=streams", "?view=user&user=42", "?view=user&user=%3Cb%3E&event=x", "?view=streams&after=9"} {
			c.open(c.server.URL + "/debug/crier/" + query)
			c.fits()
			c.legible()
			c.shot(fmt.Sprintf("debug-phone-%s-dark=%t", strings.Trim(strings.NewReplacer("?view=", "", "&", "-", "%", "").Replace(query), "-"), dark))
		}
	}
	c.open(c.server.URL + "/debug/crier/?view=user&user=42")
	if eval[bool](c.tab, `'hurt' in window || Boolean(document.querySelector('img'))`) {
		t.Error("the name of a session was taken for markup")
	}
	c.tap(`[data-follow=events]`)
	e := c.happen(reminded, "2")
	c.row(e, "reminder.due")
	c.server.Listener.Close()
	c.server.CloseClientConnections()
	c.wait("says that what it shows is old", `getComputedStyle(document.querySelector('label:has([data-follow=events])'), '::after').content.includes('no answer')`)
}
