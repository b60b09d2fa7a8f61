package peers

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/crier-go/crier/bench/internal/child"
	"github.com/crier-go/crier/bench/load/internal/peer"
	"github.com/crier-go/crier/bench/load/internal/report"
	"github.com/crier-go/crier/bench/load/internal/rig"
)

// A campaign is one run of the comparison.
type campaign struct {
	scenarios []scenario
	peers     []peer.Peer
	rounds    int
	length    time.Duration // of each measurement
	profiles  string        // a directory for profiles of the servers; empty for none
	progress  io.Writer
	began     time.Time
	results   []result
}

// runReport measures and reports as the arguments say.
func runReport(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c := &campaign{progress: stderr, began: time.Now()}
	to, err := c.parse(args, stderr)
	if err != nil {
		return err
	}
	failed := c.run(ctx)
	return to.Write(c.markdown, c.chart(), failed, stdout, stderr)
}

func (c *campaign) parse(args []string, stderr io.Writer) (to report.Destination, err error) {
	to.Name = "peers"
	fs := flag.NewFlagSet("peers", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.IntVar(&c.rounds, "rounds", 3, "how often each measurement is made; `n`")
	seconds := fs.Float64("seconds", 2, "how long each measurement lasts")
	only := fs.String("scenarios", "", "comma-separated `names` of scenarios, or their beginnings; all by default")
	who := fs.String("peers", strings.Join(names(), ","), "comma-separated `names` of peers. Floors always take part")
	fs.StringVar(&c.profiles, "profiles", "", "write the servers' CPU profiles, and heap profiles of idle connections, to this "+
		"`directory`: scenario-peer.pprof, for go tool pprof")
	rig.ProcsFlag(fs)
	to.Flags(fs)
	fs.Usage = func() {
		fmt.Fprint(stderr, "peers measures Crier beside its peers. It takes a quarter of an hour and wants a quiet machine with "+
			"8 GB of free memory;\n-rounds 1 -seconds 1 gives a first impression in a third of that.\n\n")
		fs.PrintDefaults()
		fmt.Fprintf(stderr, "\nscenarios: %s\n", strings.Join(scenarioNames(), " "))
	}
	if err := fs.Parse(args); err != nil {
		return to, err
	}
	if fs.NArg() > 0 {
		return to, fmt.Errorf("%q is not a flag", fs.Arg(0))
	}
	if c.rounds < 1 || !(*seconds > 0) {
		return to, errors.New("-rounds and -seconds must be positive")
	}
	c.length = time.Duration(*seconds * float64(time.Second))
	for prefix := range strings.SplitSeq(*only, ",") {
		found := false
		for _, s := range scenarios {
			if !strings.HasPrefix(s.name, prefix) {
				continue
			}
			found = true
			if !slices.ContainsFunc(c.scenarios, func(x scenario) bool { return x.name == s.name }) {
				c.scenarios = append(c.scenarios, s)
			}
		}
		if !found {
			_, err := findScenario(prefix)
			return to, err
		}
	}
	names := strings.Split(*who, ",")
	for _, name := range names {
		if _, err := find(name); err != nil {
			return to, err
		}
	}
	for _, p := range all {
		if p.Kind == peer.Floor || slices.Contains(names, p.Name) {
			c.peers = append(c.peers, p)
		}
	}
	if c.profiles != "" {
		if err := os.MkdirAll(c.profiles, 0o777); err != nil {
			return to, err
		}
	}
	return to, to.Check(len(c.scenarios) == len(scenarios) && len(c.peers) == len(all))
}

// run measures until all is measured or the context ends. The error says that measurements have failed.
func (c *campaign) run(ctx context.Context) error {
	failures := 0
	for i, s := range c.scenarios {
		r := result{scenario: s}
		for _, p := range c.peers {
			if s.includes(&p) {
				r.outcomes = append(r.outcomes, outcome{peer: p})
			}
		}
		fmt.Fprintf(c.progress, "[%d/%d, %s] %s\n", i+1, len(c.scenarios), time.Since(c.began).Round(time.Second), s.title)
		rounds := c.rounds
		if s.size >= 1_000_000 { // setting it up takes too long for more
			rounds = 1
		}
		for round := range rounds {
			for j := range r.outcomes {
				if round%2 == 1 { // the opposite order, so that a drift favours nobody
					j = len(r.outcomes) - 1 - j
				}
				c.measure(ctx, &s, &r.outcomes[j], round)
				if ctx.Err() != nil {
					c.results = append(c.results, r)
					return errors.New("interrupted; the report has what was measured by then")
				}
			}
		}
		for _, o := range r.outcomes {
			if o.err != nil {
				failures++
			}
		}
		c.results = append(c.results, r)
	}
	if failures > 0 {
		return fmt.Errorf("%d measurements failed; the report says which", failures)
	}
	return nil
}

// measure makes one measurement of a peer, unless an earlier one has failed.
func (c *campaign) measure(ctx context.Context, s *scenario, o *outcome, round int) {
	if o.err != nil {
		return
	}
	m, err := c.once(ctx, s, &o.peer)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		o.err = err
		fmt.Fprintf(c.progress, "  round %d  %-28s failed: %v\n", round+1, o.peer.Title, err)
	default:
		o.samples = append(o.samples, m)
		fmt.Fprintf(c.progress, "  round %d  %-28s %12s %s  %s\n", round+1, o.peer.Title, report.Number(m.Value), s.unit, remarks([]Sample{m}))
	}
}

// once makes one measurement in new processes.
func (c *campaign) once(ctx context.Context, s *scenario, p *peer.Peer) (m Sample, err error) {
	const longest = 3 * time.Minute
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	server, err := child.Start(ctx, roleServer)
	if err != nil {
		return m, err
	}
	defer server.Stop()
	profile := ""
	if c.profiles != "" { // of several rounds the last one's stays
		profile = filepath.Join(c.profiles, s.name+"-"+p.Name+".pprof")
	}
	err = server.Call(longest, "Measure", Job{p.Name, s.name, s.size, c.length, profile}, &m)
	return m, err
}
