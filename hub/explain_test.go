package hub

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
)

// idAt returns an event's id with a time. (uuid.NewV7 never goes back in time, as
// the clock of a synctest bubble does.)
func idAt(at time.Time) event.Option {
	id := uuid.New()
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16|7<<12)
	return event.WithID(id)
}

// madeLater returns an event that is made a second from now.
func madeLater(k event.Kind[string], user uuid.UUID) *event.Event {
	time.Sleep(time.Second)
	return must(k.New(user, "text", idAt(time.Now())))
}

// verdicts returns the verdicts on alice's streams, with "~" if they are inferred.
func verdicts(t *testing.T, h *Hub, e *event.Event) (all []string) {
	t.Helper()
	x, err := h.Explain(t.Context(), alice, e.ID())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range x.Streams {
		v := string(s.Verdict)
		if s.Inferred {
			v = "~" + v
		}
		all = append(all, v)
	}
	return all
}

func aliceStream(t *testing.T, h *Hub, f Filter, after string, topics ...string) *Subscription {
	t.Helper()
	s := must(h.Subscribe(Request{
		Session: Session{User: alice, ID: "s1", Allowed: Categories("notes", "alerts"), Topics: []string{"room", "hall"}},
		Filter:  f, After: after, Topics: topics,
	}))
	t.Cleanup(s.Close)
	return s
}

