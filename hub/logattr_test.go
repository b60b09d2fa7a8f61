package hub

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
)

// A logBook is a logger that keeps its lines as JSON.
type logBook struct{ bytes.Buffer }

func (b *logBook) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(b, &slog.HandlerOptions{Level: level}))
}

// lines returns what was logged since the last call, without the time.
func (b *logBook) lines(t *testing.T) (all []map[string]any) {
	t.Helper()
	for line := range strings.SplitSeq(strings.TrimSpace(b.String()), "\n") {
		if line == "" {
			continue
		}
		var one map[string]any
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatal(err)
		}
		delete(one, "time")
		all = append(all, one)
	}
	b.Reset()
	return all
}

func expectLine(t *testing.T, got map[string]any, want map[string]any) {
	t.Helper()
	a, _ := json.Marshal(got) // sorts the keys
	b, _ := json.Marshal(want)
	if string(a) != string(b) {
		t.Errorf("got  %s\nwant %s", a, b)
	}
}

func TestLogLinesOfAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logBook
		h := New(&kinds, &Options{UserEvents: 1, StreamsPerUser: 1, RefuseNewest: true, Logger: book.logger(slog.LevelDebug)})
		s := subscribed(t, h, alice, "")
		publish(t, h, made(note, alice, "1"))
		publish(t, h, made(note, alice, "2"))
		taken(t, s)
		lines := book.lines(t)
		if len(lines) != 1 {
			t.Fatalf("got %v", lines)
		}
		expectLine(t, lines[0], map[string]any{"level": "WARN", "count": 1, "stream": 1, "user": alice, "session": "s1", "transport": "test",
			"msg": "crier: clients were told of a gap: events were evicted before they had read them"})

		h.Subscribe(request(alice, "x"))
		lines = book.lines(t)
		if len(lines) != 2 {
			t.Fatalf("got %v", lines)
		}
		expectLine(t, lines[0], map[string]any{"level": "DEBUG", "msg": "crier: a stream was refused", "user": alice, "session": "x", "transport": "", "reason": "overloaded"})
		expectLine(t, lines[1], map[string]any{"level": "WARN", "count": 1, "msg": "crier: streams were refused as overloaded", "user": alice, "session": "x", "transport": "", "reason": "overloaded"})

		time.Sleep(time.Second)
		s.End(ReasonSlow)
		s.Close()
		lines = book.lines(t)
		if len(lines) != 2 {
			t.Fatalf("got %v", lines)
		}
		expectLine(t, lines[0], map[string]any{"level": "DEBUG", "msg": "crier: a stream has ended", "user": alice, "stream": 1, "session": "s1", "transport": "test",
			"reason": "slow", "cursor": h.cursors.Load().encode(2), "delivered": 1, "gaps": 1, "duration": time.Second})
		expectLine(t, lines[1], map[string]any{"level": "WARN", "count": 1, "msg": "crier: streams ended as slow", "user": alice, "stream": 1, "session": "s1", "transport": "test", "reason": "slow"})
	})
}

// Handlers inline what LogAttr returns, and without debug lines a stream's end
// logs nothing.
func TestLogAttr(t *testing.T) {
	var book logBook
	h := New(&kinds, &Options{Logger: book.logger(slog.LevelInfo)})
	s := subscribed(t, h, alice, "")
	s.Close()
	if got := book.String(); got != "" {
		t.Errorf("got %s", got)
	}
	h.options.Logger.Error("failed", s.LogAttr(), "error", "x")
	expectLine(t, book.lines(t)[0], map[string]any{"level": "ERROR", "msg": "failed", "user": alice, "stream": 1, "session": "s1", "transport": "test", "error": "x"})
}

// A hub warns of foreign cursors once the clients of an earlier process have had
// the time to come back.
func TestForeignCursors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logBook
		other, h := New(&kinds, nil), New(&kinds, &Options{Logger: book.logger(slog.LevelWarn)})
		foreign := []string{other.Cursor(), subscribed(t, other, alice, "").Cursor()}
		subscribed(t, h, alice, foreign[0])
		time.Sleep(foreignAfter - time.Nanosecond)
		subscribed(t, h, alice, foreign[1])
		time.Sleep(time.Nanosecond)
		unresolved := subscribed(t, h, alice, foreign[0]) // the first that counts
		if lines := book.lines(t); len(lines) != 1 || lines[0]["stream"] != 3.0 || lines[0]["count"] != 1.0 {
			t.Errorf("got %v", lines)
		}
		time.Sleep(warningInterval)
		for _, after := range []string{"", h.Cursor(), unresolved.Cursor(), uuid.NewString(), must(uuid.NewV7()).String(), "x"} {
			subscribed(t, h, alice, after)
		}
		if lines := book.lines(t); len(lines) != 0 {
			t.Errorf("warned of what is not foreign: %v", lines)
		}
		for range 2 {
			subscribed(t, h, alice, foreign[1])
		}
		if lines := book.lines(t); len(lines) != 1 {
			t.Errorf("got %v", lines)
		}
		time.Sleep(warningInterval)
		subscribed(t, h, alice, foreign[1])
		if lines := book.lines(t); len(lines) != 1 || lines[0]["count"] != 2.0 {
			t.Errorf("got %v", lines)
		}
	})
}
