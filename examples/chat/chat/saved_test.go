package chat

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crier-go/crier/hub"
)

var testKey = bytes.Repeat([]byte("k"), keySize)

// stopped stops a chat in good order, and returns what it saves.
func (c chat) stopped() []byte {
	c.t.Helper()
	c.close()
	var b bytes.Buffer
	if err := errors.Join(c.hub.Shutdown(c.t.Context()), c.save(&b)); err != nil {
		c.t.Fatal(err)
	}
	return b.Bytes()
}

// startedFrom returns a chat that goes on with a saved state.
func startedFrom(t *testing.T, state []byte) chat {
	t.Helper()
	from, err := readSaved(bytes.NewReader(state))
	if err != nil {
		t.Fatal(err)
	}
	s, err := openServer(t.Context(), testKey, Options{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}, from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.abandon)
	return chat{t, s, s.handler()}
}

// resume opens a subscription that goes on after an id, and follows rooms. It is
// closed when it ends, as a transport does.
func (c chat) resume(as *http.Cookie, after string, rooms ...string) *hub.Subscription {
	c.t.Helper()
	r := httptest.NewRequest("GET", "/events", nil)
	r.AddCookie(as)
	session, err := c.authenticate(r)
	if err != nil {
		c.t.Fatal(err)
	}
	var topics []string
	for _, room := range rooms {
		topics = append(topics, roomTopic(room))
	}
	s, err := c.hub.Subscribe(hub.Request{Session: session, Filter: hub.Everything(), Topics: topics, After: after, Transport: "test"})
	if err != nil {
		c.t.Fatal(err)
	}
	s.OnEnd(func() { go s.Close() })
	c.t.Cleanup(s.Close)
	return s
}

// shows returns what a person's page shows, but for what differs from one moment to
// the next.
func (c chat) shows(name string) state {
	st := c.stateFor(mustPerson(c.t, name))
	st.Cursor, st.Now = "", 0
	slices.SortFunc(st.Messages, func(a, b message) int { return cmp.Compare(a.ID.String(), b.ID.String()) })
	return st
}

func asText(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// busy returns a chat in which everything is used, and its people's cookies.
func busy(t *testing.T) (c chat, ada, ben, eve *http.Cookie) {
	c = newChat(t)
	ada, ben, eve = c.login("Ada"), c.login("Ben"), c.login("Eve")
	c.say(ada, "", "lobby 1")
	c.login("ADA") // the spelling of today counts
	c.say(ben, "", "lobby 2")
	c.say(ben, "ada", "direct 1")
	c.say(ada, "eve", "direct 2")
	c.room("POST", ada, "garden", http.StatusOK)
	c.room("POST", ben, "garden", http.StatusOK)
	c.room("POST", ben, "kitchen", http.StatusOK)
	c.room("POST", eve, "garden", http.StatusOK)
	c.room("DELETE", eve, "garden", http.StatusNoContent)
	c.sayIn(ada, "garden", "room 1", http.StatusAccepted)
	c.sayIn(ben, "garden", "room 2", http.StatusAccepted)
	return c, ada, ben, eve
}

// After a planned restart everything is as it was, and a stream goes on where it was.
func TestRestartKeepsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, ada, ben, eve := busy(t)
		page := c.hub.Cursor()
		stream := c.resume(ada, page, "garden")
		c.resume(ben, "", "garden")
		c.resume(eve, "")
		c.say(eve, "", "lobby 3")
		heard(t, stream)
		last := stream.Cursor()
		c.say(eve, "ada", "direct 3") // not taken before the stop
		want := map[string]state{}
		for _, name := range []string{"Ada", "Ben", "Eve", "Stranger"} {
			want[name] = c.shows(name)
		}
		for i := range 2 {
			state := c.stopped()
			time.Sleep(time.Minute) // so that times are restored, and not made
			c = startedFrom(t, state)
			for name, want := range want {
				if got := c.shows(name); !reflect.DeepEqual(got, want) {
					t.Errorf("restart %d: %s sees\n%s\nand before\n%s", i, name, asText(got), asText(want))
				}
			}
		}
		if n := len(want["Ada"].Messages); n != 8 {
			t.Errorf("Ada sees %d messages", n)
		}
		for _, e := range c.history.where(func(conversation) bool { return true }) {
			if age := time.Since(e.Time()); age < 2*time.Minute {
				t.Errorf("a message is %v old", age)
			}
		}
		stream = c.resume(ada, last, "garden")
		c.sayIn(ben, "garden", "room 3", http.StatusAccepted)
		got := heard(t, stream)
		if len(got) != 2 || !strings.Contains(got[0], "direct 3") || !strings.Contains(got[1], "room 3") {
			t.Errorf("the stream goes on with %q", got)
		}
		if got := heard(t, c.resume(ada, page, "garden")); len(got) < 3 || strings.Contains(fmt.Sprint(got), "stream.gap") {
			t.Errorf("a page from before goes on with %q", got)
		}
		if n := len(c.shows("Ada").Messages); n != 9 {
			t.Errorf("Ada sees %d messages", n)
		}
		c.login("Zoe")
		c.say(ada, "zoe", "hi")
	})
}

