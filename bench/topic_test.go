package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/crier-go/crier/bench/internal/reader"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// These benchmarks compare publishing to topics with what costs least otherwise.
// Both ways take turns in one run, round by round, and the ratio of their medians is
// reported: on a machine that others use, too, nothing else can be trusted.

// turns measures two ways of publishing.
type turns struct {
	b      *testing.B
	rounds [2][]time.Duration
}

// measure runs one round of each way, in changing order. A way prepares a round, and
// returns what is measured.
func (t *turns) measure(ways [2]func() func()) {
	first := len(t.rounds[0]) % 2
	for _, i := range [2]int{first, 1 - first} {
		round := ways[i]()
		began := time.Now()
		round()
		t.rounds[i] = append(t.rounds[i], time.Since(began))
	}
}

// report reports the medians for each of n units of a round, and the ratio of the
// first to the second. Spread is how far the quartiles of the second lie apart, as a
// part of its median: how much the machine was disturbed.
func (t *turns) report(n int, unit, first, second string) {
	if len(t.rounds[0]) == 0 {
		return
	}
	for i := range t.rounds {
		slices.Sort(t.rounds[i])
	}
	at := func(i int, quarter int) float64 {
		return float64(t.rounds[i][(len(t.rounds[i])-1)*quarter/4])
	}
	t.b.ReportMetric(at(0, 2)/float64(n), first+"-ns/"+unit)
	t.b.ReportMetric(at(1, 2)/float64(n), second+"-ns/"+unit)
	t.b.ReportMetric(at(0, 2)/at(1, 2), "ratio")
	t.b.ReportMetric((at(1, 3)-at(1, 1))/at(1, 2), "spread")
	t.b.ReportMetric(0, "ns/op")
}

// inTopic opens a stream of a user that follows topics.
func inTopic(tb testing.TB, h *hub.Hub, user int, notify func(), topics ...string) *hub.Subscription {
	tb.Helper()
	session := session(user)
	session.Topics = topics
	s, err := h.Subscribe(hub.Request{Session: session, Filter: hub.Everything(), Topics: topics, Transport: "memory", Notify: notify})
	if err != nil {
		tb.Fatalf("subscribing user %d: %v", user, err)
	}
	return s
}

func publishEvent(tb testing.TB, h *hub.Hub, e *event.Event, to ...hub.Audience) {
	if err := h.PublishTo(context.Background(), e, to...); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkFanoutTopic publishes to a topic that all sleepers of a hub follow, and to
// everyone in a hub whose streams follow no topic.
func BenchmarkFanoutTopic(b *testing.B) {
	for _, readers := range []int{100, 10_000} {
		b.Run("readers="+count(readers), func(b *testing.B) {
			needs(b, 2*uint64(readers)*perReader)
			e := newEvent(b, kinds[0])
			way := func(whom hub.Audience, topics ...string) func() func() {
				h := newHub(b, nil)
				a := &audience{hub: h, tally: reader.NewTally(patience)}
				for i := range readers {
					a.subs = append(a.subs, inTopic(b, h, i, nil, topics...))
				}
				a.listen(b)
				b.Cleanup(func() {
					wantNoGaps(b, h)
					a.close()
				})
				all := 0
				once := func() {
					publishEvent(b, h, e, whom)
					all += readers
					received(b, a.tally, all)
				}
				once() // the first events allocate buffers and grow stacks
				once()
				return func() func() { return once }
			}
			ways := [2]func() func(){way(hub.Topic("room"), "room"), way(hub.Everyone())}
			t := turns{b: b}
			for b.Loop() {
				t.measure(ways)
			}
			t.report(readers, "delivery", "topic", "everyone")
		})
	}
}

// perTopic is about how many bytes a stream without a goroutine takes, and the topic
// that it alone follows.
const perTopic = 4 << 10

// BenchmarkRouteTopic publishes to one of many topics, each with one follower, and
// to one of as many users. Every user follows a topic of its own.
func BenchmarkRouteTopic(b *testing.B) {
	for _, users := range populations {
		b.Run("users="+count(users), func(b *testing.B) {
			needs(b, uint64(users)*perTopic)
			h := newHub(b, nil)
			e := newEvent(b, kinds[0])
			warm := fill(b, h)
			a := notifiedBy(b, h, users, func(i int, notify func()) *hub.Subscription {
				return inTopic(b, h, i, notify, topicName(i))
			})
			defer a.close()
			random := rand.New(rand.NewPCG(1, 2))
			all := a.tally.N()
			var round [roundOf]hub.Audience
			once := func() {
				for _, whom := range round {
					publishEvent(b, h, e, whom)
				}
				all += roundOf
				received(b, a.tally, all)
			}
			// An application has the name of a topic, as it has the id of a user.
			pick := func(whom func(i int) hub.Audience) func() func() {
				return func() func() {
					for i := range round {
						round[i] = whom(random.IntN(users))
					}
					return once
				}
			}
			ways := [2]func() func(){
				pick(func(i int) hub.Audience { return hub.Topic(topicName(i)) }),
				pick(func(i int) hub.Audience { return hub.User(userID(i)) }),
			}
			for all < warm {
				ways[0]()()
				ways[1]()()
			}
			t := turns{b: b}
			for b.Loop() {
				t.measure(ways)
			}
			t.report(roundOf, "delivery", "topic", "user")
			wantNoGaps(b, h)
		})
	}
}

func topicName(i int) string { return fmt.Sprintf("document:%08d", i) }

// BenchmarkRoom publishes to a room of members that sleep: once as to a topic, and
// once as to the list of its members.
func BenchmarkRoom(b *testing.B) {
	const members = 1000
	h := newHub(b, &hub.Options{Bytes: 1 << 30})
	e := newEvent(b, kinds[0])
	a := notifiedBy(b, h, members, func(i int, notify func()) *hub.Subscription {
		return inTopic(b, h, i, notify, "room")
	})
	defer a.close()
	list := make([]hub.Audience, members)
	for i := range list {
		list[i] = hub.User(userID(i))
	}
	all := a.tally.N()
	way := func(whom ...hub.Audience) func() func() {
		once := func() {
			publishEvent(b, h, e, whom...)
			all += members
			received(b, a.tally, all)
		}
		once()
		once()
		return func() func() { return once }
	}
	ways := [2]func() func(){way(hub.Topic("room")), way(list...)}
	t := turns{b: b}
	for b.Loop() {
		t.measure(ways)
	}
	t.report(members, "delivery", "topic", "list")
	wantNoGaps(b, h)
}
