package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event/catalog"
	"github.com/crier-go/crier/hub"
)

// serve starts an assistant that answers without a pause.
func serve(t testing.TB) (*assistant, *httptest.Server) {
	a := &assistant{hub: hub.New(&catalog.Registry, nil), user: uuid.New(), conversation: uuid.New()}
	server := httptest.NewServer(newHandler(a, nil))
	t.Cleanup(func() {
		if err := a.hub.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return a, server
}

// A reader reads a stream as an EventSource does (WHATWG HTML, section 9.2): it
// keeps the last id of a whole event, whatever its type, and sends it back.
type reader struct {
	url    string
	lastID string
}

// connect reads one connection until it is cut, which it is once cut says so about
// an event, and hands the chunks before that to take.
func (r *reader) connect(ctx context.Context, cut func(event string) bool, take func(catalog.AIResponseChunkPayload)) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second) // only a failure waits so long
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, "GET", r.url, nil)
	if err != nil {
		return err
	}
	if r.lastID != "" {
		request.Header.Set("Last-Event-ID", r.lastID)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var id, kind, data string
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			id = value
		case "event":
			kind = value
		case "data":
			data = value
		case "":
			if id != "" {
				r.lastID = id
			}
			switch kind {
			case "ai.response.chunk":
				var chunk catalog.AIResponseChunkPayload
				if err := json.Unmarshal([]byte(data), &chunk); err != nil {
					return err
				}
				take(chunk)
			case "stream.gap", "stream.end":
				return fmt.Errorf("%s %s", kind, data)
			}
			if cut(kind) {
				return nil
			}
			id, kind, data = "", "", ""
		}
	}
	return fmt.Errorf("the stream ended: %v", lines.Err())
}

// An answer that is cut after each of its tokens, 300 times, arrives whole: each
// token once, in order, and without a gap.
func TestCutAtEveryToken(t *testing.T) {
	a, server := serve(t)
	r := &reader{url: server.URL + "/events"}
	if err := r.connect(t.Context(), func(kind string) bool { return kind == "stream.cursor" }, nil); err != nil {
		t.Fatal(err)
	}
	response := uuid.New()
	answered := make(chan error, 1)
	go func() { answered <- a.answer(context.Background(), response) }()
	var sequence []int
	for cuts := range length {
		err := r.connect(t.Context(), func(kind string) bool { return kind == "ai.response.chunk" },
			func(c catalog.AIResponseChunkPayload) {
				if c.ResponseID != response || c.Chunk != token(c.Sequence) {
					t.Errorf("after %d cuts: %+v", cuts, c)
				}
				sequence = append(sequence, c.Sequence)
			})
		if err != nil {
			t.Fatalf("after %d cuts: %v", cuts, err)
		}
	}
	for i, n := range sequence {
		if n != i {
			t.Fatalf("token %d came in place of %d", n, i)
		}
	}
	if len(sequence) != length {
		t.Errorf("%d tokens came, want %d", len(sequence), length)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// For each of the 300 tokens, a reader of its own is cut there, once, and reads
// the rest after a reconnect.
func TestCutAtAnyToken(t *testing.T) {
	a, server := serve(t)
	start := a.hub.Cursor()
	if err := a.answer(t.Context(), uuid.New()); err != nil {
		t.Fatal(err)
	}
	for at := range length {
		r := &reader{url: server.URL + "/events", lastID: start}
		var text strings.Builder
		next := 0
		take := func(c catalog.AIResponseChunkPayload) {
			text.WriteString(c.Chunk)
			next = c.Sequence + 1
		}
		for _, until := range []int{at, length} { // the connection is cut once it has so many
			err := r.connect(t.Context(), func(string) bool { return next == until }, take)
			if err != nil {
				t.Fatalf("cut after %d tokens: %v", at, err)
			}
		}
		if text.String() != whole() {
			t.Fatalf("cut after %d tokens: the answer is %q", at, text.String())
		}
	}
}

func whole() string {
	var s strings.Builder
	for i := range length {
		s.WriteString(token(i))
	}
	return s.String()
}

// A client is cut in the middle of an answer and comes back with its last id.
func Example() {
	a := &assistant{hub: hub.New(&catalog.Registry, nil), user: uuid.New(), conversation: uuid.New()}
	server := httptest.NewServer(newHandler(a, nil))
	defer server.Close()
	r := &reader{url: server.URL + "/events", lastID: a.hub.Cursor()}
	a.answer(context.Background(), uuid.New())

	tokens, last := 0, -1
	take := func(c catalog.AIResponseChunkPayload) {
		if c.Sequence != last+1 {
			fmt.Println("token", c.Sequence, "came after", last)
		}
		tokens, last = tokens+1, c.Sequence
	}
	for _, until := range []int{123, length} {
		if err := r.connect(context.Background(), func(string) bool { return tokens == until }, take); err != nil {
			fmt.Println(err)
		}
		fmt.Println("cut after", tokens, "tokens")
	}
	a.hub.Shutdown(context.Background())
	// Output:
	// cut after 123 tokens
	// cut after 300 tokens
}
