package transporttest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
)

func filters(s *suite) {
	s.start(nil, nil)
	for _, r := range []request{
		{categories: []string{"alerts"}},
		{categories: []string{"alerts", "alerts"}},
		{categories: []string{"alerts", "alerts"}, joined: true},
	} {
		c := s.open(r)
		s.publish("note")
		s.publishAlert("alert")
		c.want("with a filter for alerts ("+r.http().URL.RawQuery+")", "alert")
		c.conn.Close()
	}
	for _, r := range []request{
		{categories: []string{"alerts", "notes"}},
		{categories: []string{"alerts", "notes"}, joined: true},
		{},
	} {
		c := s.open(r)
		s.publish("note")
		s.publishAlert("alert")
		c.want("with a filter for all there is ("+r.http().URL.RawQuery+")", "note", "alert")
		c.conn.Close()
	}
}

func neverWidens(s *suite) {
	s.start(nil, nil)
	s.auth = func(*http.Request) (hub.Session, error) {
		return hub.Session{User: alice, Allowed: hub.Categories("alerts")}, nil
	}
	begin := s.hub.Cursor()
	s.publish("not allowed")
	s.send(s.alert, bob, "Bob's", s.hub.Publish)
	var allowed []string
	for _, r := range []request{
		{},
		{categories: []string{"notes", "alerts"}},
		{lastID: begin},
	} {
		text := fmt.Sprint("allowed ", len(allowed))
		allowed = append(allowed, text)
		want := []string{text}
		if r.lastID != "" {
			want = allowed
		}
		c := s.open(r)
		s.publish("not allowed either, " + text)
		s.publishAlert(text)
		c.want("of a session that may hear alerts alone, whatever it asks for ("+r.http().URL.RawQuery+")", want...)
		c.conn.Close()
	}
}

// refused asks for a stream that must be refused before it begins.
func (s *suite) refused(when string, r request, status int) *Refused {
	s.Helper()
	c, err := s.dial(r)
	if err == nil {
		f, _ := c.next()
		s.Fatalf("%s, a client must get status %d and no stream; it got a stream, with %s first", when, status, c.describe(f))
	}
	var refused *Refused
	if !errors.As(err, &refused) {
		s.Fatalf("%s, a client must get status %d; it got no answer: %v", when, status, err)
	}
	if refused.Status != status {
		s.Fatalf("%s, a client must get status %d; it got %d", when, status, refused.Status)
	}
	var body struct{ Error string }
	if err := json.Unmarshal(refused.Body, &body); err != nil || body.Error == "" {
		s.Fatalf(`%s, the body must be {"error":"..."}; got %.200q`, when, refused.Body)
	}
	if st := s.hub.Stats(); len(st.Streams) > 0 || ends(st) > 0 {
		s.Fatalf("%s, nothing may have been subscribed; the hub has seen a stream", when)
	}
	c.conn.Close()
	return refused
}

func refuses(s *suite) {
	s.start(nil, nil)
	good := s.auth
	s.auth = func(*http.Request) (hub.Session, error) {
		return hub.Session{}, fmt.Errorf("token of 1984: %w", transport.ErrUnauthenticated)
	}
	if r := s.refused("without a valid session", request{}, http.StatusUnauthorized); strings.Contains(string(r.Body), "1984") {
		s.Fatalf("the text of an Authenticator's error must not reach a client: %s", r.Body)
	}
	s.auth = good
	for _, categories := range [][]string{{"nonsense"}, {"notes", "nonsense"}, {""}} {
		when := fmt.Sprintf("with the filter %q", categories)
		r := s.refused(when, request{categories: categories}, http.StatusBadRequest)
		if !strings.Contains(string(r.Body), "notes") || !strings.Contains(string(r.Body), "alerts") {
			s.Fatalf("%s, the answer must name the valid categories: %s", when, r.Body)
		}
	}
}

// refusedForNow checks the answer of a transport that refuses overload.
func (s *suite) refusedForNow(when string, err error) {
	s.Helper()
	var refused *Refused
	if !errors.As(err, &refused) || refused.Status != http.StatusServiceUnavailable {
		s.Fatalf("%s, a client must get status 503 and no stream; it got: %v", when, err)
	}
	if refused.Header.Get("Retry-After") == "" {
		s.Fatalf("%s, a client must be told when to come back, by Retry-After; got %v", when, refused.Header)
	}
	if strings.Contains(string(refused.Body), "1984") {
		s.Fatalf("the text of an Authenticator's error must not reach a client: %s", refused.Body)
	}
}

func sheds(s *suite) {
	s.start(&hub.Options{StreamsPerUser: 1, RefuseNewest: true}, nil)
	shed := func(when string, reason hub.Reason) {
		s.Helper()
		c, err := s.dial(request{})
		if s.tr.RefusesOverload {
			s.refusedForNow(when, err)
			return
		}
		if err != nil {
			s.Fatalf("%s, a client must get a stream that says so and ends, since an error status would end an EventSource for good; it got: %v", when, err)
		}
		if f := c.wantEnd(when, reason); f.ID != "" {
			s.Fatalf("%s, stream.end must have no id, so that the client keeps its own; got %s", when, f.ID)
		} else if strings.Contains(string(f.Data), "1984") {
			s.Fatalf("the text of an Authenticator's error must not reach a client: %s", f.Data)
		}
	}
	good := s.auth
	s.auth = func(*http.Request) (hub.Session, error) { return hub.Session{}, errors.New("database 1984 is away") }
	shed("when the Authenticator fails for a reason of its own", hub.ReasonUnavailable)
	s.auth = good
	c := s.open(request{})
	shed("with one stream too many", hub.ReasonOverloaded)
	c.conn.Close()
	if err := s.hub.Shutdown(context.Background()); err != nil {
		s.Fatal(err)
	}
	shed("while the hub shuts down", hub.ReasonShutdown)
}