func TestExplain(t *testing.T) {
	ctx := context.Background()
	publish := func(t *testing.T, h *Hub, e *event.Event, to ...Audience) *event.Event {
		t.Helper()
		if len(to) == 0 {
			to = []Audience{User(e.User())}
		}
		if err := h.PublishTo(ctx, e, to...); err != nil {
			t.Fatal(err)
		}
		return e
	}
	for name, test := range map[string]func(t *testing.T, h *Hub) (got, want []string){
		"delivered, pending, not taken": func(t *testing.T, h *Hub) (got, want []string) {
			a, b, c := aliceStream(t, h, Everything(), ""), aliceStream(t, h, Everything(), ""), aliceStream(t, h, Everything(), "")
			e := publish(t, h, madeLater(note, alice))
			taken(t, a)
			c.Close()
			got = verdicts(t, h, e)
			taken(t, b)
			a.Close()
			return append(got, verdicts(t, h, e)...), []string{"delivered", "pending", "not_taken", "delivered", "delivered", "not_taken"}
		},
		"filtered, then not": func(t *testing.T, h *Hub) (got, want []string) {
			s := aliceStream(t, h, Categories("alerts"), "")
			e := publish(t, h, madeLater(note, alice))
			if err := s.SetFilter(Everything()); err != nil {
				t.Fatal(err)
			}
			e2 := publish(t, h, madeLater(note, alice))
			taken(t, s)
			got = append(verdicts(t, h, e), verdicts(t, h, e2)...)
			s.Close()
			return append(got, verdicts(t, h, e)...), []string{"filtered", "delivered", "filtered"}
		},
		"forbidden": func(t *testing.T, h *Hub) (got, want []string) {
			aliceStream(t, h, Everything(), "")
			return verdicts(t, h, publish(t, h, must(h.registry.Decode(must(madeLater(secret, alice).MarshalJSON()))))), []string{"forbidden"}
		},
		"topics": func(t *testing.T, h *Hub) (got, want []string) {
			s := aliceStream(t, h, Everything(), "", "room")
			early := publish(t, h, madeLater(note, bob), Topic("hall"))
			if err := s.SetTopics(ctx, "hall"); err != nil {
				t.Fatal(err)
			}
			hall, room := publish(t, h, madeLater(note, bob), Topic("hall")), publish(t, h, madeLater(note, bob), Topic("room"))
			both := publish(t, h, madeLater(note, bob), Topic("room"), Topic("hall"), User(alice))
			secretRoom := publish(t, h, madeLater(note, bob), Topic("nobody knows"))
			taken(t, s)
			for _, e := range []*event.Event{early, hall, room, both, secretRoom} {
				got = append(got, verdicts(t, h, e)...)
			}
			return got, []string{"not_followed", "delivered", "not_followed", "delivered", "not_followed"}
		},
		"other users": func(t *testing.T, h *Hub) (got, want []string) {
			s := aliceStream(t, h, Everything(), "")
			e := publish(t, h, madeLater(note, bob))
			taken(t, s)
			x := must(h.Explain(ctx, alice, e.ID()))
			return append(verdicts(t, h, e), fmt.Sprint(x.Audience)), []string{"not_addressed", "[user:" + bob.String() + "]"}
		},
		"very many other users": func(t *testing.T, h *Hub) (got, want []string) {
			aliceStream(t, h, Everything(), "")
			others := make([]Audience, 2000)
			for i := range others {
				others[i] = User(uuid.New())
			}
			e := publish(t, h, madeLater(note, bob), others...)
			x := must(h.Explain(ctx, alice, e.ID()))
			return append(verdicts(t, h, e), fmt.Sprint(len(x.Audience))), []string{"not_addressed", "256"}
		},
		"opened later": func(t *testing.T, h *Hub) (got, want []string) {
			e := publish(t, h, madeLater(note, alice))
			for _, after := range []string{"", h.Cursor(), e.ID().String(), uuid.NewString()} {
				taken(t, aliceStream(t, h, Everything(), after))
			}
			return verdicts(t, h, e), []string{"not_connected", "already_seen", "already_seen", "unresolved"}
		},
		"ended before": func(t *testing.T, h *Hub) (got, want []string) {
			a := aliceStream(t, h, Everything(), "")
			before := publish(t, h, madeLater(note, alice))
			must(h.RevokeSession(ctx, alice, "s1"))
			e := publish(t, h, madeLater(note, alice))
			got = verdicts(t, h, e) // still draining
			taken(t, a)
			a.Close()
			time.Sleep(time.Second)
			aliceStream(t, h, Everything(), "").Close()
			e2 := publish(t, h, madeLater(note, alice))
			for _, e := range []*event.Event{before, e, e2} {
				got = append(got, verdicts(t, h, e)...)
			}
			return got, []string{"revoked", "not_connected", "delivered", "not_connected", "revoked", "ended", "revoked"}
		},
		"superseded": func(t *testing.T, h *Hub) (got, want []string) {
			all, narrow, none := aliceStream(t, h, Everything(), ""), aliceStream(t, h, Categories("alerts"), ""), aliceStream(t, h, Everything(), "")
			if err := none.SetFilter(Filter{}); err != nil {
				t.Fatal(err)
			}
			wide := must(h.Subscribe(Request{Session: Session{User: alice, Allowed: Everything()}, Filter: Everything()}))
			defer wide.Close()
			e := publish(t, h, madeLater(balance, alice))
			publish(t, h, madeLater(balance, alice))
			for _, s := range []*Subscription{all, narrow, none, wide} {
				taken(t, s)
			}
			if x := must(h.Explain(ctx, alice, e.ID())); !x.Superseded || x.Event != nil || x.Cursor == "" {
				t.Errorf("%+v", x)
			}
			return verdicts(t, h, e), []string{"unknown", "unknown", "filtered", "superseded"}
		},
		"superseded in one of two logs": func(t *testing.T, h *Hub) (got, want []string) {
			s := aliceAll(t, h, "")
			first, second := madeLater(balance, alice), madeLater(balance, alice)
			publish(t, h, first, User(alice), Everyone())
			publish(t, h, madeLater(balance, alice), User(alice))
			publish(t, h, second, User(alice), Everyone())
			publish(t, h, madeLater(balance, alice), Everyone())
			taken(t, s)
			narrow := Categories("notes")
			if err := s.SetFilter(narrow); err != nil {
				t.Fatal(err)
			}
			aliceStream(t, h, Everything(), "")
			third := publish(t, h, madeLater(balance, alice), User(alice), Everyone())
			publish(t, h, madeLater(balance, alice), User(alice))
			for _, e := range []*event.Event{first, second, third} {
				got = append(got, verdicts(t, h, e)...)
			}
			return got, []string{"superseded", "not_connected", "superseded", "not_connected", "filtered", "forbidden"}
		},
		"evicted": func(t *testing.T, h *Hub) (got, want []string) {
			quick, slow, cut := aliceAll(t, h, ""), aliceAll(t, h, ""), aliceAll(t, h, "")
			filtered := must(h.Subscribe(Request{Session: Session{User: alice, Allowed: Everything()}, Filter: Categories("alerts")}))
			t.Cleanup(filtered.Close)
			taken(t, filtered)
			cursor := cut.Cursor()
			time.Sleep(time.Second)
			cut.Close()
			e := publish(t, h, madeLater(note, alice))
			for range 5 {
				publish(t, h, madeLater(note, alice))
				taken(t, quick)
			}
			got = verdicts(t, h, e) // open: quick, slow, filtered; ended: cut
			time.Sleep(time.Second)
			taken(t, aliceAll(t, h, cursor))
			taken(t, aliceAll(t, h, ""))
			taken(t, slow)
			quick.Close()
			slow.Close()
			return append(got, verdicts(t, h, e)...), []string{
				"~delivered", "~evicted", "~filtered", "~ended",
				"~filtered", "~evicted", "~not_connected", "~evicted", "~delivered", "~ended"}
		},
		"away for too long": func(t *testing.T, h *Hub) (got, want []string) {
			s := aliceAll(t, h, "")
			cursor := s.Cursor()
			s.Close()
			e := publish(t, h, madeLater(note, alice))
			time.Sleep(2 * time.Hour)
			publish(t, h, madeLater(note, alice))
			taken(t, aliceAll(t, h, cursor))
			return verdicts(t, h, e), []string{"~evicted", "~ended"}
		},
		"published twice": func(t *testing.T, h *Hub) (got, want []string) {
			s := aliceAll(t, h, "")
			e := publish(t, h, madeLater(note, alice), Topic("room"))
			publish(t, h, e, User(alice))
			taken(t, s)
			return verdicts(t, h, e), []string{"delivered"}
		},
		"set after Close": func(t *testing.T, h *Hub) (got, want []string) {
			s := aliceAll(t, h, "")
			must(0, s.SetFilter(Categories("alerts")))
			taken(t, s)
			e := publish(t, h, madeLater(note, alice))
			s.Close()
			for range maxEras + 1 {
				must(0, s.SetFilter(Everything()))
			}
			return verdicts(t, h, e), []string{"filtered"}
		},
		"forgotten eras": func(t *testing.T, h *Hub) (got, want []string) {
			s := aliceStream(t, h, Everything(), "")
			e := publish(t, h, madeLater(note, alice))
			taken(t, s)
			for range maxEras + 1 {
				if err := s.SetFilter(Everything()); err != nil {
					t.Fatal(err)
				}
				taken(t, s)
			}
			return verdicts(t, h, e), []string{"unknown"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := New(must(event.Join(&kinds, &explainKinds)), &Options{UserEvents: 5})
				got, want := test(t, h)
				expect(t, got, want...)
			})
		})
	}
}

