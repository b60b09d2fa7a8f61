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
	c, picture, err := parse(args, stderr)
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
	if _, err := io.WriteString(stdout, rep.text()); err != nil {
		return err
	}
	if picture != "" {
		if err := write(picture, rep.svg()); err != nil {
			return fmt.Errorf("writing the picture: %w", err)
		}
		fmt.Fprintf(stderr, "the picture is in %s\n", picture)
	}
	if ctx.Err() != nil {
		return errors.New("interrupted; what was known by then is above")
	}
	for _, r := range results {
		if r.Err != nil {
			return fmt.Errorf("%s: %w", title(r.Transport), r.Err)
		}
	}
	return nil
}

// parse reads the flags.
func parse(args []string, stderr io.Writer) (c *campaign, picture string, err error) {
	fs := flag.NewFlagSet("capacity", flag.ContinueOnError)
	fs.SetOutput(stderr)
	c = &campaign{}
	fs.DurationVar(&c.budget, "for", 3*time.Minute, "how long it may take in all")
	fs.IntVar(&c.tabs, "tabs", 2, "streams that each user has open; `n`")
	fs.Float64Var(&c.rate, "rate", 1, "events a second that each user is sent while clients are added")
	fs.IntVar(&c.size, "size", 200, "`bytes` of an event's data")
	fs.StringVar(&picture, "svg", filepath.Join("out", "capacity.svg"), "write the picture to this `file`; empty for none")
	which := fs.String("transports", strings.Join(rig.Transports, ","), "comma-separated `names`")
	fs.Usage = func() {
		fmt.Fprintln(stderr, "capacity finds out how many users this machine holds, over loopback. It wants a machine that has nothing else to do.")
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return nil, "", err
	}
	for name := range strings.SplitSeq(*which, ",") {
		if !slices.Contains(rig.Transports, name) {
			return nil, "", fmt.Errorf("there is no transport %q; there are %s", name, strings.Join(rig.Transports, ", "))
		}
		c.transports = append(c.transports, name)
	}
	const shortest = 5 * time.Second
	switch {
	case fs.NArg() > 0:
		return nil, "", fmt.Errorf("%q is not a flag", fs.Arg(0))
	case c.budget < shortest*time.Duration(len(c.transports)):
		return nil, "", fmt.Errorf("-for must be at least %v for each transport", shortest)
	case c.tabs < 1 || c.tabs > 1000:
		return nil, "", errors.New("-tabs must be 1 to 1000")
	case !(c.rate > 0 && c.rate <= 1000):
		return nil, "", errors.New("-rate must be above 0, and at most 1000")
	case c.size < 40 || c.size > 100_000:
		return nil, "", errors.New("-size must be 40 to 100000")
	}
	return c, picture, nil
}

func write(file string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	return os.WriteFile(file, content, 0o666)
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
