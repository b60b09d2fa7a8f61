// Command capacity finds out how many users this machine holds. It serves clients over loopback, over Server-Sent
// Events (with the defaults, and lean) and WebSocket. It adds clients, and then events, until an event takes longer
// than 100 ms to reach 99 of 100 clients, or 80 % of the processors are busy, or something is lost. It needs Linux.
//
// It leaves out real networks and clients, TLS, the rest of the application, and what limits a machine outside of the
// program, such as a proxy. Its clients take processor time from the server, so a server alone on the machine holds
// more.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
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
	"github.com/crier-go/crier/bench/load/internal/peer"
	"github.com/crier-go/crier/bench/load/internal/report"
	"github.com/crier-go/crier/bench/load/internal/rig"
)

// A transport is one way in which Crier serves.
type transport struct {
	Name, Title string
	service     Service
}

var transports = []transport{
	{"sse", "SSE", Service{Peer: 0, Transport: peer.SSE}},
	{"lean", "SSE, lean", Service{Peer: 1, Transport: peer.SSE}},
	{"ws", "WebSocket", Service{Peer: 0, Transport: peer.WS}},
}

// A campaign is one run, within its bounds.
type campaign struct {
	transports []transport
	tabs       int
	rate       float64 // events a second for each user
	size       int     // bytes of an event's data
	budget     time.Duration
	files      uint64 // that a process may have open
	progress   io.Writer

	began   time.Time
	took    time.Duration
	others  float64 // what other programs used of the processors, 0 to 1
	results []result
}

// A result is what the machine holds over one transport.
type result struct {
	Transport transport
	Idle      float64   // bytes of memory for each idle client
	Clients   []Reading // while clients were added
	Rates     []Reading // while events were added
	Held      *Reading  // the most clients that were held, and then the most events to them; nil: none
	Most      *Reading  // the most events that were held
	Stopped   string    // why the search for Held ended
	Early     bool      // it ended before the machine was full
}

func main() {
	child.Main(map[string]child.Role{
		roleServer:      func() (any, error) { return &Server{}, nil },
		rig.RoleClients: rig.NewClients,
	})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "capacity:", err)
		os.Exit(1)
	}
}

// run measures and reports as the arguments say.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, to, err := parse(args, stderr)
	if err != nil {
		return err
	}
	c.files = machine.Files()
	ctx, cancel := context.WithTimeout(ctx, c.budget+time.Minute) // above the limits of all calls
	defer cancel()
	failed := c.run(ctx)
	err = to.Write(c.markdown, c.chart(), failed, stdout, stderr)
	fmt.Fprintln(stdout, "\n"+c.sentence())
	return err
}

