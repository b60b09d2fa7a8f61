package peers

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/centrifugal/centrifuge"
	gosse "github.com/tmaxmax/go-sse"

	"github.com/crier-go/crier/bench/internal/child"
	"github.com/crier-go/crier/bench/internal/machine"
	"github.com/crier-go/crier/bench/internal/storm"
	"github.com/crier-go/crier/bench/internal/swarm"
	"github.com/crier-go/crier/bench/load/internal/peer"
)

// roleStorm is the role of the process with the clients of a storm.
const roleStorm = "storm"

// A stormProcess has the clients of a storm.
type stormProcess struct{ clients storm.Clients }

func (s *stormProcess) Run(p storm.Plan, r *storm.Result) (err error) {
	*r, err = s.clients.Run(p)
	return err
}

// A stormServer is a peer that holds what clients have missed, in the way that its documentation recommends.
type stormServer struct {
	handler http.Handler
	request string                        // of a client that comes back; "{user}" stands for its number
	hello   string                        // see storm.Plan
	publish func(data, user string) error // to one user
	close   func()
}

// stormServers has the peers from whose memory clients can resume.
var stormServers = []struct {
	name string
	make func(clients int) (*stormServer, error)
}{
	{"go-sse", goSSEStorm},
	{"centrifuge-sse", func(int) (*stormServer, error) { return centrifugeStorm(peer.SSE) }},
	{"centrifuge-ws", func(int) (*stormServer, error) { return centrifugeStorm(peer.WS) }},
}

const stormMissed = 5 // events, by each client of a storm

// goSSEStorm is go-sse's Server with the replayer that it has for a number of events, large enough for all that clients
// have missed. The replayer walks through all events for each client that resumes, so the number of clients is a part of
// what a reconnect costs.
func goSSEStorm(clients int) (*stormServer, error) {
	replayer, err := gosse.NewFiniteReplayer(stormMissed*clients+1, false)
	if err != nil {
		return nil, err
	}
	srv := &gosse.Server{
		Provider: &gosse.Joe{Replayer: replayer},
		OnSession: func(w http.ResponseWriter, r *http.Request) ([]string, bool) {
			w.Header().Set("Content-Type", "text/event-stream")
			return []string{r.URL.Path[1:]}, http.NewResponseController(w).Flush() == nil
		},
	}
	events := 0
	publish := func(data, user string) error {
		m := &gosse.Message{ID: gosse.ID(strconv.Itoa(events)), Type: gosse.Type(peer.EventName)}
		m.AppendData(data)
		events++
		return srv.Publish(m, user)
	}
	return &stormServer{
		handler: srv,
		request: strings.Replace(swarm.Request("/{user}", false), "\r\n", "\r\nLast-Event-ID: 0\r\n", 1),
		publish: publish,
		close: func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_ = srv.Shutdown(ctx) // the process ends soon
		},
	}, publish("{}", "nobody") // event 0, which all clients have seen
}

// centrifugeStorm is centrifuge with a channel for each user, with history in memory and recovery.
func centrifugeStorm(t peer.Transport) (*stormServer, error) {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		return nil, err
	}
	node.OnConnecting(func(_ context.Context, e centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{
			Credentials:   &centrifuge.Credentials{UserID: e.Token},
			Subscriptions: map[string]centrifuge.SubscribeOptions{e.Token: {EnableRecovery: true}},
		}, nil
	})
	if err := node.Run(); err != nil {
		return nil, err
	}
	s := &stormServer{
		publish: func(data, user string) error {
			_, err := node.Publish(user, []byte(data), centrifuge.WithHistory(100, time.Hour))
			return err
		},
		close: func() { _ = node.Shutdown(context.Background()) },
	}
	connect := `{"id":1,"connect":{"token":"{user}","subs":{"{user}":{"recover":true}}}}`
	if t == peer.WS {
		s.handler = centrifuge.NewWebsocketHandler(node, plainCentrifuge.ws)
		s.request, s.hello = swarm.Request("/", true), connect
	} else {
		s.handler = centrifuge.NewSSEHandler(node, centrifuge.SSEConfig{PingPongConfig: withoutPongs})
		query := strings.ReplaceAll(url.QueryEscape(connect), url.QueryEscape("{user}"), "{user}")
		s.request = swarm.Request("/?cf_connect="+query, false)
	}
	return s, nil
}

// BenchmarkStorm is the storm of bench.BenchmarkStorm against peers: each client has missed five events of its own.
func BenchmarkStorm(b *testing.B) {
	for _, s := range stormServers {
		for _, clients := range []int{1_000, 10_000} {
			b.Run("peer="+s.name+"/clients="+strconv.Itoa(clients), func(b *testing.B) {
				s, err := s.make(clients)
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(s.close)
				overStorm(b, s, clients)
			})
		}
	}
}

func overStorm(b *testing.B, s *stormServer, clients int) {
	for number := range stormMissed {
		data := fmt.Sprintf(`{"number":"%s%d","fill":"%s"}`, swarm.Mark, number+1, strings.Repeat("x", 120))
		for user := range clients {
			if err := s.publish(data, strconv.Itoa(user)); err != nil {
				b.Fatal(err)
			}
		}
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: s.handler}
	go server.Serve(l) //nolint:errcheck // ends with Close
	b.Cleanup(func() { server.Close() })
	var all storm.Total
	for b.Loop() {
		c, err := child.Start(b.Context(), roleStorm)
		if err != nil {
			b.Fatal(err)
		}
		began := machine.CPU()
		var r storm.Result
		err = c.Call(3*time.Minute, "Run", storm.Plan{
			Addr: l.Addr().String(), Request: s.request, Hello: s.hello,
			Clients: clients, AtOnce: 256, Missed: stormMissed, Timeout: 20 * time.Second,
		}, &r)
		cpu := machine.CPU() - began
		c.Stop()
		if err != nil {
			b.Fatal(err)
		}
		all.Add(r, cpu)
	}
	all.Report(clients, b.ReportMetric)
}
