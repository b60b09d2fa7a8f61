package bench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// The registry of these benchmarks: six categories, as in the catalog, with one
// kind each, and one ephemeral kind.
var (
	registry   event.Registry
	categories = []event.Category{"portfolio", "data_sync", "provider", "chat", "import", "security"}
	kinds      = defineKinds()
	typing     = event.Define[balance](&registry, "chat", "chat.typing", "Somebody types.", event.Ephemeral())
)

func defineKinds() (kinds []event.Kind[balance]) {
	for _, c := range categories {
		kinds = append(kinds, event.Define[balance](&registry, c, event.Type(c)+".balance.updated", "A balance has changed."))
	}
	return kinds
}

// A balance is a typical payload: a few short fields.
type balance struct {
	AccountID uuid.UUID `json:"account_id"`
	Previous  string    `json:"previous_balance"`
	New       string    `json:"new_balance"`
	Currency  string    `json:"currency"`
	Note      string    `json:"note"`
}

// Sizes of an event's data, in bytes: a typical one, and a large one.
const (
	typical = 150
	large   = 2 << 10
)

// payload returns a balance that takes size bytes of JSON.
func payload(size int) balance {
	const around = 133 // bytes of JSON without the note
	return balance{
		AccountID: userID(7), Previous: "1204.50", New: "1399.00", Currency: "EUR",
		Note: strings.Repeat("x", size-around),
	}
}

// newEvent returns an event of a kind, for user 0.
func newEvent(tb testing.TB, k event.Kind[balance]) *event.Event {
	tb.Helper()
	e, err := k.New(userID(0), payload(typical))
	if err != nil {
		tb.Fatal(err)
	}
	if len(e.Data()) != typical {
		tb.Fatalf("an event has %d bytes, want %d", len(e.Data()), typical)
	}
	return e
}

// newHub returns a hub that is shut down after the benchmark, which must have
// closed its subscriptions by then.
func newHub(tb testing.TB, o *hub.Options) *hub.Hub {
	tb.Helper()
	var options hub.Options
	if o != nil {
		options = *o
	}
	options.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	h := hub.New(&registry, &options)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.Shutdown(ctx); err != nil {
			tb.Errorf("the hub was not left empty: %v", err)
		}
	})
	return h
}

// subscribe opens a stream of a user with a filter.
func subscribe(tb testing.TB, h *hub.Hub, user int, f hub.Filter, notify func()) *hub.Subscription {
	tb.Helper()
	s, err := h.Subscribe(hub.Request{Session: session(user), Filter: f, Transport: "memory", Notify: notify})
	if err != nil {
		tb.Fatalf("subscribing user %d: %v", user, err)
	}
	return s
}

func broadcast(tb testing.TB, h *hub.Hub, e *event.Event) {
	if err := h.Broadcast(context.Background(), e); err != nil {
		tb.Fatal(err)
	}
}

// publishTo publishes to one user, whatever the event's own user is. So one event
// serves for all users, and making it is not measured.
func publishTo(tb testing.TB, h *hub.Hub, e *event.Event, user int) {
	if err := h.PublishTo(context.Background(), e, hub.User(userID(user))); err != nil {
		tb.Fatal(err)
	}
}

// wantNoGaps fails if any stream was told of lost events.
func wantNoGaps(tb testing.TB, h *hub.Hub) {
	tb.Helper()
	for reason, n := range h.Stats().Gaps {
		if n > 0 {
			tb.Fatalf("events were lost: %d gaps, as %s", n, reason)
		}
	}
}

// needs skips a benchmark that takes more memory than is available, or, with
// -short, more than half a gigabyte.
func needs(tb testing.TB, bytes uint64) {
	tb.Helper()
	if testing.Short() && bytes > 512<<20 {
		skip(tb, "-short: this would take %d MB of memory and some seconds to set up", bytes>>20)
	}
	if free, err := available(); err == nil && free < bytes {
		skip(tb, "this wants %d MB of free memory; there are %d", bytes>>20, free>>20)
	}
}

// skip skips a benchmark and says so even without -v, so that a gap in a table is
// not overlooked.
func skip(tb testing.TB, format string, args ...any) {
	tb.Helper()
	fmt.Fprintf(os.Stderr, "not run: %s: %s\n", tb.Name(), fmt.Sprintf(format, args...))
	tb.Skipf(format, args...)
}

// count formats a number for a benchmark's name.
func count(n int) string { return fmt.Sprint(n) }