// A restart is not the news that everybody has gone and come. Who does not come back
// has left, after a while.
func TestPresenceAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, ada, ben, eve := busy(t)
		for _, s := range []*hub.Subscription{c.resume(ada, "", "garden"), c.resume(ben, "", "garden"), c.resume(eve, "")} {
			heard(t, s)
		}
		before := c.shows("Ada")
		if len(before.Online) != 3 || len(before.Rooms) != 1 || len(before.Rooms[0].Here) != 2 {
			t.Fatalf("%+v", before)
		}
		cursor := c.hub.Cursor()
		state := c.stopped()
		time.Sleep(5 * time.Minute)

		c = startedFrom(t, state)
		stays := func(when string) {
			t.Helper()
			after := c.shows("Ada")
			if !reflect.DeepEqual(after.Online, before.Online) || !reflect.DeepEqual(after.Rooms, before.Rooms) {
				t.Errorf("%s: %+v", when, after)
			}
		}
		stays("before anybody is back")
		time.Sleep(returnTime / 2)
		adas := c.resume(ada, cursor, "garden")
		stays("Ada is back")
		bens := c.resume(ben, cursor) // the page without the room
		time.Sleep(returnTime/2 - time.Millisecond)
		stays("the others still may come")
		synctest.Wait()
		if got := heard(t, adas); len(got) > 0 {
			t.Errorf("announced: %q", got)
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		got := heard(t, adas)
		slices.Sort(got) // in no order
		if len(got) != 2 || !strings.Contains(got[0], "presence.room.changed") || !strings.Contains(got[0], `"name":"Ben"},"here":false`) ||
			!strings.Contains(got[1], "presence.user.left") || !strings.Contains(got[1], "Eve") {
			t.Errorf("who has not come back: %q", got)
		}
		if after := c.shows("Ada"); len(after.Online) != 2 || len(after.Rooms[0].Here) != 1 {
			t.Errorf("%+v", after)
		}
		bens.Close() // from here on it is as ever
		time.Sleep(2 * grace)
		if got := heard(t, adas); len(got) != 1 || !strings.Contains(got[0], "presence.user.left") {
			t.Errorf("Ben leaves: %q", got)
		}
		c.stopped() // and no timer is left
	})
}

// Two restarts in a row: who was expected still is, and a leave is told once.
func TestPresenceAfterTwoRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, ada, ben, _ := busy(t)
		c.resume(ben, "")
		state := c.stopped()
		c = startedFrom(t, state)
		time.Sleep(returnTime / 2)
		state = c.stopped()
		time.Sleep(returnTime)
		c = startedFrom(t, state)
		stream := c.resume(ada, "")
		time.Sleep(returnTime + time.Second)
		got := heard(t, stream)
		if text := fmt.Sprint(got); len(got) != 2 || strings.Count(text, "joined") != 1 || strings.Count(text, "left") != 1 {
			t.Errorf("heard %q", got)
		}
	})
}