// aliceAll opens a stream of alice that may receive every category.
func aliceAll(t *testing.T, h *Hub, after string) *Subscription {
	return subscribed(t, h, alice, after)
}

var (
	explainKinds event.Registry
	secret       = event.Define[string](&explainKinds, "secrets", "secret.told", "A secret.")
	balance      = event.Define[string](&explainKinds, "balances", "balance.updated", "A balance.", event.Latest(func(string) string { return "" }))
)

func TestExplainTellsWhatItKnowsOfTheEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(&kinds, &Options{EndedStreams: 1})
		e := madeLater(note, alice)
		time.Sleep(time.Second)
		if err := h.PublishTo(t.Context(), e, User(alice), Everyone()); err != nil {
			t.Fatal(err)
		}
		cursor := h.cursors.Load().encode(h.store.Head()).String()
		subscribed(t, h, alice, "").Close()
		forgotten := time.Now()
		time.Sleep(time.Second)
		subscribed(t, h, alice, "").Close()
		x := must(h.Explain(t.Context(), alice, e.ID()))
		if x.ID != e.ID() || x.Event.ID() != e.ID() || fmt.Sprint(x.Audience) != "[user:"+alice.String()+" everyone]" || x.Cursor != cursor ||
			!x.Created.Equal(time.Now().Add(-2*time.Second)) || !x.Published.Equal(time.Now().Add(-time.Second)) ||
			x.Superseded || len(x.Streams) != 1 || !x.Since.Equal(forgotten) {
			t.Errorf("%+v", x)
		}
	})
}

