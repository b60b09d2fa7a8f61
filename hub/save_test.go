package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
)

// restarted shuts a hub down, saves it, and returns one that goes on from there.
func restarted(t *testing.T, h *Hub, o *Options) *Hub {
	t.Helper()
	if err := h.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	var state bytes.Buffer
	if err := h.Save(&state); err != nil {
		t.Fatal(err)
	}
	var options Options
	if o != nil {
		options = *o
	}
	options.Restore = &state
	options.Observer = &Observer{Error: func(err error) { t.Errorf("the state is refused: %v", err) }}
	return New(h.registry, &options)
}

// A planned restart is invisible: every id and every cursor of before resumes, at
// the same place, with the same gaps.
func TestRestartIsInvisible(t *testing.T) {
	var kinds event.Registry
	note := event.Define[string](&kinds, "notes", "note.added", "A note.")
	alert := event.Define[string](&kinds, "alerts", "alert.raised", "An alert.")
	chunk := event.Define[string](&kinds, "ai", "ai.chunk", "A piece.", event.RetainFor(time.Minute))
	value := event.Define[string](&kinds, "values", "value.updated", "A value.", event.Latest(func(string) string { return "" }))
	o := &Options{UserEvents: 4, BroadcastEvents: 4}
	h := New(&kinds, o)
	var after []string // whatever a client may come back with
	for i := range 30 {
		k := []event.Kind[string]{note, alert, chunk, value}[i%4]
		e := made(k, []uuid.UUID{alice, bob}[i/4%2], fmt.Sprint(i))
		var err error
		switch i % 5 {
		case 0:
			err = h.Broadcast(t.Context(), e)
		case 1:
			err = h.PublishTo(t.Context(), e, Topic("room"), User(alice))
		default:
			err = h.Publish(t.Context(), e)
		}
		if err != nil {
			t.Fatal(err)
		}
		after = append(after, h.Cursor(), e.ID().String())
	}
	after = append(after, "", "garbage", New(&kinds, nil).Cursor())
	get := func(h *Hub) (all []string) {
		for _, id := range after {
			for _, user := range []uuid.UUID{alice, bob, uuid.New()} {
				for _, filter := range []Filter{Everything(), Categories("alerts"), Categories("ai", "values")} {
					s := must(h.Subscribe(Request{
						Session: Session{User: user, Allowed: Everything(), Topics: []string{"room"}},
						Filter:  filter, Topics: []string{"room"}, After: id,
					}))
					all = append(all, strings.Join(taken(t, s), " "))
					s.Close()
				}
			}
		}
		return all
	}
	want, usage := get(h), h.store.Usage()
	h2 := restarted(t, h, o)
	got := get(h2)
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("id %s: got %q, before the restart %q", after[i/9], got[i], want[i])
		}
	}
	if after := h2.store.Usage(); after.Entries != usage.Entries {
		t.Errorf("%+v, before %+v", after, usage)
	}
	publish(t, h2, made(note, alice, "next"))
	s := subscribed(t, h2, alice, h.Cursor())
	expect(t, taken(t, s), "next")
	s.Close()
	h3 := restarted(t, h2, o) // twice
	publish(t, h3, made(note, alice, "and next"))
	expect(t, taken(t, subscribed(t, h3, alice, h.Cursor())), "next", "and next")
	expect(t, taken(t, subscribed(t, h3, alice, h2.Cursor())), "and next")
}

// A state that is restored twice, as after a crash, is a gap for the clients of the
// first hub, and nothing else: what they had seen comes again for nobody, and what
// the second hub publishes is missing for nobody.
func TestRestoringTwiceIsAGap(t *testing.T) {
	h := New(&kinds, nil)
	publish(t, h, made(note, alice, "before"))
	if err := h.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	var state bytes.Buffer
	if err := h.Save(&state); err != nil {
		t.Fatal(err)
	}
	restore := func() *Hub { return New(h.registry, &Options{Restore: bytes.NewReader(state.Bytes())}) }
	first, second := restore(), restore()
	for _, text := range []string{"1", "2"} {
		publish(t, first, made(note, alice, text))
	}
	for _, text := range []string{"a", "b", "c"} {
		publish(t, second, made(note, alice, text))
	}
	s := subscribed(t, second, alice, first.Cursor())
	expect(t, taken(t, s), gapUnknown)
	publish(t, second, made(note, alice, "d"))
	expect(t, taken(t, s), "d")
	expect(t, taken(t, subscribed(t, second, alice, h.Cursor())), "a", "b", "c", "d")
}

