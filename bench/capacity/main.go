// Command capacity finds out how many users this machine holds. It serves
// clients of its own over loopback, over Server-Sent Events (with the defaults,
// and lean) and WebSocket, and adds clients, and then events, until an event
// takes longer than 100 ms to reach 99 of 100 clients, or 80 % of the
// processors are busy. Run it with -h for its flags.
//
// What it leaves out: real networks and clients, TLS, whatever the application
// does beside, and what sets a machine's limits outside of the program, such as
// a proxy in front. Its clients take processor time from the server, so a
// server that has the machine to itself holds more.
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
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/crier-go/crier/bench/internal/child"
	"github.com/crier-go/crier/bench/internal/machine"
	"github.com/crier-go/crier/bench/internal/rig"
	"github.com/crier-go/crier/bench/internal/swarm"
)

func main() {
	child.Main(map[string]child.Role{rig.RoleName: rig.Role, swarm.RoleName: swarm.Role})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "capacity:", err)
		stop()
		os.Exit(1)
	}
}

// wantFiles is how many open files are asked for: one for each client.
const wantFiles = 1 << 17

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, to, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if c.files, err = machine.RaiseFiles(wantFiles); err != nil {
		return err
	}
	c.progress = stderr
	// Whatever hangs is cut off: every wait within has its own limit, and this
	// is above them all.
	ctx, cancel := context.WithTimeout(ctx, c.budget+time.Minute)
	defer cancel()

	began := time.Now()
	others := watchOthers()
	results := c.run(ctx)
	rep := report{
		campaign: c, results: results, machine: machine.Describe(), when: began,
		took: time.Since(began), others: others(),
	}
	var failed error
	for _, r := range slices.Backward(results) { // the first of them is told
		if r.Err != nil {
			failed = fmt.Errorf("%s: %w", title(r.Transport), r.Err)
		}
	}
	if ctx.Err() != nil {
		failed = errors.New("interrupted; what was known by then is above")
	}
	return to.write(&rep, failed, stdout, stderr)
}

// parse reads the flags.
func parse(args []string, stderr io.Writer) (c *campaign, to destination, err error) {
	fs := flag.NewFlagSet("capacity", flag.ContinueOnError)
	fs.SetOutput(stderr)
	c = &campaign{}
	fs.DurationVar(&c.budget, "for", 3*time.Minute, "how long it may take in all")
	fs.IntVar(&c.tabs, "tabs", 2, "streams that each user has open; `n`")
	fs.Float64Var(&c.rate, "rate", 1, "events a second that each user is sent while clients are added")
	fs.IntVar(&c.size, "size", 200, "`bytes` of an event's data")
	fs.StringVar(&to.picture, "svg", filepath.Join("out", "capacity.svg"), "write the picture to this `file`; empty for none")
	fs.StringVar(&to.doc.File, "into", "", "write the report into the section \"capacity\" of this Markdown `file` too, and the picture, "+
		"unless -svg says otherwise, to bench/capacity.svg beside it; for all transports only")
	which := fs.String("transports", strings.Join(rig.Transports, ","), "comma-separated `names`")
	fs.Usage = func() {
		fmt.Fprintln(stderr, "capacity finds out how many users this machine holds, over loopback. It wants a machine that has nothing else to do.")
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return nil, to, err
	}
	for name := range strings.SplitSeq(*which, ",") {
		if !slices.Contains(rig.Transports, name) {
			return nil, to, fmt.Errorf("there is no transport %q; there are %s", name, strings.Join(rig.Transports, ", "))
		}
		c.transports = append(c.transports, name)
	}
	const shortest = 5 * time.Second
	switch {
	case fs.NArg() > 0:
		return nil, to, fmt.Errorf("%q is not a flag", fs.Arg(0))
	case c.budget < shortest*time.Duration(len(c.transports)):
		return nil, to, fmt.Errorf("-for must be at least %v for each transport", shortest)
	case c.tabs < 1 || c.tabs > 1000:
		return nil, to, errors.New("-tabs must be 1 to 1000")
	case !(c.rate > 0 && c.rate <= 1000):
		return nil, to, errors.New("-rate must be above 0, and at most 1000")
	case c.size < 40 || c.size > 100_000:
		return nil, to, errors.New("-size must be 40 to 100000")
	}
	err = to.settle(fs, !slices.ContainsFunc(rig.Transports, func(name string) bool { return !slices.Contains(c.transports, name) }))
	return c, to, err
}

// watchOthers begins to watch what else the machine does. The function that it
// returns tells which part of the processors, 0 to 1, other programs used;
// negative if that is not known. By then all children must have ended.
func watchOthers() func() float64 {
	ours := func() time.Duration { return machine.CPU() + machine.ChildrenCPU() }
	began, spent := time.Now(), ours()
	before, err := machine.Busy()
	return func() float64 {
		after, err2 := machine.Busy()
		if err != nil || err2 != nil {
			return -1
		}
		others := after - before - (ours() - spent)
		return max(0, others.Seconds()/time.Since(began).Seconds()/float64(runtime.NumCPU()))
	}
}