func TestExplainAnswersEveryID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(&kinds, &Options{UserEvents: 2})
		subscribed(t, h, alice, "")
		time.Sleep(time.Hour / 2)
		publish(t, h, madeLater(note, alice))
		never := madeLater(note, alice)
		early := must(note.New(alice, "", idAt(time.Now().Add(-2*time.Hour))))
		future := must(note.New(alice, "", idAt(time.Now().Add(time.Hour))))
		ephemeral := madeLater(typing, alice)
		publish(t, h, ephemeral)
		for name, id := range map[string]uuid.UUID{
			"nil": {}, "version 4": uuid.New(), "a cursor": uuid.MustParse(h.Cursor()), "never published": never.ID(),
			"before the hub": early.ID(), "in the future": future.ID(), "ephemeral": ephemeral.ID(), "all bits": uuid.Max,
		} {
			if _, err := h.Explain(t.Context(), alice, id); err != ErrUnknownEvent {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := h.Explain(t.Context(), uuid.Nil, never.ID()); err != ErrNoUser {
			t.Error(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		over := errors.New("over")
		cancel(over)
		if _, err := h.Explain(ctx, alice, never.ID()); err != over {
			t.Error(err)
		}
		for range 3 {
			publish(t, h, madeLater(note, alice))
		}
		// Now something was evicted, and the id may be of that.
		if x := must(h.Explain(t.Context(), alice, never.ID())); !x.Streams[0].Inferred || x.Event != nil || x.Cursor != "" || len(x.Audience) != 0 {
			t.Errorf("%+v", x)
		}
		if _, err := h.Explain(t.Context(), alice, early.ID()); err != ErrUnknownEvent {
			t.Error(err)
		}
		// An outbox publishes late: the time in the id misleads, and nothing is
		// claimed of the event.
		late := madeLater(note, alice)
		subscribed(t, h, alice, "").Close()
		time.Sleep(time.Minute)
		publish(t, h, late)
		for range 3 {
			publish(t, h, madeLater(note, alice))
		}
		if x := must(h.Explain(t.Context(), alice, late.ID())); x.Event != nil {
			t.Errorf("%+v", x)
		}
	})
}

func TestVerdicts(t *testing.T) {
	all := Verdicts()
	if slices.Sort(all); len(slices.Compact(all)) != 15 {
		t.Errorf("got %q", all)
	}
}

// What Explain says agrees with what the streams took, whatever happens to them.
func TestExplainAgreesWithTake(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) { explainRandomly(t, seed) })
	}
}

