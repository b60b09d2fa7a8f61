package transport_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/internal/memnet"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/fixture"
)

// crewed are the transports whose streams a crew writes.
var (
	crewed        = []string{"sse lean over the reactor", "ws over the reactor"}
	crewedSockets = []string{"ws over the reactor"} // which have frames and pongs
)

// A member is a client of a crew's stream, with a user of its own.
type member struct {
	user uuid.UUID
	name string
	conn *memnet.Conn
	mu   sync.Mutex
	got  []byte   // since the last check
	want []string // since the last check
	sent int
}

// read reads until the connection ends.
func (m *member) read() {
	buf := make([]byte, 4<<10)
	for {
		n, err := m.conn.Read(buf)
		m.mu.Lock()
		m.got = append(m.got, buf[:n]...)
		m.mu.Unlock()
		if err != nil {
			return
		}
	}
}

var crewText = regexp.MustCompile(`(m\d+ \d+ )x*\.`)

// check checks that all that was published to m since the last check has come, once
// and in order, and nothing else.
func (m *member) check(t *testing.T) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	all := crewText.FindAllString(string(m.got), -1)
	for i := range max(len(all), len(m.want)) {
		if i >= len(all) || i >= len(m.want) || all[i] != m.want[i] {
			t.Fatalf("%s got %d texts of %d; number %d is wrong", m.name, len(all), len(m.want), i)
		}
	}
	m.got, m.want = nil, nil
}

// crewBubble runs a test over each of some transports, with members that do not read
// yet. If o observes gaps, the first member has one at the beginning.
func crewBubble(t *testing.T, names []string, n int, o *hub.Options, test func(t *testing.T, f *fixture.Fixture, all []*member, publish func(m *member, size int))) {
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ho hub.Options
				if o != nil {
					ho = *o
				}
				f := fixture.New(t, &ho)
				f.Authenticate(func(r *http.Request) (hub.Session, error) {
					user, err := uuid.Parse(r.Header.Get("X-User"))
					return hub.Session{User: user, Allowed: hub.Everything()}, err
				})
				server := memnet.Serve(t, handlers[name](f.Hub, f.Auth, &transport.Options{Logger: f.Logger(), Heartbeat: time.Hour}))
				all := make([]*member, n)
				for i := range all {
					m := &member{user: uuid.New(), name: fmt.Sprint("m", i), conn: server.Dial()}
					r := fixture.Request("/", "X-User", m.user.String())
					if i == 0 && ho.Observer != nil && ho.Observer.Gap != nil {
						r.Header.Set("Last-Event-ID", "unknown")
					}
					if strings.HasPrefix(name, "ws") {
						fixture.Upgrade(r)
					}
					fixture.Send(t, m.conn, r)
					all[i] = m
				}
				synctest.Wait()
				test(t, f, all, func(m *member, size int) {
					text := fmt.Sprintf("%s %d %s.", m.name, m.sent, strings.Repeat("x", size))
					m.sent++
					m.want = append(m.want, text)
					f.PublishTo(hub.User(m.user), text)
				})
			})
		})
	}
}

// Streams of many users get what is theirs, in order. Those that read get it at once,
// whatever others do. Those that do not read get it when they do, or end as slow.
func TestCrewIsolatesStreams(t *testing.T) {
	const never, late = 3, 5 // of ten
	crewBubble(t, crewed, 100, nil, func(t *testing.T, f *fixture.Fixture, all []*member, publish func(*member, int)) {
		reads := func(i int) bool { return i%10 != never && i%10 != late }
		for i, m := range all {
			if reads(i) {
				go m.read()
			}
		}
		for _, sizes := range [][]int{{1}, {10, 3000, 7, 20_000, 5, 9000, 9000}, {40_000}, {100, 100, 100, 17_000}} {
			for _, size := range sizes {
				for _, m := range all {
					publish(m, size)
				}
			}
			synctest.Wait() // the clock stands still
			for i, m := range all {
				if reads(i) {
					m.check(t)
				}
			}
		}
		time.Sleep(time.Second)
		for i, m := range all {
			if i%10 == late {
				go m.read()
			}
		}
		synctest.Wait()
		for i, m := range all {
			if i%10 == late {
				m.check(t)
			}
		}
		time.Sleep(time.Hour)
		if slow := f.Ended(hub.ReasonSlow); slow != len(all)/10 {
			t.Errorf("%d ended as slow: %v", slow, f.Hub.Stats().Ended)
		}
	})
}

// A blocking observer does not return from some calls of Written, until release is
// closed.
type blocking struct {
	left    atomic.Int64 // calls that it will block
	release chan bool
}