// What was revoked just before a restart stays revoked after it.
func TestRestartKeepsRevocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(&kinds, nil)
		r := request(alice, "laptop")
		time.Sleep(time.Second + 700*time.Microsecond) // the same millisecond as the revocation
		r.Authenticated = time.Now()
		time.Sleep(100 * time.Microsecond)
		must(h.RevokeSession(t.Context(), alice, "laptop"))
		must(h.Leave(t.Context(), bob, "room"))
		h2 := restarted(t, h, nil)
		if _, err := h2.Subscribe(r); err != error(ReasonRevoked) {
			t.Errorf("a revoked session subscribes: %v", err)
		}
		late := Request{Session: Session{User: bob, Allowed: Everything(), Topics: []string{"room"}}, Filter: Everything(), Topics: []string{"room"}, Authenticated: r.Authenticated}
		if _, err := h2.Subscribe(late); !errors.Is(err, ErrForbiddenTopic) {
			t.Errorf("a topic that was taken: %v", err)
		}
	})
}

func TestRestoreRefusesWhatItCannotTrust(t *testing.T) {
	h := New(&kinds, nil)
	for range 20 {
		publish(t, h, made(note, alice, "x"))
	}
	if err := h.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	var state bytes.Buffer
	if err := h.Save(&state); err != nil {
		t.Fatal(err)
	}
	whole := state.Bytes()
	restore := func(b []byte, o Options) (h *Hub, err error) {
		o.Restore = bytes.NewReader(b)
		o.Observer = &Observer{Error: func(e error) { err = e }}
		h = New(&kinds, &o)
		return h, err
	}
	for n := range whole { // torn anywhere
		if h, err := restore(whole[:n], Options{}); !errors.Is(err, ErrSavedTorn) || h.store.Head() != 0 {
			t.Fatalf("cut at %d of %d bytes: %v, head %d", n, len(whole), err, h.store.Head())
		}
	}
	for n := len(savedMagic); n < len(whole); n++ { // damaged anywhere
		damaged := bytes.Clone(whole)
		damaged[n] ^= 0x40
		if h, err := restore(damaged, Options{}); !errors.Is(err, ErrSavedTorn) || h.store.Head() != 0 {
			t.Fatalf("damaged at %d: %v", n, err)
		}
	}
	for name, c := range map[string]struct {
		state string
		want  error
	}{
		"foreign":     {"#!/bin/sh\necho", ErrNotSaved},
		"one line":    {strings.Repeat("x", 1<<20), ErrNotSaved},
		"newer":       {savedKind + "2\n...", ErrSavedVersion},
		"longer":      {string(whole) + "x", ErrSavedTorn},
		"what is new": {string(whole), nil},
	} {
		if _, err := restore([]byte(c.state), Options{}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	synctest.Test(t, func(t *testing.T) { // in a bubble it is 2000
		h := New(&kinds, nil)
		publish(t, h, made(note, alice, "x"))
		var state bytes.Buffer
		if err := h.Save(&state); err != nil {
			t.Fatal(err)
		}
		time.Sleep(61 * time.Minute)
		if _, err := restore(state.Bytes(), Options{}); !errors.Is(err, ErrSavedOld) {
			t.Errorf("old: %v", err)
		}
		h.Shutdown(context.Background())
	})
}

func TestSaveFileIsWholeOrNotThere(t *testing.T) {
	h := New(&kinds, nil)
	publish(t, h, made(note, alice, "x"))
	name := filepath.Join(t.TempDir(), "state")
	for range 2 { // also over an older one
		if err := h.SaveFile(name); err != nil {
			t.Fatal(err)
		}
	}
	info := must(os.Stat(name))
	if info.Mode().Perm() != 0o600 {
		t.Errorf("it can be read by others: %v", info.Mode())
	}
	if entries := must(os.ReadDir(filepath.Dir(name))); len(entries) != 1 {
		t.Errorf("%d files", len(entries))
	}
	if err := h.SaveFile(filepath.Join(name, "below a file")); err == nil {
		t.Error("no error")
	}
}

// 64 MiB save and load in well under a second.
func BenchmarkSaveAndRestore(b *testing.B) {
	h := New(&kinds, &Options{Logger: slog.New(slog.DiscardHandler)})
	text := strings.Repeat("x", 300)
	for i := range 100_000 {
		e := must(note.New(uuid.UUID{1, byte(i), byte(i >> 8)}, text))
		if err := h.Publish(b.Context(), e); err != nil {
			b.Fatal(err)
		}
	}
	before := h.Stats()
	b.ReportMetric(float64(before.Bytes)/(1<<20), "MiB")
	for b.Loop() {
		var state bytes.Buffer
		if err := h.Save(&state); err != nil {
			b.Fatal(err)
		}
		h2 := New(&kinds, &Options{Restore: &state})
		if after := h2.Stats(); after.Retained != before.Retained {
			b.Fatalf("%d events, before %d", after.Retained, before.Retained)
		}
	}
}
