// Command tokens streams the answer of an assistant, token by token, to a page that
// may be cut off at any of them.
//
//	go run ./examples/tokens            # http://localhost:8080
//
// The tokens are events of the catalog's kind ai.response.chunk, which are replayed for
// a minute. So the page's EventSource resumes at the next token by itself. There is no
// model here: the answer is made of numbered words.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event/catalog"
	"github.com/crier-go/crier/examples/internal/program"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport/sse"
)

//go:embed page.html
var page []byte

// length is how many tokens an answer has.
const length = 300

// An assistant answers questions to its one user.
type assistant struct {
	hub          *hub.Hub
	user         uuid.UUID
	conversation uuid.UUID
	pause        time.Duration // between two tokens
}

// answer publishes an answer, token by token. Its chunks carry its id and their place
// in it, so that a page can tell answers apart and see that none is missing.
// ai.response.complete is retained for as long as other events: a page that comes back
// after more than a minute reads the whole answer from the application.
func (a *assistant) answer(ctx context.Context, response uuid.UUID) error {
	for i := range length {
		chunk, err := catalog.AIResponseChunk.New(a.user, catalog.AIResponseChunkPayload{
			ConversationID: a.conversation,
			ResponseID:     response,
			Sequence:       i,
			Chunk:          token(i),
			IsFinal:        i == length-1,
		})
		if err != nil {
			return err
		}
		if err := a.hub.Publish(ctx, chunk); err != nil {
			return err
		}
		time.Sleep(a.pause)
	}
	complete, err := catalog.AIResponseComplete.New(a.user, catalog.AIResponseCompletePayload{ConversationID: a.conversation})
	if err != nil {
		return err
	}
	return a.hub.Publish(ctx, complete)
}

func token(i int) string { return fmt.Sprintf("word%d ", i) }

// ask begins an answer. The request ends at once: the answer comes by the stream, and
// goes on while the client is away.
func (a *assistant) ask(w http.ResponseWriter, r *http.Request) {
	ctx := context.WithoutCancel(r.Context())
	response := uuid.New()
	go func() {
		if err := a.answer(ctx, response); err != nil {
			slog.Error("an answer was given up", "response_id", response, "error", err)
		}
	}()
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintln(w, response)
}

func newHandler(a *assistant, o *sse.Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(page)
	})
	mux.HandleFunc("POST /ask", a.ask)
	mux.Handle("GET /events", sse.NewHandler(a.hub, func(*http.Request) (hub.Session, error) {
		return hub.Session{User: a.user, Allowed: hub.Everything()}, nil // there is one user
	}, o))
	return http.NewCrossOriginProtection().Handler(mux)
}

func main() {
	a := &assistant{hub: hub.New(&catalog.Registry, nil), user: uuid.New(), conversation: uuid.New(), pause: 50 * time.Millisecond}
	program.Main("the assistant", a.hub, newHandler(a, nil))
}
