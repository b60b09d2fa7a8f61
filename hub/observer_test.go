package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The observer hears of everything, and may call the hub: no lock is held.
func TestObserver(t *testing.T) {
	var told []string
	var h *Hub
	tell := func(format string, args ...any) {
		h.Stats() // would deadlock under any of the hub's locks
		told = append(told, fmt.Sprintf(format, args...))
	}
	h = New(&kinds, &Options{UserEvents: 1, StreamsPerUser: 1, RefuseNewest: true, Observer: &Observer{
		Subscribed: func(s Stream) { tell("subscribed %s %s", s.SessionID, s.Transport) },
		Ended:      func(s Stream) { tell("ended %s, %d delivered, %d gaps", string(s.Reason), s.Delivered, s.Gaps) },
		Refused:    func(r Refusal) { tell("refused %s %s", r.Session.ID, string(r.Reason)) },
		Published: func(_ context.Context, p Publication) {
			tell("published %s, %d woken", p.Event.Type(), p.Woken)
		},
		Gap:   func(g Gap) { tell("gap %s", g.Reason) },
		Error: func(err error) { tell("error %v", err) },
	}})
	s := subscribed(t, h, alice, "garbage")
	if _, err := h.Subscribe(request(alice, "s2")); err != error(ReasonOverloaded) {
		t.Error(err)
	}
	taken(t, s)
	publish(t, h, made(note, alice, "1"))
	publish(t, h, made(note, alice, "2"))
	taken(t, s)
	h.Report(errors.New("a failure"))
	h.RevokeUser(context.Background(), alice)
	s.Close()
	s.Close()
	expect(t, told, "subscribed s1 test", "refused s2 overloaded", "gap unknown",
		"published note.added, 1 woken", "published note.added, 0 woken", "gap evicted",
		"error a failure", "ended revoked, 1 delivered, 2 gaps")
	st := h.Stats()
	if st.Published != 2 || st.Delivered != 1 || st.Gaps["evicted"] != 1 || st.Gaps["unknown"] != 1 || st.Ended[ReasonRevoked] != 1 || st.Refused[ReasonOverloaded] != 1 || st.Retained != 1 {
		t.Errorf("%+v", st)
	}
}

// Without an observer, the logger hears what an operator must know, and not a
// line for each client.
func TestWarnings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		h := New(&kinds, &Options{UserEvents: 1, StreamsPerUser: 1, RefuseNewest: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		overload := func() {
			s := subscribed(t, h, alice, "")
			for range 10 {
				h.Subscribe(request(alice, "x"))
			}
			publish(t, h, made(note, alice, "1"))
			publish(t, h, made(note, alice, "2"))
			taken(t, s)
			s.End(ReasonSlow)
			s.Close()
		}
		for range 5 {
			overload()
		}
		lines := strings.Count(log.String(), "\n")
		if lines != 3 || strings.Count(log.String(), "level=WARN") != 3 {
			t.Errorf("%d lines:\n%s", lines, log.String())
		}
		time.Sleep(warningInterval)
		log.Reset()
		overload()
		if want := `msg="crier: streams were refused as overloaded" count=50`; !strings.Contains(log.String(), want) {
			t.Errorf("no %s in\n%s", want, log.String())
		}
		h.Report(errors.New("a failure"))
		if !strings.Contains(log.String(), "level=ERROR") {
			t.Error("an error was not logged")
		}
	})
}
