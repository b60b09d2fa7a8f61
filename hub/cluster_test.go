package hub_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/hub/backplanetest"
)

var clusterSchedules = flag.Int("cluster-schedules", 80, "how many schedules the cluster test runs")

var clusterKinds = func() *event.Registry {
	r := new(event.Registry)
	clusterNote = event.Define[string](r, "notes", "note.added", "A note.")
	clusterTyping = event.Define[string](r, "typing", "note.typing", "Somebody types.", event.Ephemeral())
	return r
}()

var clusterNote, clusterTyping event.Kind[string]

// A world is several processes on one engine, clients that move between them, and
// publishers at all of them.
type world struct {
	t       *testing.T
	seed    uint64
	rand    *rand.Rand
	memory  *backplanetest.Memory
	handles []*backplanetest.Handle
	hubs    []*hub.Hub
	clients []*worldClient
	resets  bool // the engine may lose records
	tally   clusterTally
}

type clusterTally struct{ Delivered, Gaps, Resumed, Restarts, Unclear, Resets, Revoked int }

// A worldClient is one user's device.
type worldClient struct {
	user    uuid.UUID
	session string
	sub     *hub.Subscription
	last    string // what it resumes from
	got     []string
	gaps    int
}

func (w *world) errorf(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("seed %d: %s", w.seed, fmt.Sprintf(format, args...))
}

