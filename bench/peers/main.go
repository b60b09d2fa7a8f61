// Command peers measures Crier and what people use in its place, side by side on one machine: what an event costs to
// encode, to hand to sleeping readers, to send over Server-Sent Events and WebSocket, what arrives of a burst, and
// what an idle connection holds in memory. Run it with -h for its flags.
//
// It starts itself again in two roles for each measurement: the server, one peer in a process of its own, and one
// cheap client that is the same for all. It needs Linux.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/crier-go/crier/bench/internal/child"
)

// The roles in which this program starts itself again.
const (
	roleServer = "server"
	roleClient = "client"
)

var roles = map[string]child.Role{roleServer: serverRole, roleClient: clientRole}

func main() {
	child.Main(roles)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("peers", flag.ContinueOnError)
	fs.SetOutput(stderr)
	rounds := fs.Int("rounds", 3, "how often each measurement is made; `n`")
	seconds := fs.Float64("seconds", 2, "how long each measured stretch lasts")
	only := fs.String("scenarios", "", "comma-separated `names` of scenarios, or their beginnings; all by default")
	who := fs.String("peers", "", "comma-separated `names` of peers; all by default. Floors take part anyway")
	svg := fs.String("svg", "", "write the picture to this `file`")
	into := fs.String("into", "", "write the report into the section \"peers\" of this Markdown `file`, in place of "+
		"printing it, and the picture, unless -svg says otherwise, to bench/peers.svg beside it; for whole runs only")
	profiles := fs.String("profiles", "", "write the servers' CPU profiles, and heap profiles of idle connections, to this "+
		"`directory`: scenario-peer.pprof, for go tool pprof")
	fs.Usage = func() {
		fmt.Fprintf(stderr, "peers measures Crier beside its peers. It writes Markdown to standard output and progress "+
			"to standard error.\nWith its defaults it runs for about a quarter of an hour and wants a quiet machine "+
			"with 8 GB of free memory;\n-rounds 1 -seconds 1 gives a first impression in a third of that.\n\n")
		fs.PrintDefaults()
		fmt.Fprintf(stderr, "\nscenarios: %s\npeers: %s\n",
			strings.Join(scenarioNames(), " "), strings.Join(peerNames(), " "))
	}
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("%q is not a flag", fs.Arg(0))
	}
	if *rounds < 1 || !(*seconds > 0) {
		return errors.New("-rounds and -seconds must be positive")
	}
	c := &campaign{rounds: *rounds, length: time.Duration(*seconds * float64(time.Second)), progress: stderr}
	if *profiles != "" {
		var err error
		if c.profiles, err = filepath.Abs(*profiles); err != nil {
			return err
		}
		if err := os.MkdirAll(c.profiles, 0o777); err != nil {
			return err
		}
	}
	if err := c.choose(*only, *who); err != nil {
		return err
	}
	to, err := c.destination(*into, *svg)
	if err != nil {
		return err
	}
	rep := &report{env: describe(c)}
	rep.results = c.run(ctx)
	var failed error
	if n := failures(rep.results); n > 0 {
		failed = fmt.Errorf("%d measurements failed; the report says which", n)
	}
	if ctx.Err() != nil {
		failed = errors.New("interrupted; the report has what was measured by then")
	}
	return to.write(rep, failed, stdout, stderr)
}

func failures(results []result) (n int) {
	for _, r := range results {
		for _, o := range r.outcomes {
			if o.err != nil {
				n++
			}
		}
	}
	return n
}

// choose narrows the campaign to what the flags name.
func (c *campaign) choose(only, who string) error {
	c.scenarios, c.peers = scenarios, peers
	if only != "" {
		c.scenarios = nil
		for name := range strings.SplitSeq(only, ",") {
			found := false
			for _, s := range scenarios {
				if !strings.HasPrefix(s.name, name) {
					continue
				}
				found = true
				if !slices.ContainsFunc(c.scenarios, func(x scenario) bool { return x.name == s.name }) {
					c.scenarios = append(c.scenarios, s)
				}
			}
			if !found {
				_, err := findScenario(name)
				return err
			}
		}
	}
	if who != "" {
		c.peers = nil
		names := strings.Split(who, ",")
		for _, name := range names {
			if _, err := findPeer(name); err != nil {
				return err
			}
		}
		for _, p := range peers {
			if p.kind == floor || slices.Contains(names, p.name) {
				c.peers = append(c.peers, p)
			}
		}
	}
	return nil
}