// When the hub's events are too old, streams are told of a gap. What the chat itself
// knows is not lost for that.
func TestRestartAfterALongTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, ada, _, _ := busy(t)
		stream := c.resume(ada, "")
		heard(t, stream)
		cursor := stream.Cursor()
		state := c.stopped()
		time.Sleep(2 * time.Hour)
		c = startedFrom(t, state)
		if got := heard(t, c.resume(ada, cursor)); len(got) == 0 || !strings.Contains(got[0], "stream.gap") {
			t.Errorf("the stream goes on with %q", got)
		}
		if st := c.shows("Ada"); len(st.Messages) != 6 || len(st.Online) != 1 || len(st.Rooms) != 1 {
			t.Errorf("%+v", st)
		}
		c.say(ada, "ben", "still known")
		c = startedFrom(t, c.stopped())
		time.Sleep(Retention + time.Second)
		if n := len(c.shows("Ada").Messages); n != 0 {
			t.Errorf("%d messages are older than they may be", n)
		}
	})
}

// BenchmarkSaveAndRestore saves a state of 64 MiB, most of it messages, to a file and
// restores it.
func BenchmarkSaveAndRestore(b *testing.B) {
	log := slog.New(slog.DiscardHandler)
	s, err := openServer(b.Context(), testKey, Options{Logger: log}, nil)
	if err != nil {
		b.Fatal(err)
	}
	people := make([]person, 500)
	for i := range people {
		people[i], _ = newPerson(fmt.Sprint("Person ", i))
		s.people.enter(people[i])
	}
	text := strings.Repeat("x", 200)
	for i := range 100_000 { // 200 in each conversation
		from, to := people[i%len(people)], people[(i+1)%len(people)]
		e, err := messageDirect.New(to.ID, direct{From: from, To: to, Text: text})
		if err == nil {
			err = s.hub.PublishTo(b.Context(), e, hub.User(from.ID), hub.User(to.ID), hub.Topic(journalTopic))
		}
		if err != nil {
			b.Fatal(err)
		}
		if i%100 == 0 {
			s.journal.catchUp()
		}
	}
	s.close()
	if err := s.hub.Shutdown(b.Context()); err != nil {
		b.Fatal(err)
	}
	name := filepath.Join(b.TempDir(), "state")
	var saving, restoring time.Duration
	for b.Loop() {
		f, err := openStateFile(name)
		if err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		if err := f.save(s.save); err != nil {
			b.Fatal(err)
		}
		saving += time.Since(began)
		info, err := os.Stat(name)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/(1<<20), "MiB")
		began = time.Now()
		again, err := f.restore(log, func(from *saved) (*server, error) {
			return openServer(b.Context(), testKey, Options{Logger: log}, from)
		})
		restoring += time.Since(began)
		if err != nil {
			b.Fatal(err)
		}
		if n := len(again.history.where(func(conversation) bool { return true })); n != 100_000 {
			b.Fatalf("%d messages", n)
		}
		again.abandon()
		f.close()
	}
	b.ReportMetric(float64(saving.Milliseconds())/float64(b.N), "save-ms/op")
	b.ReportMetric(float64(restoring.Milliseconds())/float64(b.N), "restore-ms/op")
}

// sealed puts the right header before the chat's own part.
func sealed(body []byte) []byte {
	sum := sha256.Sum256(body)
	b := binary.BigEndian.AppendUint64([]byte(savedMagic), uint64(len(body)))
	return append(append(b, sum[:]...), body...)
}