func (w *world) open(i int) {
	h, err := hub.Open(w.t.Context(), clusterKinds, &hub.Options{
		Backplane: w.handles[i],
		Logger:    slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		w.errorf("process %d does not open: %v", i, err)
	}
	w.hubs[i] = h
}

func (w *world) shut(i int) {
	for _, c := range w.clients {
		if c.sub != nil && w.hubs[i] == c.hub(w) {
			w.take(c)
			w.hangUp(c)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := w.hubs[i].Shutdown(ctx); err != nil {
		w.errorf("process %d does not shut down: %v", i, err)
	}
}

// hub returns the hub that the client's stream is at.
func (c *worldClient) hub(w *world) *hub.Hub {
	for _, h := range w.hubs {
		if slices.ContainsFunc(h.Listening(c.user), func(p hub.Present) bool { return p.Meta == c }) {
			return h
		}
	}
	return nil
}

func (w *world) hangUp(c *worldClient) {
	if c.sub != nil {
		c.sub.Close()
		c.sub = nil
	}
}

// connect lets a client resume at some process.
func (w *world) connect(c *worldClient) {
	h := w.hubs[w.rand.IntN(len(w.hubs))]
	s, err := h.Subscribe(hub.Request{
		Session: hub.Session{User: c.user, ID: c.session, Allowed: hub.Everything(), Topics: []string{"room"}, Meta: c},
		Filter:  hub.Everything(), Topics: []string{"room"}, After: c.last,
	})
	switch {
	case errors.Is(err, hub.ReasonUnavailable):
		return // it comes back later
	case err != nil:
		w.errorf("subscribe: %v", err)
	}
	w.tally.Resumed++
	c.sub = s
}

// take takes what the client's stream has.
func (w *world) take(c *worldClient) {
	for c.sub != nil {
		batch, err := c.sub.Take(nil)
		if err != nil {
			w.hangUp(c)
			return
		}
		if len(batch) == 0 {
			if w.rand.IntN(2) == 0 {
				c.last = c.sub.Cursor()
			}
			return
		}
		for _, m := range batch {
			switch e := m.Event(); {
			case e == nil && m.Type() == hub.TypeGap:
				c.gaps++
				c.got = append(c.got, "gap")
				w.tally.Gaps++
			case e == nil || e.Ephemeral():
				continue
			default:
				c.got = append(c.got, strings.Trim(string(e.Data()), `"`))
				w.tally.Delivered++
			}
			c.last = m.ID().String()
		}
	}
}

// publish publishes at some process, and tries again while the outcome is
// unclear.
func (w *world) publish(n int) {
	to := []hub.Audience{}
	target := ""
	switch w.rand.IntN(4) {
	case 0:
		to, target = append(to, hub.Everyone()), "all"
	case 1:
		to, target = append(to, hub.Topic("room")), "all"
	case 2:
		to, target = append(to, hub.User(w.clients[0].user), hub.Topic("room")), "all"
	default:
		user := w.clients[w.rand.IntN(len(w.clients))].user
		to, target = append(to, hub.User(user)), user.String()
	}
	k := clusterNote
	if w.rand.IntN(5) == 0 {
		k = clusterTyping
	}
	e, err := k.New(uuid.Nil, fmt.Sprint(target, "/", n))
	if err != nil {
		w.errorf("%v", err)
	}
	for range 20 {
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
		err = w.hubs[w.rand.IntN(len(w.hubs))].PublishTo(ctx, e, to...)
		cancel()
		if err == nil {
			return
		}
		if !errors.Is(err, hub.ErrUnavailable) {
			w.errorf("publish: %v", err)
		}
		w.tally.Unclear++
		time.Sleep(100 * time.Millisecond)
	}
}

func (w *world) faults() {
	r := w.rand
	chance := func(n int) int { return rand.IntN(n) } // for what other goroutines call
	f := backplanetest.Faults{Lag: time.Duration(r.IntN(3)*r.IntN(800)) * time.Millisecond}
	if r.IntN(3) == 0 {
		f.Append = func(hub.Record) backplanetest.AppendFault {
			return backplanetest.AppendFault{
				Delay:          time.Duration(chance(20)) * time.Millisecond,
				Lost:           chance(6) == 0,
				Repeat:         chance(6) / 5,
				Unacknowledged: chance(6) == 0,
			}
		}
	}
	if r.IntN(4) == 0 {
		f.Follow = func(n int) int { return chance(n + 2) }
	}
	h := w.handles[r.IntN(len(w.handles))]
	h.SetFaults(f)
	switch r.IntN(6) {
	case 0:
		h.Break()
	case 1:
		if w.resets {
			last := uint64(len(w.memory.Records()))
			w.memory.Reset(last - min(last, uint64(r.IntN(4))))
			w.tally.Resets++
		}
	case 2:
		w.memory.SetAway(true)
		time.Sleep(time.Duration(r.IntN(1000)) * time.Millisecond)
		w.memory.SetAway(false)
	}
}

func runWorld(t *testing.T, seed uint64, resets bool) clusterTally {
	w := &world{t: t, seed: seed, rand: rand.New(rand.NewPCG(seed, 1)), memory: backplanetest.NewMemory(), resets: resets}
	for i := range 3 {
		w.handles = append(w.handles, w.memory.Handle())
		w.hubs = append(w.hubs, nil)
		w.open(i)
	}
	start := w.hubs[0].Cursor()
	for i := range 5 {
		w.clients = append(w.clients, &worldClient{user: uuid.UUID{1, byte(i % 2)}, session: fmt.Sprint("s", i), last: start})
	}
	for n := range 120 {
		c := w.clients[w.rand.IntN(len(w.clients))]
		switch k := w.rand.IntN(20); {
		case k < 8:
			w.publish(n)
		case k < 12:
			w.take(c)
		case k < 15:
			w.take(c)
			w.hangUp(c)
			w.connect(c)
		case k < 16:
			w.hangUp(c) // cut before it has read everything
		case k < 17:
			i := w.rand.IntN(len(w.hubs))
			w.shut(i)
			w.open(i)
			w.tally.Restarts++
		case k < 19:
			w.faults()
		default:
			time.Sleep(time.Duration(w.rand.IntN(1500)) * time.Millisecond)
		}
	}
	for _, h := range w.handles {
		h.SetFaults(backplanetest.Faults{})
	}
	w.publishLast()
	time.Sleep(time.Minute)
	for _, c := range w.clients {
		if c.sub == nil {
			w.connect(c)
		}
		w.take(c)
	}
	w.check()
	for _, c := range w.clients {
		w.hangUp(c)
	}
	for i := range w.hubs {
		w.shut(i)
	}
	return w.tally
}

func (w *world) publishLast() {
	e, err := clusterNote.New(uuid.Nil, "all/last")
	if err == nil {
		err = w.hubs[0].Broadcast(w.t.Context(), e)
	}
	if err != nil {
		w.errorf("%v", err)
	}
}

// check holds what every client got against the engine's sequence.
func (w *world) check() {
	seen := map[uuid.UUID]bool{}
	var sequence []string
	for _, r := range w.memory.Records() {
		if r.ID == uuid.Nil || seen[r.ID] {
			continue
		}
		seen[r.ID] = true
		if data := string(r.Data); !strings.Contains(data, "note.typing") {
			sequence = append(sequence, strings.Trim(data[strings.LastIndex(data[:len(data)-1], `"`):], `"`))
		}
	}
	for i, c := range w.clients {
		var want []string
		for _, s := range sequence {
			if target, _, _ := strings.Cut(s, "/"); target == "all" || target == c.user.String() {
				want = append(want, s)
			}
		}
		if c.gaps == 0 {
			if !slices.Equal(c.got, want) {
				w.errorf("client %d:\ngot  %q\nwant %q", i, c.got, want)
			}
			continue
		}
		// The engine has lost records, or a process could not catch up in time.
		// What is in the sequence now arrives in its order, or is covered by a
		// gap; nothing arrives twice.
		count := map[string]int{}
		for _, got := range c.got {
			if count[got]++; got != "gap" && count[got] > 1 {
				w.errorf("client %d got %s twice: %q", i, got, c.got)
			}
		}
		if last := c.got[len(c.got)-1]; last != "all/last" && last != "gap" {
			w.errorf("client %d got %q, and not the last event", i, c.got)
		}
		at := 0
		for _, got := range c.got {
			if j := slices.Index(want, got); j >= 0 {
				if j < at {
					w.errorf("client %d got %s out of order: %q, want %q", i, got, c.got, want)
				}
				at = j + 1
			}
		}
	}
}

// TestCluster runs random schedules over three processes whose engine lags, fails,
// repeats and breaks: every client gets everything, once and in the one order,
// wherever it was cut and wherever it resumes.
func TestCluster(t *testing.T) {
	for _, resets := range []bool{false, true} {
		t.Run(fmt.Sprint("resets=", resets), func(t *testing.T) {
			var total clusterTally
			for seed := range uint64(*clusterSchedules) {
				synctest.Test(t, func(t *testing.T) {
					one := runWorld(t, seed+1, resets)
					total.Delivered += one.Delivered
					total.Gaps += one.Gaps
					total.Resumed += one.Resumed
					total.Restarts += one.Restarts
					total.Unclear += one.Unclear
					total.Resets += one.Resets
				})
				if t.Failed() {
					return
				}
			}
			t.Logf("%d schedules: %+v", *clusterSchedules, total)
			if total.Delivered == 0 || total.Unclear == 0 || total.Restarts == 0 || resets && total.Gaps == 0 || !resets && total.Gaps > total.Resumed/20 {
				t.Errorf("the schedules do not try what they are for: %+v", total)
			}
		})
	}
}

// A processes is a few hubs on one engine.
func processes(t *testing.T, n int) (memory *backplanetest.Memory, handles []*backplanetest.Handle, hubs []*hub.Hub) {
	memory = backplanetest.NewMemory()
	for range n {
		handle := memory.Handle()
		h, err := hub.Open(t.Context(), clusterKinds, &hub.Options{Backplane: handle, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			h.Shutdown(ctx)
		})
		handles, hubs = append(handles, handle), append(hubs, h)
	}
	return memory, handles, hubs
}

func clusterStream(t *testing.T, h *hub.Hub, after string) *hub.Subscription {
	t.Helper()
	s, err := h.Subscribe(hub.Request{
		Session: hub.Session{User: uuid.UUID{1}, ID: "phone", Allowed: hub.Everything(), Topics: []string{"room"}},
		Filter:  hub.Everything(), Topics: []string{"room"}, After: after,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// texts returns what a stream has, up to its end.
func texts(s *hub.Subscription) (got []string) {
	synctest.Wait()
	for {
		batch, err := s.Take(nil)
		if err != nil {
			return append(got, err.Error())
		}
		if len(batch) == 0 {
			return got
		}
		for _, m := range batch {
			got = append(got, strings.Trim(string(m.Data()), `"`))
		}
	}
}

func publishNote(t *testing.T, h *hub.Hub, text string, to ...hub.Audience) error {
	t.Helper()
	e, err := clusterNote.New(uuid.UUID{1}, text)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if len(to) > 0 {
		return h.PublishTo(ctx, e, to...)
	}
	return h.Publish(ctx, e)
}

func TestClusterRevocationReachesAllProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, handles, hubs := processes(t, 2)
		s := clusterStream(t, hubs[1], "")
		handles[1].SetFaults(backplanetest.Faults{Lag: time.Second}) // it learns of everything late
		publishNote(t, hubs[0], "last words")
		if _, err := hubs[0].RevokeSession(t.Context(), uuid.UUID{1}, "phone"); err != nil {
			t.Fatal(err)
		}
		publishNote(t, hubs[0], "after")
		time.Sleep(5 * time.Second)
		if got := texts(s); !slices.Equal(got, []string{"last words", "hub: revoked"}) {
			t.Errorf("got %q", got)
		}
	})
}

func TestClusterLeaveReachesAllProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, handles, hubs := processes(t, 2)
		s := clusterStream(t, hubs[1], "")
		handles[1].SetFaults(backplanetest.Faults{Lag: time.Second})
		publishNote(t, hubs[0], "in the room", hub.Topic("room"))
		if _, err := hubs[0].Leave(t.Context(), uuid.UUID{1}, "room"); err != nil {
			t.Fatal(err)
		}
		publishNote(t, hubs[0], "after", hub.Topic("room"))
		publishNote(t, hubs[0], "own")
		time.Sleep(5 * time.Second)
		got := texts(s)
		if len(got) < 2 || slices.Contains(got, "after") || got[len(got)-1] != "own" {
			t.Errorf("got %q", got)
		}
	})
}