func (b *blocking) options() *hub.Options {
	return &hub.Options{Observer: &hub.Observer{Written: func(hub.Write) {
		if b.left.Add(-1) >= 0 {
			<-b.release
		}
	}}}
}

// block makes it block so many calls from here on.
func (b *blocking) block(calls int) {
	b.release = make(chan bool)
	b.left.Store(int64(calls))
}

// An observer that does not return holds up the streams of its group only, and those
// until it returns.
func TestCrewWorksAroundABlockedObserver(t *testing.T) {
	workers := runtime.GOMAXPROCS(0)
	b := new(blocking)
	crewBubble(t, crewed, workers+70, b.options(), func(t *testing.T, f *fixture.Fixture, all []*member, publish func(*member, int)) {
		b.block(workers)
		for _, m := range all {
			go m.read()
		}
		for _, m := range all[:workers] { // each in a group of its own
			publish(m, 1)
			synctest.Wait()
		}
		if b.left.Load() != 0 {
			t.Fatal("the observer is not blocked by all workers")
		}
		for range 3 {
			for _, m := range all {
				publish(m, 100)
			}
			time.Sleep(100 * time.Millisecond)
			for _, m := range all[workers:] {
				m.check(t)
			}
		}
		close(b.release)
		synctest.Wait()
		for _, m := range all {
			m.check(t)
		}
		b.block(0)
	})
}

// While an observer blocks a group, the writers of its WebSockets do not wait: a ping
// gets its pong.
func TestCrewHoldsNoConnectionDuringAnObserver(t *testing.T) {
	workers := runtime.GOMAXPROCS(0)
	b := new(blocking)
	crewBubble(t, crewedSockets, workers+2, b.options(), func(t *testing.T, f *fixture.Fixture, all []*member, publish func(*member, int)) {
		b.block(workers + 1)
		defer close(b.release)
		for _, m := range all {
			go m.read()
		}
		for _, m := range all[:workers] {
			publish(m, 1)
			synctest.Wait()
		}
		publish(all[workers], 1)
		publish(all[workers+1], 1)
		time.Sleep(100 * time.Millisecond) // both are a group now, and the first of them blocks it
		if b.left.Load() != 0 {
			t.Fatal("the group is not blocked")
		}
		last := all[workers+1]
		last.check(t)
		last.conn.Write(fixture.ClientFrame(0x89, "are you there?"))
		synctest.Wait()
		last.mu.Lock()
		defer last.mu.Unlock()
		if !strings.Contains(string(last.got), "are you there?") {
			t.Error("no pong has come")
		}
	})
}

// An observer that panics, or ends its goroutine, stops no stream.
func TestCrewOutlivesAnObserver(t *testing.T) {
	for how, fail := range map[string]func(){"panic": func() { panic("a bug in Written") }, "Goexit": runtime.Goexit} {
		t.Run(how, func(t *testing.T) {
			var calls atomic.Int64
			o := &hub.Options{Observer: &hub.Observer{Written: func(hub.Write) {
				if calls.Add(1)%3 == 0 {
					fail()
				}
			}}}
			crewBubble(t, crewed, 150, o, func(t *testing.T, f *fixture.Fixture, all []*member, publish func(*member, int)) {
				for _, m := range all {
					go m.read()
				}
				for range 20 {
					for _, m := range all {
						publish(m, 10)
						publish(m, 20)
					}
					synctest.Wait()
					for _, m := range all {
						m.check(t)
					}
				}
				for reason, n := range f.Hub.Stats().Ended {
					if n > 0 {
						t.Errorf("%d ended as %s", n, reason)
					}
				}
			})
		})
	}
}

// An observer that ends its goroutine while a batch is taken ends that stream, since
// the batch is lost, and no other.
func TestCrewOutlivesGoexitInGap(t *testing.T) {
	o := &hub.Options{Observer: &hub.Observer{Gap: func(hub.Gap) { runtime.Goexit() }}}
	crewBubble(t, crewed, 40, o, func(t *testing.T, f *fixture.Fixture, all []*member, publish func(*member, int)) {
		for _, m := range all {
			go m.read()
		}
		for range 3 {
			for _, m := range all[1:] {
				publish(m, 10)
			}
			synctest.Wait()
			for _, m := range all[1:] {
				m.check(t)
			}
		}
		if gone := f.Ended(hub.ReasonGone); gone != 1 {
			t.Errorf("%d streams are gone, want that of the gap", gone)
		}
	})
}

