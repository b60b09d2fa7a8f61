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

	"github.com/crier-go/crier/bench/internal/machine"
	"github.com/crier-go/crier/bench/internal/rig"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// The vocabulary of these benchmarks: six categories, as in the catalog, with a
// kind each, and one that is ephemeral.
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

// payload returns a balance that is so many bytes of JSON.
func payload(size int) balance {
	const around = 133 // what the JSON has without the note
	return balance{
		AccountID: rig.User(7), Previous: "1204.50", New: "1399.00", Currency: "EUR",
		Note: strings.Repeat("x", size-around),
	}
}

// newEvent returns an event of a kind, for user 0.
func newEvent(tb testing.TB, k event.Kind[balance]) *event.Event {
	tb.Helper()
	e, err := k.New(rig.User(0), payload(typical))
	if err != nil {
		tb.Fatal(err)
	}
	if len(e.Data()) != typical {
		tb.Fatalf("an event has %d bytes, want %d", len(e.Data()), typical)
	}
	return e
}

// newHub returns a hub that is shut down when the benchmark is over. By then
// its subscriptions must be closed.
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

// subscribe opens a stream of user i that hears what f says.
func subscribe(tb testing.TB, h *hub.Hub, user int, f hub.Filter, notify func()) *hub.Subscription {
	tb.Helper()
	s, err := h.Subscribe(hub.Request{Session: rig.Session(user), Filter: f, Transport: "memory", Notify: notify})
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

// publishTo publishes to one user, whoever the event's own is: so one event
// serves for all, and making it is not measured.
func publishTo(tb testing.TB, h *hub.Hub, e *event.Event, user int) {
	if err := h.PublishTo(context.Background(), e, hub.User(rig.User(user))); err != nil {
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

// needs skips what this machine has not enough memory for, and, with -short,
// all that takes more than half a gigabyte.
func needs(tb testing.TB, bytes uint64) {
	tb.Helper()
	if testing.Short() && bytes > 512<<20 {
		skip(tb, "-short: this would take %d MB of memory and some seconds to set up", bytes>>20)
	}
	if free, err := machine.Available(); err == nil && free < bytes {
		skip(tb, "this wants %d MB of free memory; there are %d", bytes>>20, free>>20)
	}
}

// skip skips a benchmark and says so, also without -v: what is missing from a
// table must not go unnoticed.
func skip(tb testing.TB, format string, args ...any) {
	tb.Helper()
	fmt.Fprintf(os.Stderr, "not run: %s: %s\n", tb.Name(), fmt.Sprintf(format, args...))
	tb.Skipf(format, args...)
}

// count is a number for a name: 1000, 100k would not sort.
func count(n int) string { return fmt.Sprint(n) }
