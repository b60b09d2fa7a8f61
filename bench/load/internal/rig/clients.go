package rig

import (
	"math"
	"os"
	"runtime/debug"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/crier-go/crier/bench/internal/child"
	"github.com/crier-go/crier/bench/internal/machine"
	"github.com/crier-go/crier/bench/internal/swarm"
)

// RoleClients is the role of the clients' process.
const RoleClients = "clients"

// Clients is the receiver of the clients' process.
type Clients struct {
	board   *swarm.Board
	swarm   *swarm.Swarm
	since   int64 // lower numbers are not in the window
	latency *hdrhistogram.Histogram
}

// NewClients sets up the clients' process.
func NewClients() (any, error) {
	board, err := mapBoard(os.NewFile(child.FirstFile, "board"))
	debug.SetGCPercent(400) // it allocates next to nothing once it is connected
	return &Clients{board: board, since: math.MaxInt64, latency: hdrhistogram.New(1, longest, 2)}, err
}

const longest = int64(time.Hour / time.Microsecond)

// Target says where the clients connect.
func (c *Clients) Target(t swarm.Target, _ *struct{}) (err error) {
	c.swarm, err = swarm.New(t, c.board, func(number int64) {
		if number >= c.since {
			age := time.Since(time.Unix(0, number)).Microseconds()
			c.latency.RecordValue(min(max(age, 1), longest)) //nolint:errcheck // it is in range
		}
	})
	return err
}

// Connect connects clients until there are total.
func (c *Clients) Connect(total int, _ *struct{}) error {
	return c.swarm.Connect(total, connecting)
}

// Since begins a new window: the events that are due from this time on, in
// nanoseconds of Unix time, which is their number.
func (c *Clients) Since(due int64, used *time.Duration) error {
	c.swarm.Locked(func() {
		c.since = due
		c.latency.Reset()
	})
	*used = machine.CPU()
	return nil
}

// A Latency is how long the events of a window took to arrive.
type Latency struct {
	Events int64
	P99    time.Duration
	CPU    time.Duration // that the clients have used since they started
}

// Latency returns what has arrived of the window.
func (c *Clients) Latency(_ struct{}, l *Latency) error {
	c.swarm.Locked(func() {
		p99 := time.Duration(c.latency.ValueAtPercentile(99)) * time.Microsecond
		*l = Latency{c.latency.TotalCount(), p99, machine.CPU()}
	})
	return nil
}