func parse(args []string, stderr io.Writer) (*campaign, *report.Destination, error) {
	c := &campaign{progress: stderr}
	to := &report.Destination{Name: "capacity", Picture: filepath.Join("out", "capacity.svg")}
	fs := flag.NewFlagSet("capacity", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.DurationVar(&c.budget, "for", 3*time.Minute, "how long it may take")
	fs.IntVar(&c.tabs, "tabs", 2, "streams that each user has open; `n`")
	fs.Float64Var(&c.rate, "rate", 1, "events a second for each user while clients are added")
	fs.IntVar(&c.size, "size", 200, "`bytes` of an event's data")
	which := fs.String("transports", "sse,lean,ws", "comma-separated `names`")
	rig.ProcsFlag(fs)
	to.Flags(fs)
	fs.Usage = func() {
		fmt.Fprintln(stderr, "capacity finds out how many users this machine holds, over loopback. It wants a machine that has nothing else to do.")
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return nil, nil, err
	}
	for name := range strings.SplitSeq(*which, ",") {
		i := slices.IndexFunc(transports, func(t transport) bool { return t.Name == name })
		if i < 0 {
			return nil, nil, fmt.Errorf("there is no transport %q; there are sse, lean, ws", name)
		}
		c.transports = append(c.transports, transports[i])
	}
	const shortest = 5 * time.Second
	switch {
	case fs.NArg() > 0:
		return nil, nil, fmt.Errorf("%q is not a flag", fs.Arg(0))
	case c.budget < shortest*time.Duration(len(c.transports)):
		return nil, nil, fmt.Errorf("-for must be at least %v for each transport", shortest)
	case c.tabs < 1 || c.tabs > 1000:
		return nil, nil, errors.New("-tabs must be 1 to 1000")
	case !(c.rate > 0 && c.rate <= 1000):
		return nil, nil, errors.New("-rate must be above 0, and at most 1000")
	case c.size < 40 || c.size > 100_000:
		return nil, nil, errors.New("-size must be 40 to 100000")
	}
	return c, to, to.Check(len(c.transports) == len(transports))
}

// run measures until all is known, the time is up, or ctx ends. It returns the first error.
func (c *campaign) run(ctx context.Context) (failed error) {
	c.began = time.Now()
	ours := func() time.Duration { return machine.CPU() + machine.ChildrenCPU() }
	busy, spent := rig.Busy(), ours()
	for i, t := range c.transports {
		share := (c.budget - time.Since(c.began)) / time.Duration(len(c.transports)-i)
		fmt.Fprintln(c.progress, t.Title)
		r := result{Transport: t}
		err := c.measure(ctx, &r, time.Now(), share)
		c.results = append(c.results, r)
		if err != nil && failed == nil {
			failed = fmt.Errorf("%s: %w", t.Title, err)
		}
		if ctx.Err() != nil {
			failed = errors.New("interrupted; what was known by then is above")
			break
		}
	}
	c.took = time.Since(c.began)
	c.others = (rig.Busy() - busy - (ours() - spent)).Seconds() / c.took.Seconds() / float64(runtime.NumCPU())
	return failed
}

// measure measures one transport: first it adds clients, then, to new processes, events.
func (c *campaign) measure(ctx context.Context, r *result, began time.Time, share time.Duration) error {
	const (
		idlers    = 2_000 // clients whose memory is measured
		few       = 256   // users at first
		rateUsers = 500   // that the ramp of events is for
	)
	server, err := c.serve(ctx, r.Transport)
	if err != nil {
		return err
	}
	defer server.Stop()
	most, _ := c.mostClients(0)
	idle := min(idlers, most/2)
	if err := server.Call(time.Minute, "Idle", idle, &r.Idle); err != nil {
		return err
	}
	fmt.Fprintf(c.progress, "  %s idle clients: %s each\n", report.Count(idle), report.Memory(r.Idle))
	most, why := c.mostClients(r.Idle)
	most /= c.tabs
	end := began.Add(share * 6 / 10)
	users := &search{ramp: ramp{start: few, most: float64(most)}, end: end, load: func(users float64) Load {
		return Load{max(1, int(users)), math.Floor(users) * c.rate, c.size}
	}}
	err = c.climb(server, users)
	r.Clients, r.Held, r.Stopped, r.Early = users.readings, users.held, users.stopped, users.early
	if err == nil && r.Held != nil && r.Held.Users >= most {
		fmt.Fprintln(c.progress, "  there can be no more clients:", why)
		pushed := c.events(r.Held.Users, 2*r.Held.Rate, end) // so at least a higher rate is known
		err = c.climb(server, pushed)
		if r.Stopped, r.Early = pushed.stopped, pushed.early; pushed.held != nil {
			r.Held = pushed.held
		}
	}
	if err != nil {
		return err
	}
	server.Stop()
	if server, err = c.serve(ctx, r.Transport); err != nil {
		return err
	}
	defer server.Stop()
	n := max(1, min(rateUsers, most))
	events := c.events(n, 2*float64(n), began.Add(share))
	err = c.climb(server, events)
	r.Rates, r.Most = events.readings, events.held
	return err
}

func (c *campaign) serve(ctx context.Context, t transport) (*child.Process, error) {
	server, err := child.Start(ctx, roleServer)
	if err != nil {
		return nil, err
	}
	to := t.service
	to.Tabs = c.tabs
	if err := server.Call(time.Minute, "Serve", to, nil); err != nil {
		server.Stop()
		return nil, err
	}
	return server, nil
}

// A search is a ramp on a server.
type search struct {
	ramp ramp
	load func(x float64) Load
	end  time.Time

	readings []Reading
	held     *Reading // the largest load
	stopped  string   // why the search ended
	early    bool     // for want of time
	clients  int      // connected
}

// events returns a search for the highest rate.
func (c *campaign) events(users int, start float64, end time.Time) *search {
	return &search{ramp: ramp{start: start, most: 10e6}, end: end, load: func(rate float64) Load { return Load{users, rate, c.size} }}
}

// climb searches until the search is over or its time is up.
func (c *campaign) climb(server *child.Process, s *search) error {
	for {
		x, ok := s.ramp.next()
		if !ok {
			return nil
		}
		l := s.load(x)
		const each = 200 * time.Microsecond // to connect one client, about
		if time.Until(s.end) < warming+measuring+time.Duration(max(0, l.Users*c.tabs-s.clients))*each {
			s.stopped, s.early = "time was up", true
			return nil
		}
		var r Reading
		if err := server.Call(2*time.Minute, "Step", l, &r); err != nil {
			return err
		}
		s.clients = max(s.clients, r.Clients)
		over := r.over()
		s.ramp.note(x, over == "", r.easy())
		s.readings = append(s.readings, r)
		if s.ramp.tooMuch == x {
			s.stopped = over
		}
		if over == "" {
			over = "held"
			if s.held == nil || r.Rate > s.held.Rate {
				s.held = &r
			}
		}
		fmt.Fprintf(c.progress, "  %8s clients  %8s events/s  %9s deliveries/s  p99 %9s  CPU %4s server %4s clients  %s\n", report.Count(r.Clients),
			report.Count(int(r.Rate)), report.Count(int(r.Deliveries)), report.Duration(r.P99), report.Percent(r.Server), report.Percent(r.Swarm), over)
	}
}

// mostClients returns how many clients there can be, if each takes so much of the server's memory, and why.
func (c *campaign) mostClients(each float64) (most int, why string) {
	const (
		spare    = 200               // files for other things
		sockets  = 16 << 10          // what the system and the other process hold for a client, about
		portRoom = rig.Ports * 28000 // see swarm.Target
	)
	most, why = portRoom, "all ports are in use"
	if n := int(min(c.files, portRoom)) - spare; n < most {
		most, why = n, fmt.Sprintf("the system allows %s open files (ulimit -Hn)", report.Count(int(c.files)))
	}
	if free := rig.Available(); free > 0 {
		if n := int(float64(free) * 0.7 / (2*each + sockets)); n < most { // twice: active ones take more than idle ones
			most, why = n, "of the memory, "+report.Memory(float64(free))+" are free"
		}
	}
	return most, why
}