// While the engine is away, publishing fails within its context and says so,
// streams stay open, and everything arrives afterwards.
func TestClusterEngineAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, _, hubs := processes(t, 2)
		s := clusterStream(t, hubs[1], "")
		memory.SetAway(true)
		time.Sleep(time.Second)
		if err := publishNote(t, hubs[0], "lost"); !errors.Is(err, hub.ErrUnavailable) {
			t.Errorf("publish: %v", err)
		}
		if st := hubs[1].Stats().Backplane; st.Following || st.Since.IsZero() || !errors.Is(st.Error, hub.ErrUnavailable) {
			t.Errorf("%+v", st)
		}
		if _, err := hubs[1].Subscribe(hub.Request{Session: hub.Session{User: uuid.UUID{1}, Allowed: hub.Everything()}, Filter: hub.Everything(), After: uuid.Must(uuid.NewV7()).String()}); err != error(hub.ReasonUnavailable) {
			t.Errorf("an id that nobody can judge: %v", err)
		}
		memory.SetAway(false)
		if err := publishNote(t, hubs[0], "back"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if got := texts(s); !slices.Equal(got, []string{"back"}) {
			t.Errorf("got %q", got)
		}
		if st := hubs[1].Stats().Backplane; !st.Following || st.Lag != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestClusterStartsWithoutItsEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, _, hubs := processes(t, 1)
		if err := publishNote(t, hubs[0], "before it lived"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // it has come back
		start := hubs[0].Cursor()
		publishNote(t, hubs[0], "kept")
		memory.SetAway(true)
		h, err := hub.Open(t.Context(), clusterKinds, &hub.Options{Backplane: memory.Handle(), Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Shutdown(context.Background())
		r := hub.Request{Session: hub.Session{User: uuid.UUID{1}, Allowed: hub.Everything()}, Filter: hub.Everything(), After: start}
		if _, err := h.Subscribe(r); err != error(hub.ReasonUnavailable) {
			t.Errorf("without its engine, it serves %v", err)
		}
		memory.SetAway(false)
		time.Sleep(10 * time.Second)
		s, err := h.Subscribe(r)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if got := texts(s); !slices.Equal(got, []string{"kept"}) {
			t.Errorf("got %q", got)
		}
	})
}

// A process that was away for longer than the engine retains tells a gap.
func TestClusterOvertakenByRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, handles, hubs := processes(t, 2)
		s := clusterStream(t, hubs[1], "")
		handles[1].SetFaults(backplanetest.Faults{Away: true})
		for i := range 10 {
			publishNote(t, hubs[0], fmt.Sprint(i))
		}
		memory.Retain(2)
		handles[1].SetFaults(backplanetest.Faults{})
		time.Sleep(10 * time.Second)
		if got := texts(s); !slices.Equal(got, []string{`{"reason":"evicted"}`, "8", "9"}) {
			t.Errorf("got %q", got)
		}
	})
}

