package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// A resumeCase is a log in which last ids are looked up, with the ids that an honest
// client may have and those that a hostile one may choose.
type resumeCase struct {
	name   string
	topics int // that the session may follow, and the stream does not
	// made returns when event i was made, in milliseconds after the beginning.
	made func(i int) int64
}

var resumeCases = []resumeCase{
	{"in-order", 0, func(i int) int64 { return int64(i) }},
	{"same-millisecond", 0, func(int) int64 { return 0 }},
	{"disorder", 0, func(i int) int64 { return int64(i) - int64(i%2)*20_000 }},
	{"topics=100", 100, func(i int) int64 { return int64(i) }},
}

const resumeEvents = 16_384 // the default of Options.BroadcastEvents

// BenchmarkResume measures what it costs to open a stream with a last id and to take
// the first message. who=honest has the id of the oldest event that is retained;
// who=evicted that of an event that was evicted before the client came back;
// who=hostile an id that no event has, with a time at which one was made.
func BenchmarkResume(b *testing.B) {
	for _, c := range resumeCases {
		for _, who := range []string{"honest", "evicted", "hostile"} {
			b.Run("log="+c.name+"/who="+who, func(b *testing.B) {
				r := newResumes(b, &c)
				b.ReportAllocs()
				turn := 0
				for b.Loop() {
					ids := r.ids[who]
					r.open(b, who, ids[turn%len(ids)])
					turn++
				}
			})
		}
	}
}

// The most expensive last id that a hostile client can choose costs at most 1.5
// times what the most expensive one of an honest client does. The cost of an id is
// the least that was measured, since whatever else the machine does only adds. It is
// measured 30 times, and more often while the ratio is too high.
func TestHostileResumeCostsNoMore(t *testing.T) {
	if raceDetector || testing.Short() {
		skip(t, "it measures time, which means nothing under the race detector")
	}
	for _, c := range resumeCases {
		t.Run(c.name, func(t *testing.T) {
			r := newResumes(t, &c)
			worst := map[string]time.Duration{}
			cost := map[uuid.UUID]time.Duration{}
			ratio := 0.0
			for round := 0; round < 300 && (round < 30 || ratio > 1.5); round++ {
				clear(worst)
				for who, ids := range r.ids {
					for _, id := range ids {
						began := time.Now()
						r.open(t, who, id)
						if took := time.Since(began); cost[id] == 0 || took < cost[id] {
							cost[id] = took
						}
						worst[who] = max(worst[who], cost[id])
					}
				}
				ratio = float64(worst["hostile"]) / float64(max(worst["honest"], worst["evicted"]))
			}
			t.Logf("honest %v, evicted %v, hostile %v: %.2f", worst["honest"], worst["evicted"], worst["hostile"], ratio)
			if ratio > 1.5 {
				t.Errorf("a hostile id costs %.2f times what an honest one does", ratio)
			}
		})
	}
}

// resumes opens streams with last ids.
type resumes struct {
	hub     *hub.Hub
	session hub.Session
	ids     map[string][]uuid.UUID // by who
	random  *rand.Rand
	buf     []*hub.Message
}

func newResumes(tb testing.TB, c *resumeCase) *resumes {
	r := &resumes{
		hub:     newHub(tb, &hub.Options{Bytes: 1 << 30, UserBytes: 1 << 27, UserEvents: resumeEvents}),
		session: session(0),
		ids:     map[string][]uuid.UUID{},
		random:  rand.New(rand.NewPCG(1, 2)),
		buf:     make([]*hub.Message, 0, 1024),
	}
	base := time.Now().Add(-time.Minute).UnixMilli()
	id := func(i int) (id uuid.UUID) {
		binary.BigEndian.PutUint64(id[8:], r.random.Uint64())
		binary.BigEndian.PutUint64(id[:8], uint64(base+c.made(i))<<16|r.random.Uint64()&0xffff)
		id[6], id[8] = 0x70|id[6]&0x0f, 0x80|id[8]&0x3f
		return id
	}
	audience := hub.User(userID(0))
	publish := func(to hub.Audience, i int) uuid.UUID {
		e, err := kinds[0].New(userID(0), payload(typical), event.WithID(id(i)))
		if err != nil {
			tb.Fatal(err)
		}
		if err := r.hub.PublishTo(context.Background(), e, to); err != nil {
			tb.Fatal(err)
		}
		return e.ID()
	}
	// The topics go back further than the user's log: an id that was evicted from the
	// log has a time at which the topics have events.
	for n := range c.topics {
		topic := fmt.Sprintf("room:%d", n)
		r.session.Topics = append(r.session.Topics, topic)
		for i := range 200 {
			publish(hub.Topic(topic), (i-100)*resumeEvents/100)
		}
	}
	const extra = 512 // are evicted again
	var all []uuid.UUID
	for i := range resumeEvents + extra {
		all = append(all, publish(audience, i))
	}
	for i := range 64 {
		r.ids["honest"] = append(r.ids["honest"], all[extra+i])
		r.ids["evicted"] = append(r.ids["evicted"], all[i*extra/64])
	}
	for i := extra; i < len(all); i += resumeEvents / 64 {
		r.ids["hostile"] = append(r.ids["hostile"], id(i))
	}
	return r
}

// open opens a stream with a last id, takes its first batch and closes the stream.
func (r *resumes) open(tb testing.TB, who string, last uuid.UUID) {
	s, err := r.hub.Subscribe(hub.Request{
		Session: r.session, Filter: hub.Everything(), After: last.String(), Notify: func() {},
	})
	if err != nil {
		tb.Fatal(err)
	}
	defer s.Close()
	batch, err := s.Take(r.buf)
	if err != nil {
		tb.Fatal(err)
	}
	if gap := len(batch) > 0 && batch[0].Type() == hub.TypeGap; gap == (who == "honest") {
		tb.Fatalf("%s: gap is %v", who, gap)
	}
}