func TestReadSavedIsBounded(t *testing.T) {
	b := append(binary.BigEndian.AppendUint64([]byte(savedMagic), 1<<62), make([]byte, 1000)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := readSaved(bytes.NewReader(b))
	runtime.ReadMemStats(&after)
	if !errors.Is(err, errSavedDamaged) {
		t.Errorf("%v", err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("reading %d bytes allocates %d", len(b), n)
	}
}

func TestReadSavedSkipsWhatThisReleaseDoesNotKnow(t *testing.T) {
	const old = `{"event_id":"01980d5e-9d2c-7cc1-8a51-5b2ab0e8f0c4","event_type":"chat.message.gone","user_id":"00000000-0000-0000-0000-000000000000","data":{},"occurred_at":"2026-03-14T15:09:26.535897Z"}`
	from, err := readSaved(bytes.NewReader(sealed([]byte(`{"messages":[` + old + `],"later":1}`))))
	if err != nil || len(from.messages) != 0 {
		t.Errorf("%+v, %v", from, err)
	}
	if _, err := readSaved(bytes.NewReader(sealed([]byte(`{"messages":[{}]}`)))); !errors.Is(err, errSavedDamaged) {
		t.Errorf("no message: %v", err)
	}
}

// FuzzReadSaved reads any bytes, as they are and as a chat's own part. What can be
// read can be restored, and saved again.
func FuzzReadSaved(f *testing.F) {
	empty := bytes.Buffer{}
	h := hub.New(&registry, nil)
	if err := errors.Join(h.Shutdown(f.Context()), h.Save(&empty)); err != nil {
		f.Fatal(err)
	}
	const message = `{"event_id":"01980d5e-9d2c-7cc1-8a51-5b2ab0e8f0c4","event_type":"chat.message.room","user_id":"00000000-0000-0000-0000-000000000000","data":{"from":{"id":"01980d5e-9d2c-7cc1-8a51-5b2ab0e8f0c4","name":"Ada"},"room":"garden","text":"hi"},"occurred_at":"2026-03-14T15:09:26.535897Z"}`
	for _, body := range []string{
		`{}`, `null`, `[]`, `{"people":null,"rooms":{"":{}}}`,
		`{"people":[{"id":"01980d5e-9d2c-7cc1-8a51-5b2ab0e8f0c4","name":"Ada"}],"rooms":{"garden":{"01980d5e-9d2c-7cc1-8a51-5b2ab0e8f0c4":"2026-03-14T15:09:26Z"}},"here":[{"user":"01980d5e-9d2c-7cc1-8a51-5b2ab0e8f0c4"},{"room":"garden","user":"01980d5e-9d2c-7cc1-8a51-5b2ab0e8f0c4"}],"messages":[` + message + `]}`,
	} {
		f.Add([]byte(body), true)
		f.Add(sealed([]byte(body)), false)
		f.Add(sealed([]byte(body))[:len(savedMagic)+20], false)
	}
	f.Add([]byte(savedKind+"2\n"), false)
	f.Add([]byte("#!/bin/sh\n"), false)
	f.Fuzz(func(t *testing.T, data []byte, seal bool) {
		if seal {
			data = sealed(data)
		}
		from, err := readSaved(bytes.NewReader(append(data, empty.Bytes()...)))
		if err != nil {
			if !errors.Is(err, errSavedDamaged) && !errors.Is(err, errSavedForeign) && !errors.Is(err, errSavedVersion) {
				t.Fatal(err)
			}
			return
		}
		s, err := openServer(t.Context(), testKey, Options{Logger: slog.New(slog.DiscardHandler)}, from)
		if err != nil {
			if !errors.Is(err, errSavedDamaged) {
				t.Fatal(err)
			}
			return
		}
		defer s.abandon()
		var b bytes.Buffer
		s.close()
		if err := errors.Join(s.hub.Shutdown(t.Context()), s.save(&b)); err != nil {
			t.Fatal(err)
		}
		again, err := readSaved(&b)
		if err != nil {
			t.Fatalf("%v, of what was saved", err)
		}
		for _, chat := range []*savedChat{&from.chat, &again.chat} {
			chat.Messages = nil
			slices.SortFunc(chat.Here, func(a, b stay) int { return cmp.Or(cmp.Compare(a.Room, b.Room), bytes.Compare(a.User[:], b.User[:])) })
			chat.Here = slices.Compact(chat.Here)
		}
		was, _ := json.Marshal(from.chat.Here)
		is, _ := json.Marshal(again.chat.Here)
		if len(from.chat.Here) > 0 && !bytes.Equal(was, is) {
			t.Errorf("here are %s, and were %s", is, was)
		}
	})
}