// A window calls a function between a hub's Tail and its Follow.
type window struct {
	*backplanetest.Handle
	between atomic.Pointer[func()]
}

func (w *window) Follow(ctx context.Context, after uint64, apply func([]hub.SequencedRecord) error) error {
	if f := w.between.Swap(nil); f != nil {
		(*f)()
	}
	return w.Handle.Follow(ctx, after, apply)
}

// What the engine removes after the hub has asked for the Tail is a gap, too. Records
// whose life is over are none.
func TestClusterOvertakenBetweenTailAndFollow(t *testing.T) {
	for name, c := range map[string]struct {
		before int // events that the hub has applied
		then   func(*testing.T, *backplanetest.Memory, *hub.Hub)
		want   []string
	}{
		"nothing was applied":   {0, publishAndRetain, []string{`{"reason":"evicted"}`, "8", "9"}},
		"something was applied": {1, publishAndRetain, []string{`{"reason":"evicted"}`, "8", "9"}},
		"lives were over":       {1, publishAfterLives, []string{"0", "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, _, hubs := processes(t, 1)
				for range c.before {
					publishNote(t, hubs[0], "before")
				}
				w := &window{Handle: memory.Handle()}
				h, err := hub.Open(t.Context(), clusterKinds, &hub.Options{Backplane: w, Logger: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { h.Shutdown(context.Background()) })
				synctest.Wait()
				s := clusterStream(t, h, "")
				between := func() { c.then(t, memory, hubs[0]) }
				w.between.Store(&between)
				w.Break()
				time.Sleep(time.Hour)
				if got := texts(s); !slices.Equal(got, c.want) {
					t.Errorf("got %q, want %q", got, c.want)
				}
				publishNote(t, hubs[0], "after")
				if got := texts(s); !slices.Equal(got, []string{"after"}) {
					t.Errorf("then got %q", got)
				}
			})
		})
	}
}

