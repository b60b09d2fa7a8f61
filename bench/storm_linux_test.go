package bench

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/crier-go/crier/bench/internal/machine"
	"github.com/crier-go/crier/bench/internal/storm"
	"github.com/crier-go/crier/bench/internal/swarm"
	"github.com/crier-go/crier/hub"
)

// BenchmarkStorm measures a reconnect storm: 10,000 clients of as many users come
// back over loopback, 256 at a time, each with an old last id, and receive the five
// events that they missed. after=cursor resumes from a heartbeat's cursor, after=id
// from a broadcast's id, which is looked up in the user's log first.
//
// The clients run in another process, on the same processors. cpu-us/reconnect is
// the server's alone. p50-ms and p99-ms are from dialing to the last event.
//
// One iteration is one storm.
func BenchmarkStorm(b *testing.B) {
	const clients = 10_000
	for _, transport := range transports {
		for _, after := range []string{"cursor", "id"} {
			b.Run("transport="+transport+"/after="+after+"/clients="+count(clients), func(b *testing.B) {
				reconnect(b, transport, after, clients)
			})
		}
	}
}

const missed = 5 // events, by each client of a storm

func reconnect(b *testing.B, transport, after string, clients int) {
	if testing.Short() {
		clients = min(clients, 500)
	}
	files(b, clients)
	srv, err := startServerWith(hub.Options{Bytes: 1 << 30}) // nothing that was missed is evicted
	if err != nil {
		b.Fatal(err)
	}
	defer srv.close()
	seen := newEvent(b, kinds[0])
	broadcast(b, srv.hub, seen)
	last := seen.ID().String()
	if after == "cursor" {
		last = plainCursor(b, srv.hub)
	}
	for number := range missed {
		e, err := markedKind.New(userID(0), marked{swarm.Mark + strconv.Itoa(number+1), strings.Repeat("x", typical-30)})
		if err != nil {
			b.Fatal(err)
		}
		for user := range clients {
			if err := srv.hub.PublishTo(context.Background(), e, hub.User(userID(user))); err != nil {
				b.Fatal(err)
			}
		}
	}
	c := startChild(b, stormRole)
	plan := storm.Plan{
		Addr:    srv.addr,
		Request: strings.Replace(request(transport, "{user}"), "\r\n", "\r\nLast-Event-ID: "+last+"\r\n", 1),
		Clients: clients, AtOnce: 256, Missed: missed, Timeout: 10 * time.Second,
	}
	var all storm.Total
	before := ended(srv.hub)
	for b.Loop() {
		var r storm.Result
		began := machine.CPU()
		if err := c.Call(2*patience, "Run", plan, &r); err != nil {
			b.Fatal(err)
		}
		all.Add(r, machine.CPU()-began)
		wantNoGaps(b, srv.hub)
		if err := c.Call(patience, "Close", nil, nil); err != nil {
			b.Fatal(err)
		}
		await(b, "all streams to end", func() bool { return ended(srv.hub)-before == uint64(all.Storms*clients) })
	}
	all.Report(clients, b.ReportMetric)
}

// plainCursor returns the hub's position as a heartbeat would tell it.
func plainCursor(b *testing.B, h *hub.Hub) string {
	b.Helper()
	s := subscribe(b, h, 0, hub.Everything(), func() {})
	defer s.Close()
	return s.Cursor()
}

// A stormProcess has the clients of a storm, in a process of its own.
type stormProcess struct{ clients storm.Clients }

func (s *stormProcess) Run(p storm.Plan, r *storm.Result) (err error) {
	*r, err = s.clients.Run(p)
	return err
}

func (s *stormProcess) Close(struct{}, *struct{}) error {
	s.clients.Close()
	return nil
}
