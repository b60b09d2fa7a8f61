package dashtam_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/redis/dashtam"
	"github.com/crier-go/crier/backplane/redis/internal/redistest"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/hub/backplanetest"
)

// Everything here needs a server.
func TestMain(m *testing.M) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		fmt.Println("not run here: redis-server is missing (Debian's package redis-server)")
		if os.Getenv("CI") != "" || os.Getenv("REQUIRE") != "" {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

var (
	ctx    = context.Background()
	kinds  event.Registry
	posted = event.Define[string](&kinds, "chat", "chat.message.posted", "Somebody wrote a message.")
	ada    = uuid.MustParse("6f0f2c8e-5d2b-4a55-9c6e-2f1f6c1f0a01")
	bob    = uuid.MustParse("6f0f2c8e-5d2b-4a55-9c6e-2f1f6c1f0b0b")
)

// A told hub is a hub that also writes down what it is told.
type toldHub struct {
	*hub.Hub

	mu    sync.Mutex
	users []uuid.UUID
	gaps  [][]uuid.UUID // who was complete
	order []string      // events and gaps
}

func newHub(users ...uuid.UUID) *toldHub {
	return &toldHub{Hub: hub.New(&kinds, nil), users: users}
}

func (h *toldHub) Users() []uuid.UUID { return h.users }

func (h *toldHub) TellGap(_ context.Context, complete ...uuid.UUID) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gaps = append(h.gaps, complete)
	h.order = append(h.order, "gap")
	return nil
}

func (h *toldHub) Publish(ctx context.Context, e *event.Event) error {
	return h.note(string(e.Data()), h.Hub.Publish(ctx, e))
}

func (h *toldHub) Broadcast(ctx context.Context, e *event.Event) error {
	return h.note("all "+string(e.Data()), h.Hub.Broadcast(ctx, e))
}

func (h *toldHub) note(what string, err error) error {
	if err == nil {
		h.mu.Lock()
		h.order = append(h.order, what)
		h.mu.Unlock()
	}
	return err
}

func (h *toldHub) told() ([]string, [][]uuid.UUID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.order...), append([][]uuid.UUID(nil), h.gaps...)
}

// A rig is a server, a bridge that reaches it through a proxy, and a client that
// reaches it directly.
type rig struct {
	server *redistest.Server
	proxy  *backplanetest.Proxy
	direct *goredis.Client
	hub    *toldHub
	bridge *dashtam.Bridge
	done   chan error
}

func newRig(t testing.TB, o *dashtam.Options, users ...uuid.UUID) *rig {
	t.Helper()
	r := &rig{server: redistest.Start(t), hub: newHub(users...)}
	var err error
	if r.proxy, err = backplanetest.NewProxy(r.server.Addr()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.proxy.Close() })
	r.direct = r.server.Client(t)
	c := goredis.NewClient(&goredis.Options{Addr: r.proxy.Addr()})
	t.Cleanup(func() { c.Close() })
	r.run(t, c, o)
	return r
}

// run makes a bridge with client c and has it run until the end of the test.
func (r *rig) run(t testing.TB, c *goredis.Client, o *dashtam.Options) {
	t.Helper()
	r.bridge, r.done = dashtam.New(c, r.hub, o), make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.done <- r.bridge.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	select {
	case <-r.bridge.Ready():
	case err := <-r.done:
		t.Fatalf("Run returned %v", err)
	}
}

// settle waits until the bridge has made a checkpoint after everything that was
// published so far.
func (r *rig) settle(t testing.TB) {
	t.Helper()
	if err := r.bridge.Settle(ctx); err != nil {
		t.Fatal(err)
	}
}

// outage breaks the bridge's connection, calls f, and waits until the bridge
// listens again.
func (r *rig) outage(t testing.TB, f func()) {
	t.Helper()
	before := r.bridge.Stats().Connections
	r.proxy.SetAway(true)
	redistest.Eventually(t, "the bridge has noticed", func() error {
		if r.bridge.Stats().Listening {
			return errors.New("it listens")
		}
		return nil
	})
	f()
	r.proxy.SetAway(false)
	redistest.Eventually(t, "the bridge listens again", func() error {
		if s := r.bridge.Stats(); !s.Listening || s.Connections == before {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
}

// stats returns the bridge's numbers once it has counted n events as published.
func (r *rig) stats(t testing.TB, n uint64) dashtam.Stats {
	t.Helper()
	var s dashtam.Stats
	redistest.Eventually(t, "events are counted", func() error {
		if s = r.bridge.Stats(); s.Published < n {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	return s
}

// heard waits until the hub was told n things in all.
func (r *rig) heard(t testing.TB, n int) []string {
	t.Helper()
	var order []string
	redistest.Eventually(t, fmt.Sprintf("the hub is told %d things", n), func() error {
		if order, _ = r.hub.told(); len(order) < n {
			return fmt.Errorf("%q", order)
		}
		return nil
	})
	return order
}

// A form is how the service publishes: what its two writes are.
type form struct{ channel, stream bool }

var both, live, kept = form{true, true}, form{true, false}, form{false, true}

// publish publishes as the service does, without it.
func (r *rig) publish(t testing.TB, f form, user uuid.UUID, data string) *event.Event {
	t.Helper()
	e, err := posted.New(user, data)
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, f, user, e)
	return e
}

func (r *rig) write(t testing.TB, f form, user uuid.UUID, e *event.Event) {
	t.Helper()
	if f.stream {
		if err := r.direct.XAdd(ctx, &goredis.XAddArgs{
			Stream: "sse:stream:user:" + user.String(), MaxLen: 1000, Approx: true,
			Values: []any{"event_id", e.ID().String(), "event_type", string(e.Type()), "data", []byte(e.Data()), "occurred_at", e.Time().Format(time.RFC3339Nano)},
		}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if f.channel {
		message, err := e.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if err := r.direct.Publish(ctx, "sse:user:"+user.String(), message).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// A python is a process of testdata/service.py.
type python struct {
	in  io.Writer
	out *bufio.Scanner
}

// startPython starts the service. A Python that has the redis module is needed.
func startPython(t testing.TB, s *redistest.Server, what string) *python {
	t.Helper()
	program := ""
	for _, p := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(p, "-c", "import redis").Run() == nil {
			program = p
			break
		}
	}
	if program == "" {
		if os.Getenv("CI") != "" || os.Getenv("REQUIRE") != "" {
			t.Fatal("a python3 with the module redis is missing (Debian's package python3-redis)")
		}
		t.Skip("not run here: a python3 with the module redis is missing (Debian's package python3-redis)")
	}
	cmd := exec.Command(program, "testdata/service.py", strconv.Itoa(s.Port), what)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &python{in, bufio.NewScanner(out)}
}

// hear reads the next line that the service prints.
func hear[T any](t testing.TB, p *python) (v T) {
	t.Helper()
	if !p.out.Scan() {
		t.Fatalf("the service printed no more: %v", p.out.Err())
	}
	if err := json.Unmarshal(p.out.Bytes(), &v); err != nil {
		t.Fatalf("the service printed %q: %v", p.out.Text(), err)
	}
	return v
}

// tell has the service publish, and returns the id of the event.
func (p *python) tell(t testing.TB, order map[string]any) string {
	t.Helper()
	line, err := json.Marshal(order)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(p.in, "%s\n", line); err != nil {
		t.Fatal(err)
	}
	return hear[string](t, p)
}
