package transport_test

import (
	"bufio"
	"context"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/internal/memnet"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/fixture"
)

var retryText = regexp.MustCompile(`(?i)"?retry(-after)?"?: ?(\d+)`)

// What is over hub.Options.OpenRate is refused on every transport before it costs an
// authentication, in the way that the transport's clients understand. Clients are
// asked to come back at times that differ.
func TestOverOpenRate(t *testing.T) {
	for name, newHandler := range handlers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fixture.New(t, &hub.Options{OpenRate: 2})
				var authenticated atomic.Int32
				server := memnet.Serve(t, newHandler(f.Hub, func(r *http.Request) (hub.Session, error) {
					authenticated.Add(1)
					return f.Auth(r)
				}, &transport.Options{Logger: f.Logger()}))
				open := func() *bufio.Reader {
					r, conn := fixture.Request("/"), server.Dial()
					if strings.HasPrefix(name, "ws") {
						fixture.Upgrade(r)
					}
					fixture.Send(t, conn, r)
					return bufio.NewReader(conn)
				}
				for range 2 {
					awaits(t, open(), "stream.cursor")
				}
				waits := map[string]bool{}
				for range 4 {
					got := readTo(t, open(), "overloaded")
					retry := retryText.FindStringSubmatch(got)
					if retry == nil {
						t.Fatalf("not told when to come back: %s", got)
					}
					waits[retry[2]] = true
				}
				if len(waits) < 2 {
					t.Errorf("four clients come back after %v", waits)
				}
				if n := authenticated.Load(); n != 2 {
					t.Errorf("%d requests were authenticated, want 2", n)
				}
				if n := f.Hub.Stats().Refused[hub.ReasonOverloaded]; n != 4 {
					t.Errorf("%d refusals as overloaded, want 4", n)
				}
				time.Sleep(time.Second)
				awaits(t, open(), "stream.cursor")
			})
		})
	}
}

// readTo reads until a text and the line that it stands in have come.
func readTo(t *testing.T, r *bufio.Reader, text string) string {
	t.Helper()
	var got strings.Builder
	for {
		line, err := r.ReadString('\n')
		if got.WriteString(line); strings.Contains(line, text) {
			return got.String()
		}
		if err != nil {
			t.Fatalf("%v after %q; want %s", err, got.String(), text)
		}
	}
}

// The clients of a hub that shuts down come back no faster than the rate, on average,
// whether the deadline leaves time for the rate or not.
func TestShutdownAtRateSpreadsReconnects(t *testing.T) {
	const streams, rate = 5000, 500
	for name, deadline := range map[string]time.Duration{"time enough": time.Minute, "too little time": 2 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fixture.New(t, nil)
				conns := &reconnects{bySecond: map[time.Duration]int{}, began: time.Now()}
				session, _ := fixture.Known(nil)
				for range streams {
					session.User = uuid.New()
					sub, err := f.Hub.Subscribe(hub.Request{Session: session, Filter: hub.Everything()})
					if err != nil {
						t.Fatal(err)
					}
					go transport.NewStream(sub, nil).Serve(t.Context(), conns)
				}
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), deadline)
				defer cancel()
				if err := transport.ShutdownAtRate(ctx, new(http.Server), f.Hub, rate); err != nil {
					t.Error(err)
				}
				all := 0
				for second, n := range conns.bySecond {
					if all += n; n > rate*5/4 { // more than five standard deviations
						t.Errorf("%d clients come back in second %v, at a rate of %d", n, second, rate)
					}
				}
				if all != streams {
					t.Errorf("%d of %d clients were told when to come back", all, streams)
				}
			})
		})
	}
}

// A reconnects is a Conn of many streams that counts when their clients come back.
type reconnects struct {
	began    time.Time
	mu       sync.Mutex
	bySecond map[time.Duration]int
}

func (*reconnects) Open(string, time.Duration) error { return nil }
func (*reconnects) Send([]*hub.Message) error        { return nil }
func (*reconnects) Beat(string) error                { return nil }
func (*reconnects) Abort()                           {}

func (c *reconnects) End(_ hub.Reason, _ string, retry time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bySecond[(time.Since(c.began)+retry).Truncate(time.Second)]++
	return nil
}

func TestShutdownAtNegativeRate(t *testing.T) {
	f := fixture.New(t, nil)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	transport.ShutdownAtRate(t.Context(), new(http.Server), f.Hub, -1)
}