// Pongs are written while the crew writes, to clients that read slowly. Each frame is
// whole.
func TestCrewFramesDoNotInterleave(t *testing.T) {
	const pings, events = 30, 60 // more pings would be too many
	crewBubble(t, crewedSockets, 20, nil, func(t *testing.T, f *fixture.Fixture, all []*member, publish func(*member, int)) {
		var readers sync.WaitGroup
		for _, m := range all {
			publish(m, memnet.Capacity-m.conn.Unread()-1500)
		}
		synctest.Wait()
		for _, m := range all {
			go func() {
				for i := range pings {
					if _, err := m.conn.Write(fixture.ClientFrame(0x89, ping(i))); err != nil {
						return
					}
				}
			}()
		}
		synctest.Wait() // some pong waits for room, and the stream sleeps
		for _, m := range all {
			if room := memnet.Capacity - m.conn.Unread(); room != 0 {
				t.Fatalf("there is room for %d bytes", room)
			}
			publish(m, 10)
		}
		synctest.Wait()
		for _, m := range all {
			r := bufio.NewReader(&memnet.Slow{Conn: m.conn, Pause: time.Millisecond, Bytes: 300})
			readers.Go(func() {
				if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
					t.Errorf("%v, %v", resp, err)
					return
				}
				for pongs, texts := 0, 0; pongs < pings || texts < events; {
					first, payload, err := serverFrame(r)
					switch {
					case err != nil:
						t.Errorf("%s: no frame after %d pongs and %d texts: %v", m.name, pongs, texts, err)
						m.conn.Close()
						return
					case first == 0x8A && string(payload) == ping(pongs):
						pongs++
					case first == 0x81 && json.Valid(payload):
						texts += len(crewText.FindAll(payload, -1))
					default:
						t.Errorf("%s: some other frame after %d pongs and %d texts: %x %.40q", m.name, pongs, texts, first, payload)
						m.conn.Close()
						return
					}
				}
			})
		}
		for i := range events {
			for _, m := range all {
				publish(m, i*i)
			}
			time.Sleep(time.Millisecond)
		}
		readers.Wait()
	})
}

func ping(i int) string { return fmt.Sprint("ping ", i, strings.Repeat(" ", 100)) }

// serverFrame reads a frame of a server: one byte, and the payload.
func serverFrame(r *bufio.Reader) (first byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := uint64(head[1])
	if n >= 126 {
		if n > 127 {
			return 0, nil, errors.New("a mask")
		}
		long := make([]byte, 2+6*(n-126))
		if _, err := io.ReadFull(r, long); err != nil {
			return 0, nil, err
		}
		n = 0
		for _, b := range long {
			n = n<<8 | uint64(b)
		}
	}
	if n > 1<<20 {
		return 0, nil, errors.New("a length without sense")
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(r, payload)
	return head[0], payload, err
}

// A stream for which something is published whenever something has been written does
// not starve the others.
func TestCrewStarvesNobody(t *testing.T) {
	const enough = 10_000
	workers := runtime.GOMAXPROCS(0)
	var more atomic.Bool
	var f0 *fixture.Fixture
	var greedy []*member
	var active atomic.Int64 // of the greedy
	var writes atomic.Int64
	o := &hub.Options{UserEvents: 10, Observer: &hub.Observer{Written: func(hub.Write) {
		if writes.Add(1); more.Load() && writes.Load() < enough {
			for _, m := range greedy[:active.Load()] {
				for m.conn.Unread() > memnet.Capacity/2 {
					runtime.Gosched() // or the crew would give it away
				}
				f0.PublishTo(hub.User(m.user), "more")
			}
		}
	}}}
	// Which worker has which stream is left to chance.
	for range 15 {
		crewBubble(t, crewed, workers+70, o, func(t *testing.T, f *fixture.Fixture, all []*member, publish func(*member, int)) {
			f0, greedy = f, all[:workers]
			writes.Store(0)
			active.Store(0)
			for _, m := range all {
				go m.read()
			}
			more.Store(true)
			for i, m := range greedy { // each is given to a worker of its own
				before := writes.Load()
				active.Store(int64(i))
				publish(m, 1)
				for got := false; !got; runtime.Gosched() {
					m.mu.Lock()
					got = crewText.Match(m.got)
					m.mu.Unlock()
				}
				active.Store(int64(i) + 1)
				for writes.Load() < before+10 {
					if m.conn.Unread() == 0 {
						f.PublishTo(hub.User(m.user), "more")
					}
					runtime.Gosched()
				}
			}
			for _, m := range all[workers:] {
				publish(m, 10)
			}
			for done := false; !done && writes.Load() < enough; runtime.Gosched() {
				done = true
				for _, m := range all[workers:] {
					m.mu.Lock()
					done = done && crewText.Match(m.got)
					m.mu.Unlock()
				}
			}
			more.Store(false)
			t.Logf("after %d writes", writes.Load())
			synctest.Wait()
			if writes.Load() >= enough {
				t.Error("the others got nothing while some always have more")
			}
			for _, m := range all[workers:] {
				m.check(t)
			}
		})
	}
}
