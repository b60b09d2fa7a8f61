package peers

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/crier-go/crier/bench/internal/child"
	"github.com/crier-go/crier/bench/load/internal/peer"
	"github.com/crier-go/crier/bench/load/internal/rig"
)

// roleServer is the role of the process with the peer that is measured.
const roleServer = "peer"

// The test binary starts itself again as server and clients. With the argument "report" it runs no tests but a campaign,
// whose flags follow.
func TestMain(m *testing.M) {
	all = append(all, forgetful)
	child.Main(map[string]child.Role{
		roleServer:      func() (any, error) { return Server{}, nil },
		rig.RoleClients: rig.NewClients,
		roleStorm:       func() (any, error) { return &stormProcess{}, nil },
	})
	if flag.Parse(); flag.Arg(0) != "report" {
		// Under the race detector every process sleeps for a second when it ends; the children need not.
		os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
		os.Exit(m.Run())
	}
	all = all[:len(all)-1]
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := runReport(ctx, flag.Args()[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// BenchmarkPeers makes each measurement once, or until -benchtime is over. Crier must lose nothing.
func BenchmarkPeers(b *testing.B) {
	for _, s := range scenarios {
		b.Run(s.name, func(b *testing.B) {
			for _, p := range all {
				if !s.includes(&p) {
					continue
				}
				b.Run(p.Name, func(b *testing.B) {
					c, o := campaign{length: 2 * time.Second}, outcome{peer: p}
					for b.Loop() {
						m, err := c.once(b.Context(), &s, &p)
						if err != nil {
							b.Fatal(err)
						}
						o.samples = append(o.samples, m)
					}
					if lost := remarks(o.samples); lost != "" && p.Kind == peer.Ours {
						b.Error(lost)
					}
					unit := func(s string) string { return strings.ReplaceAll(s, " ", "-") }
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(o.value().median, unit(s.unit))
					if s.extra != "" {
						b.ReportMetric(o.summary(func(m Sample) float64 { return m.Extra }).median, unit(s.extra))
					}
					if s.transport != "" && s.kind != idle {
						b.ReportMetric(o.summary(func(m Sample) float64 { return m.Lost }).median, "lost/delivery")
					}
				})
			}
		})
	}
}