func explainRandomly(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 12))
	ctx := context.Background()
	h := New(must(event.Join(&kinds, &explainKinds)), &Options{UserEvents: 8, BroadcastEvents: 8, StreamsPerUser: 100, Logger: slog.New(slog.DiscardHandler)})
	type stream struct {
		s   *Subscription
		got map[uuid.UUID]bool
	}
	var open []*stream
	byID := map[uint64]*stream{}
	var published []*event.Event
	own := map[uuid.UUID]bool{} // is for alice or everyone
	cursors := []string{"", h.Cursor()}
	take := func(s *stream) {
		for range 1 + rng.IntN(3) {
			batch, _ := s.s.Take(nil)
			for _, m := range batch {
				if m.Event() != nil {
					s.got[m.Event().ID()] = true
				}
			}
			cursors = append(cursors, s.s.Cursor())
		}
	}
	filters := []Filter{Everything(), Categories("notes"), Categories("alerts"), Categories("notes", "alerts", "typing")}
	topics := func() (some []string) {
		for _, topic := range []string{"room", "hall"} {
			if rng.IntN(2) == 0 {
				some = append(some, topic)
			}
		}
		return some
	}
	for range 150 {
		time.Sleep(time.Second)
		switch n := rng.IntN(20); {
		case n < 10:
			e := must([]event.Kind[string]{note, note, alert, balance}[rng.IntN(4)].New(alice, "", idAt(time.Now())))
			var to []Audience
			for len(to) == 0 {
				for _, a := range []Audience{User(alice), User(bob), Topic("room"), Topic("hall"), Everyone()} {
					if rng.IntN(4) == 0 {
						to = append(to, a)
						own[e.ID()] = own[e.ID()] || a == User(alice) || a == Everyone()
					}
				}
			}
			if err := h.PublishTo(ctx, e, to...); err != nil {
				t.Fatal(err)
			}
			published = append(published, e)
		case n == 10 && rng.IntN(4) == 0:
			must(0, h.TellGap(ctx))
		case n < 12 || len(open) == 0:
			s, err := h.Subscribe(Request{
				Session: Session{User: alice, ID: fmt.Sprint(rng.IntN(3)), Allowed: filters[rng.IntN(2)*3], Topics: []string{"room", "hall"}},
				Filter:  filters[rng.IntN(len(filters))], Topics: topics(), After: cursors[rng.IntN(len(cursors))],
			})
			if err != nil {
				continue // just revoked
			}
			open = append(open, &stream{s, map[uuid.UUID]bool{}})
			byID[s.id] = open[len(open)-1]
		case n < 16:
			take(open[rng.IntN(len(open))])
		case n == 16:
			must(0, open[rng.IntN(len(open))].s.SetFilter(filters[rng.IntN(len(filters))]))
		case n == 17:
			must(0, open[rng.IntN(len(open))].s.SetTopics(ctx, topics()...))
		case n == 18:
			i := rng.IntN(len(open))
			s := open[i]
			if rng.IntN(2) == 0 {
				must(h.RevokeSession(ctx, alice, s.s.session.ID))
				take(s)
			}
			s.s.Close()
			open = slices.Delete(open, i, i+1)
		}
	}
	for _, e := range published {
		x, err := h.Explain(ctx, alice, e.ID())
		if err == ErrUnknownEvent && (!own[e.ID()] || e.Info().Latest) {
			continue
		}
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for _, one := range x.Streams {
			switch {
			case one.Verdict == VerdictUnknown, one.Verdict == VerdictSuperseded:
				continue // nothing is claimed
			case one.Inferred && (!own[e.ID()] || e.Info().Latest):
				continue // that assumes that it was for alice, and evicted
			}
			if took := byID[one.ID].got[e.ID()]; took != (one.Verdict == VerdictDelivered) {
				t.Errorf("seed %d: stream %d: %s (inferred: %t), and it took the event: %t\n%+v", seed, one.ID, one.Verdict, one.Inferred, took, one.StreamStatus)
			}
		}
	}
	for _, s := range open {
		s.s.Close()
	}
}

// BenchmarkExplain is with 10,000 open streams of others and 10,000 that have
// ended, of an event that is retained and of one that was evicted.
func BenchmarkExplain(b *testing.B) {
	h := New(&kinds, &Options{UserEvents: 1000})
	open := func(user uuid.UUID) *Subscription {
		return must(h.Subscribe(Request{Session: Session{User: user, Allowed: Everything()}, Filter: Everything()}))
	}
	evicted := must(note.New(alice, ""))
	open(alice)
	for range 10_000 {
		open(uuid.New()).Close()
		open(uuid.New())
	}
	must(0, h.Publish(b.Context(), evicted))
	for range 1000 {
		must(0, h.Publish(b.Context(), must(note.New(alice, ""))))
	}
	retained := h.Retained(User(alice))[500].Event
	for name, e := range map[string]*event.Event{"retained": retained, "evicted": evicted} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				must(h.Explain(b.Context(), alice, e.ID()))
			}
		})
	}
	b.Run("Retained", func(b *testing.B) {
		for b.Loop() {
			h.Retained(User(alice))
		}
	})
}