func publishAndRetain(t *testing.T, memory *backplanetest.Memory, h *hub.Hub) {
	for i := range 10 {
		publishNote(t, h, fmt.Sprint(i))
	}
	memory.Retain(2)
}

func publishAfterLives(t *testing.T, memory *backplanetest.Memory, h *hub.Hub) {
	for range 3 {
		e, err := clusterTyping.New(uuid.UUID{1}, "typing")
		if err == nil {
			err = h.Publish(t.Context(), e)
		}
		if err != nil {
			t.Error(err)
		}
	}
	time.Sleep(time.Minute)
	publishNote(t, h, "0")
	publishNote(t, h, "1")
	if n := len(memory.Records()); n != 3 { // and the one before
		t.Errorf("%d records are retained, want 3", n)
	}
}

// A sequence that loses its end without saying so is found out by the record at
// the last applied position.
func TestClusterRewrittenSequence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, handles, hubs := processes(t, 2)
		s := clusterStream(t, hubs[1], "")
		publishNote(t, hubs[0], "1")
		publishNote(t, hubs[0], "2")
		if got := texts(s); !slices.Equal(got, []string{"1", "2"}) {
			t.Fatalf("got %q", got)
		}
		handles[1].SetFaults(backplanetest.Faults{Away: true})
		memory.Regress(1)
		publishNote(t, hubs[0], "another 2")
		handles[1].SetFaults(backplanetest.Faults{})
		time.Sleep(10 * time.Second)
		publishNote(t, hubs[0], "3")
		if got := texts(s); !slices.Equal(got, []string{`{"reason":"unknown"}`, "3"}) {
			t.Errorf("got %q", got)
		}
	})
}

func TestClusterRecordOfAnotherRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, _, hubs := processes(t, 1)
		s := clusterStream(t, hubs[0], "")
		for _, data := range []string{"", "\x02", "\x01\x63", "\x01\x01\xff\xff\xff\xff\x0f", "\x01\x02short", "garbage"} {
			if err := memory.Handle().Append(t.Context(), hub.Record{ID: uuid.New(), Data: []byte(data)}); err != nil {
				t.Fatal(err)
			}
		}
		publishNote(t, hubs[0], "goes on")
		if got := texts(s); !slices.Equal(got, []string{"goes on"}) {
			t.Errorf("got %q", got)
		}
	})
}

// A process that starts late can derive state from what others have published.
func TestClusterFromOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, _, hubs := processes(t, 1)
		publishNote(t, hubs[0], "one")
		publishNote(t, hubs[0], "two")
		h, err := hub.Open(t.Context(), clusterKinds, &hub.Options{Backplane: memory.Handle(), Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Shutdown(context.Background())
		s, err := h.Subscribe(hub.Request{
			Session: hub.Session{User: uuid.UUID{1}, Allowed: hub.Everything()}, Filter: hub.Everything(), FromOldest: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		publishNote(t, hubs[0], "three")
		synctest.Wait()
		if got := texts(s); !slices.Equal(got, []string{"one", "two", "three"}) {
			t.Errorf("got %q", got)
		}
	})
}

func TestBackplaneStatusAsJSON(t *testing.T) {
	for want, status := range map[string]hub.BackplaneStatus{
		`{"following":true,"epoch":"e","applied":7,"lag":0}`: {Following: true, Epoch: "e", Applied: 7},
		`{"following":false,"since":"2026-01-02T03:04:05Z","epoch":"","applied":0,"lag":2,"error":"gone"}`: {
			Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Error: errors.New("gone"), Lag: 2,
		},
	} {
		if got, err := json.Marshal(status); err != nil || string(got) != want {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
}

func TestClusterExplain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, _, hubs := processes(t, 2)
		s := clusterStream(t, hubs[1], "")
		e, err := clusterNote.New(uuid.UUID{1}, "1")
		if err != nil {
			t.Fatal(err)
		}
		if err := hubs[0].Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		texts(s)
		x, err := hubs[1].Explain(t.Context(), uuid.UUID{1}, e.ID())
		if err != nil || len(x.Streams) != 1 || x.Streams[0].Verdict != hub.VerdictDelivered {
			t.Errorf("%+v, %v", x, err)
		}
		never, err := clusterNote.New(uuid.UUID{1}, "2")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := hubs[1].Explain(t.Context(), uuid.UUID{1}, never.ID()); err != hub.ErrUnknownEvent {
			t.Error(err)
		}
		memory.SetAway(true)
		time.Sleep(time.Second)
		if _, err := hubs[1].Explain(t.Context(), uuid.UUID{1}, never.ID()); !errors.Is(err, hub.ErrUnavailable) {
			t.Errorf("only the engine could know: %v", err)
		}
		if x, err := hubs[1].Explain(t.Context(), uuid.UUID{1}, e.ID()); err != nil || x.Event == nil {
			t.Errorf("what is here can be explained: %+v, %v", x, err)
		}
	})
}
