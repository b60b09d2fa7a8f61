package peers

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	gosse "github.com/tmaxmax/go-sse"

	"github.com/crier-go/crier/bench/internal/child"
	"github.com/crier-go/crier/bench/internal/machine"
	"github.com/crier-go/crier/bench/internal/storm"
	"github.com/crier-go/crier/bench/internal/swarm"
)

// roleStorm is the role of the process with the clients of a storm.
const roleStorm = "storm"

// A stormProcess has the clients of a storm.
type stormProcess struct{ clients storm.Clients }

func (s *stormProcess) Run(p storm.Plan, r *storm.Result) (err error) {
	*r, err = s.clients.Run(p)
	return err
}

// BenchmarkStorm is the storm of bench.BenchmarkStorm against go-sse's Server with the replayer that it has for a number
// of events, large enough for all that clients have missed: five events each. Its replayer walks through all events for
// each client that resumes, so the number of clients is a part of what a reconnect costs.
func BenchmarkStorm(b *testing.B) {
	for _, clients := range []int{1_000, 10_000} {
		b.Run("peer=go-sse/clients="+strconv.Itoa(clients), func(b *testing.B) {
			const missed = 5
			replayer, err := gosse.NewFiniteReplayer(missed*clients+1, false)
			if err != nil {
				b.Fatal(err)
			}
			srv := &gosse.Server{
				Provider: &gosse.Joe{Replayer: replayer},
				OnSession: func(w http.ResponseWriter, r *http.Request) ([]string, bool) {
					w.Header().Set("Content-Type", "text/event-stream")
					return []string{r.URL.Path[1:]}, http.NewResponseController(w).Flush() == nil
				},
			}
			publish := func(id, data, topic string) {
				m := &gosse.Message{ID: gosse.ID(id), Type: gosse.Type("portfolio.marked")}
				m.AppendData(data)
				if err := srv.Publish(m, topic); err != nil {
					b.Fatal(err)
				}
			}
			publish("seen", "{}", "nobody")
			for number := range missed {
				data := fmt.Sprintf(`{"number":"%s%d","fill":"%s"}`, swarm.Mark, number+1, strings.Repeat("x", 120))
				for user := range clients {
					publish(fmt.Sprintf("%d-%d", number, user), data, strconv.Itoa(user))
				}
			}
			l, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			server := &http.Server{Handler: srv}
			go server.Serve(l) //nolint:errcheck // ends with Close
			b.Cleanup(func() {
				server.Close()
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				_ = srv.Shutdown(ctx)
			})
			for b.Loop() {
				c, err := child.Start(b.Context(), roleStorm)
				if err != nil {
					b.Fatal(err)
				}
				began := machine.CPU()
				var r storm.Result
				err = c.Call(3*time.Minute, "Run", storm.Plan{
					Addr:    l.Addr().String(),
					Request: strings.Replace(swarm.Request("/{user}", false), "\r\n", "\r\nLast-Event-ID: seen\r\n", 1),
					Clients: clients, AtOnce: 256, Missed: missed, Timeout: time.Minute,
				}, &r)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64((machine.CPU()-began).Microseconds())/float64(clients), "cpu-us/reconnect")
				b.ReportMetric(float64(clients)/r.Elapsed.Seconds(), "reconnects/s")
				b.ReportMetric(float64(r.P50.Microseconds())/1e3, "p50-ms")
				b.ReportMetric(float64(r.P99.Microseconds())/1e3, "p99-ms")
				c.Stop()
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}
