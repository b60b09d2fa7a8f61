package transporttest

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
)

func opensWithCursor(s *suite) {
	s.start(nil, nil)
	s.publish("before anybody listened")
	c := s.open(request{})
	if want := s.position(); c.cursor != want {
		s.Fatalf("the opening cursor must be where the stream starts, %s; got %s", want, c.cursor)
	}
	c.wantQuiet("after the opening of a stream that asked for no replay")
}

func deliversInOrder(s *suite) {
	s.start(nil, nil)
	c := s.open(request{})
	var want []string
	for i := range 50 { // the first is written alone, the others as batches while it is
		want = append(want, fmt.Sprint("to Alice ", i), fmt.Sprint("to everyone ", i))
		s.publish(want[2*i])
		s.broadcast(want[2*i+1])
	}
	c.want("after 50 publishes and broadcasts by turns", want...)
	for i := range 3 {
		time.Sleep(time.Second)
		text := fmt.Sprint("after a pause ", i)
		s.publish(text)
		c.want("of an event that is published to an idle stream", text)
	}
	c.wantQuiet("after all events were read")
}

func deliversLargeEvent(s *suite) {
	s.start(nil, nil)
	c := s.open(request{})
	large := strings.Repeat("large €", 100_000) // with line ends and UTF-8 cut anywhere by chunks
	s.publish(large)
	s.publish("small")
	c.want("of an event of 900 kB", fmt.Sprintf("%.40s", large), "small")
}

func ephemeralHasNoID(s *suite) {
	s.start(nil, nil)
	c := s.open(request{})
	s.publish("retained")
	c.want("before an ephemeral event", "retained")
	s.send(s.draft, alice, "ephemeral", s.hub.Publish)
	c.want("of an ephemeral event", "ephemeral")
	s.publish("behind it")
	c.want("after an ephemeral event", "behind it")
}

func resumesFromEvent(s *suite) {
	s.start(nil, nil)
	c := s.open(request{})
	s.publish("1")
	s.broadcast("2")
	s.publish("3")
	c.want("of three events", "1", "2", "3")
	c.conn.Close()
	s.publish("4")
	for _, param := range []string{"", "last_event_id", "lastEventId"} {
		place := "in the Last-Event-ID header"
		if param != "" {
			place = "in the query as " + param
		}
		for id, want := range map[string][]string{"1": {"2", "3", "4"}, "2": {"3", "4"}, "4": nil} {
			when := fmt.Sprintf("after a reconnect with the id of event %s %s", id, place)
			c := s.open(request{lastID: s.published[id].ID().String(), param: param})
			c.want(when, want...)
			c.wantQuiet(when)
		}
	}
}

func resumesFromCursor(s *suite) {
	s.start(nil, nil)
	s.publish("1")
	page := s.hub.Cursor()
	s.publish("2")
	c := s.open(request{lastID: page, param: "last_event_id"})
	c.want("from a page's cursor", "2")
	s.publish("3")
	c.want("from a page's cursor, live", "3")
	c.conn.Close()
	c = s.open(request{lastID: c.cursor})
	c.want("from the opening cursor of a stream, for the events that it was there for", "2", "3")
	c.wantQuiet("after a resume")
}

func losesNothingWhenCut(s *suite) {
	s.start(nil, nil)
	last := s.hub.Cursor()
	var all []string
	for i := range 30 {
		all = append(all, fmt.Sprint(i, " ", strings.Repeat("x", 997*i%4000))) // some cuts fall within frames
		s.publish(all[i])
	}
	for at, length := 0, 0; at < len(all); length++ {
		n := min(length, len(all)-at)
		c := s.open(request{lastID: last})
		var want []string
		for _, text := range all[at : at+n] {
			want = append(want, fmt.Sprintf("%.40s", text))
		}
		c.want(fmt.Sprintf("after cut number %d, with the last id that came", length), want...)
		c.conn.Close()
		last, at = c.lastID, at+n
	}
}

func tellsOfEvicted(s *suite) {
	s.start(&hub.Options{UserEvents: 3}, nil)
	cursor := s.hub.Cursor()
	for i := range 9 {
		s.publish(fmt.Sprint(i))
	}
	c := s.open(request{lastID: cursor})
	c.want("after a reconnect to a log that has evicted events", "stream.gap evicted")
	gap := c.lastID
	c.want("after a gap, for what is retained", "6", "7", "8")
	c.conn.Close()
	c = s.open(request{lastID: gap})
	c.want("after a reconnect with the id of a gap, which the client knows of", "6", "7", "8")
	c.wantQuiet("after a gap")
}

func tellsOfOverrun(s *suite) {
	s.start(&hub.Options{UserEvents: 10}, nil)
	c := s.open(request{})
	filler := incompressible(2700)
	for i := range 100 {
		s.publish(fmt.Sprintf("%02d %s", i, filler))
		if i < 50 {
			time.Sleep(50 * time.Millisecond) // let it write until it stalls
		}
	}
	expect, gaps := 0, 0
	for expect < 100 {
		got := c.describe(c.frame(fmt.Sprintf("event %d or a gap", expect)))
		if got == "stream.gap evicted" {
			gaps, expect = gaps+1, 90
			continue
		}
		if want := fmt.Sprintf("%02d", expect); !strings.HasPrefix(got, want) {
			s.Fatalf("a client that fell behind must be told of a gap before the stream goes on; it read %.10q in place of %s", got, want)
		}
		expect++
	}
	if gaps != 1 {
		s.Fatalf("a client that fell behind its log of 10 events by 100 was told of %d gaps; it must be of one", gaps)
	}
}

func tellsOfUnknownID(s *suite) {
	s.start(nil, nil)
	secret := s.send(s.note, bob, "Bob's alone", s.hub.Publish)
	s.publish("Alice's")
	for name, id := range map[string]string{
		"that is another user's event":    secret.ID().String(),
		"that was never published":        uuid.Must(uuid.NewV7()).String(),
		"that is garbage":                 "'; DROP TABLE events; --",
		"with bytes that are no text":     "\x80\xff",
		"of 8 kB":                         strings.Repeat("9", 8<<10),
		"that is a cursor beyond the end": s.hub.Cursor()[:35] + "f",
	} {
		when := "after a reconnect with an id " + name
		c := s.open(request{lastID: id, param: "last_event_id"})
		c.want(when, "stream.gap unknown")
		s.publish("after " + name)
		c.want(when, "after "+name)
		c.wantQuiet(when)
	}
	c := s.open(request{lastID: hub.New(s.hub.Registry(), nil).Cursor()})
	c.want("after a reconnect with a cursor of another process, for which all is new", "stream.gap unknown", "Alice's")
}

func tellsAgainIfCut(s *suite) {
	s.start(nil, nil)
	for name, id := range map[string]string{
		"another process's cursor": hub.New(s.hub.Registry(), nil).Cursor(),
		"garbage":                  "garbage",
	} {
		c := s.open(request{lastID: id})
		c.conn.Close() // before it has read of the gap
		c = s.open(request{lastID: c.cursor})
		c.want("after a reconnect from the opening cursor of a stream that was cut before it told of its gap (from "+name+")", "stream.gap unknown")
		c.conn.Close()
	}
}
