package ticket_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/sse"
	"github.com/crier-go/crier/transport/ticket"
)

// An application whose sessions are bearer tokens gives its pages tickets for
// their EventSources.
func Example() {
	var kinds event.Registry
	event.Define[string](&kinds, "chat", "chat.message.posted", "Somebody wrote a message.")
	h := hub.New(&kinds, nil)
	ada := uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://example.com/users/ada"))
	key := bytes.Repeat([]byte("secret"), 6) // yours comes from crypto/rand, and is kept in a file

	authenticate := func(r *http.Request) (hub.Session, error) { // by a header, which an EventSource cannot set
		if r.Header.Get("Authorization") != "Bearer ada" {
			return hub.Session{}, transport.ErrUnauthenticated
		}
		return hub.Session{User: ada, ID: "login 1", Allowed: hub.Everything()}, nil
	}
	loggedIn := map[string]bool{"login 1": true}
	check := func(_ context.Context, s hub.Session) (hub.Session, error) {
		if !loggedIn[s.ID] {
			return s, transport.ErrUnauthenticated
		}
		return s, nil
	}

	tickets := ticket.New(check, &ticket.Options{Once: true}, key)
	mux := http.NewServeMux()
	mux.Handle("GET /events", sse.NewHandler(h, tickets.Authenticator("sse", authenticate), nil))
	mux.HandleFunc("POST /ticket", func(w http.ResponseWriter, r *http.Request) {
		session, err := authenticate(r)
		if err != nil {
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		t, err := tickets.Mint("sse", session)
		if err != nil {
			http.Error(w, "no ticket", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		json.NewEncoder(w).Encode(map[string]string{"ticket": t})
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	defer h.Shutdown(context.Background())

	// What the page does:
	ask := func(method, path, header, value string) *http.Response {
		r, err := http.NewRequest(method, srv.URL+path, nil)
		if err != nil {
			panic(err)
		}
		r.Header.Set(header, value)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			panic(err)
		}
		return resp
	}
	var answer struct{ Ticket string }
	resp := ask("POST", "/ticket", "Authorization", "Bearer ada")
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		panic(err)
	}
	url := "/events?ticket=" + answer.Ticket
	resp = ask("GET", url, "Accept", "text/event-stream")
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			fmt.Println("with the ticket:", resp.Status, name)
			break
		}
	}
	cookie := resp.Cookies()[0]
	resp.Body.Close()
	fmt.Println("the cookie:", cookie.Path, cookie.HttpOnly, cookie.MaxAge)

	fmt.Println("the ticket again:", ask("GET", url, "Accept", "*/*").Status)
	resp = ask("GET", url, "Cookie", cookie.Name+"="+cookie.Value)
	fmt.Println("with the cookie:", resp.Status)
	resp.Body.Close()

	loggedIn["login 1"] = false
	fmt.Println("after the logout:", ask("GET", url, "Cookie", cookie.Name+"="+cookie.Value).Status)
	// Output:
	// with the ticket: 200 OK stream.cursor
	// the cookie: /events true 86400
	// the ticket again: 401 Unauthorized
	// with the cookie: 200 OK
	// after the logout: 401 Unauthorized
}

// A ticket is for one session and one purpose.
func ExampleIssuer_Mint() {
	check := func(_ context.Context, s hub.Session) (hub.Session, error) { return s, nil } // yours asks the store of sessions
	tickets := ticket.New(check, &ticket.Options{Life: time.Minute}, bytes.Repeat([]byte("k"), 32))
	session := hub.Session{
		User:    uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://example.com/users/ada")),
		Expires: time.Now().Add(time.Hour),
		Allowed: hub.Categories("chat"),
		Topics:  []string{"room:tea"},
	}
	t, err := tickets.Mint("sse", session)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, purpose := range []string{"sse", "ws"} {
		r := httptest.NewRequest("GET", "/events?ticket="+t, nil)
		got, err := tickets.Authenticator(purpose, nil)(r)
		fmt.Println(purpose, got.Topics, err)
	}
	// Output:
	// sse [room:tea] <nil>
	// ws [] transport: unauthenticated: ticket: the ticket was minted for another purpose
}
