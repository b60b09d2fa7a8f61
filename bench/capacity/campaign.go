package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/crier-go/crier/bench/internal/machine"
	"github.com/crier-go/crier/bench/internal/rig"
)

// A campaign is what is asked, and within which bounds.
type campaign struct {
	transports []string
	tabs       int
	rate       float64 // events a second for each user
	size       int     // bytes of an event's data
	budget     time.Duration
	files      uint64 // that a process may have open
	progress   io.Writer
}

// A result is what a machine holds over one transport.
type result struct {
	Transport string
	Idle      float64   // bytes for each idle client
	Active    float64   // for each active one, at the largest load that was held
	Clients   []reading // of the ramp of clients, in the order in which they were tried
	Rates     []reading // of the ramp of events
	Held      *reading  // of the first, the largest that was held; nil: none
	Most      *reading  // of the second
	Pushed    []reading // where connections ran out first: more events to all these clients
	Ended     string    // why the search for Held ended below the machine's limit; else nothing
	Err       error
}

const (
	warming   = 300 * time.Millisecond
	measuring = time.Second
	idlers    = 2_000 // clients whose memory is measured
	rateUsers = 500   // whom the ramp of events is for
)

// run measures until all is known, the budget is spent, or ctx ends. What is
// known by then it returns.
func (c *campaign) run(ctx context.Context) (results []result) {
	end := time.Now().Add(c.budget)
	for i, transport := range c.transports {
		if ctx.Err() != nil {
			break
		}
		share := time.Until(end) / time.Duration(len(c.transports)-i)
		fmt.Fprintf(c.progress, "%s\n", title(transport))
		results = append(results, c.measure(ctx, transport, share))
	}
	return results
}

// measure measures one transport.
func (c *campaign) measure(ctx context.Context, transport string, share time.Duration) (r result) {
	r = result{Transport: transport}
	began := time.Now()
	first, second := began.Add(share*6/10), began.Add(share)
	if r.Err = c.clients(ctx, &r, first); r.Err == nil {
		r.Err = c.rates(ctx, &r, second)
	}
	if r.Err != nil && ctx.Err() != nil {
		r.Err = ctx.Err()
	}
	if r.Err != nil {
		fmt.Fprintf(c.progress, "  failed: %v\n", r.Err)
	}
	return r
}

// clients adds users, each of whom is sent events at the same rate, until the
// machine is full.
func (c *campaign) clients(ctx context.Context, r *result, end time.Time) error {
	p, err := start(ctx, r.Transport, c.tabs)
	if err != nil {
		return err
	}
	defer p.stop()
	most, _ := c.mostClients(0)
	idle := min(idlers, most/2)
	if r.Idle, err = p.idle(idle); err != nil {
		return err
	}
	fmt.Fprintf(c.progress, "  %s idle clients: %s each\n", grouped(idle), memory(r.Idle))

	most, why := c.mostClients(r.Idle)
	most /= c.tabs
	const few = 256
	up := ramp{start: few, most: float64(most)}
	r.Held, r.Ended, err = c.climb(p, &up, &r.Clients, end, func(users float64) load {
		return load{users: max(1, int(users)), rate: math.Floor(users) * c.rate}
	})
	if err == nil && r.Held != nil && r.Held.Users >= most {
		err = c.push(p, r, end, why)
	}
	if r.Held != nil {
		r.Active = p.active(r.Held)
	}
	return err
}

// push sends more events to all the clients that there can be, where the
// machine is not full of them: so that what it holds is known at least for a
// higher rate.
func (c *campaign) push(p *pair, r *result, end time.Time, why string) error {
	fmt.Fprintf(c.progress, "  there can be no more clients: %s\n", why)
	users := r.Held.Users
	up := ramp{start: 2 * r.Held.Rate, most: 10e6}
	held, ended, err := c.climb(p, &up, &r.Pushed, end, func(rate float64) load {
		return load{users: users, rate: rate}
	})
	if held != nil {
		r.Held = held
	}
	r.Ended = ended
	return err
}

// rates sends ever more events to the same users, until the machine is full.
func (c *campaign) rates(ctx context.Context, r *result, end time.Time) error {
	p, err := start(ctx, r.Transport, c.tabs)
	if err != nil {
		return err
	}
	defer p.stop()
	most, _ := c.mostClients(r.Idle)
	users := max(1, min(rateUsers, most/c.tabs))
	ramp := ramp{start: 2 * float64(users), most: 10e6}
	r.Most, _, err = c.climb(p, &ramp, &r.Rates, end, func(rate float64) load {
		return load{users: users, rate: rate}
	})
	return err
}

// climb takes a pair up a ramp until it ends or time is up. It returns the
// largest load that was held, and what stopped it too early, if anything.
func (c *campaign) climb(p *pair, ramp *ramp, readings *[]reading, end time.Time, at func(x float64) load) (held *reading, stopped string, err error) {
	for {
		x, ok := ramp.next()
		if !ok {
			return held, "", nil
		}
		l := at(x)
		const each = 200 * time.Microsecond // to connect one client, about
		if time.Until(end) < warming+measuring+time.Duration(max(0, l.users*c.tabs-p.clients))*each {
			return held, "time was up", nil
		}
		l.size, l.warm, l.len = c.size, warming, measuring
		r, err := p.step(l)
		if err != nil {
			return held, "", err
		}
		over := full.over(&r)
		ramp.note(x, over == "", full.easy(&r))
		*readings = append(*readings, r)
		c.show(&r, over)
		if over == "" && (held == nil || r.Rate > held.Rate) {
			held = &r
		}
	}
}

// show tells how a step went.
func (c *campaign) show(r *reading, over string) {
	if over == "" {
		over = "held"
	}
	fmt.Fprintf(c.progress, "  %8s clients  %8s events/s  %9s deliveries/s  p50 %9s  p99 %9s  CPU %3.0f %% server %3.0f %% clients  %s\n",
		grouped(r.Clients), grouped(int(r.Rate)), grouped(int(r.Deliveries)), short(r.P50), short(r.P99), 100*r.Server, 100*r.Swarm, over)
}

// mostClients returns how many clients there can be at all, if each takes so
// much of the server's memory, and why.
func (c *campaign) mostClients(each float64) (most int, why string) {
	const (
		spare    = 200       // files for other things
		sockets  = 16 << 10  // what the system and the other process hold for a client, about
		portRoom = 4 * 28000 // see rig.Role and swarm.Target
	)
	most, why = portRoom, "all ports are in use"
	if n := int(min(c.files, portRoom)) - spare; n < most {
		most, why = n, fmt.Sprintf("the system allows %s open files (ulimit -Hn)", grouped(int(c.files)))
	}
	if free, err := machine.Available(); err == nil {
		if n := int(float64(free) * 0.7 / (2*each + sockets)); n < most { // twice: active ones take more than idle ones
			most, why = n, "of the memory, "+memory(float64(free))+" are free"
		}
	}
	return most, why
}

// title names a transport for people.
func title(transport string) string {
	return map[string]string{
		rig.Transports[0]: "SSE", rig.Transports[1]: "SSE, lean", rig.Transports[2]: "WebSocket",
	}[transport]
}
