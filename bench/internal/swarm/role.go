package swarm

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/crier-go/crier/bench/internal/child"
	"github.com/crier-go/crier/bench/internal/machine"
)

// RoleName is the name under which programs run Role.
const RoleName = "swarm"

// Role is a swarm in a process of its own.
func Role() (child.Commands, error) {
	debug.SetGCPercent(400) // it allocates next to nothing once it is connected
	var s *Swarm
	with := func(f func(s *Swarm) (any, error)) (any, error) {
		if s == nil {
			return nil, fmt.Errorf("there is no swarm yet")
		}
		return f(s)
	}
	return child.Commands{
		"target": child.Command(func(t Target) (_ any, err error) {
			s, err = New(t)
			return nil, err
		}),
		"connect": child.Command(func(w wanted) (any, error) {
			return with(func(s *Swarm) (any, error) { return nil, s.Connect(int(w.Events), w.Timeout) })
		}),
		"await": child.Command(func(w wanted) (any, error) {
			return with(func(s *Swarm) (any, error) { return nil, s.Await(w.Events, w.Timeout) })
		}),
		"since": child.Command(func(stamp int64) (any, error) {
			return with(func(s *Swarm) (any, error) { s.Since(stamp); return nil, nil })
		}),
		"settle": child.Command(func(w wanted) (any, error) {
			return with(func(s *Swarm) (any, error) {
				c, h := s.Settle(w.Events, w.Timeout)
				return Settled{c, h}, nil
			})
		}),
		"cpu": child.Command(func(struct{}) (any, error) { return machine.CPU(), nil }),
	}, nil
}

// wanted is how many of something, and how long to wait for them.
type wanted struct {
	Events  uint64        `json:"events"`
	Timeout time.Duration `json:"timeout"`
}

// Settled is what Settle returns.
type Settled struct {
	Counts  Counts    `json:"counts"`
	Latency Histogram `json:"latency"`
}

// A Remote is a swarm in another process. Its methods do what the Swarm's do.
type Remote struct{ *child.Process }

// grace is how much longer than its timeout a command may take.
const grace = 5 * time.Second

// Target begins the swarm.
func (r Remote) Target(t Target) error { return r.Call(grace, "target", t, nil) }

// Connect is as Swarm.Connect.
func (r Remote) Connect(total int, timeout time.Duration) error {
	return r.Call(timeout+grace, "connect", wanted{uint64(total), timeout}, nil)
}

// Await is as Swarm.Await.
func (r Remote) Await(delivered uint64, timeout time.Duration) error {
	return r.Call(timeout+grace, "await", wanted{delivered, timeout}, nil)
}

// Since is as Swarm.Since.
func (r Remote) Since(stamp int64) error { return r.Call(grace, "since", stamp, nil) }

// Settle is as Swarm.Settle.
func (r Remote) Settle(events uint64, timeout time.Duration) (s Settled, err error) {
	err = r.Call(timeout+grace, "settle", wanted{events, timeout}, &s)
	return s, err
}

// CPU returns the processor time that the process has used.
func (r Remote) CPU() (used time.Duration, err error) {
	err = r.Call(grace, "cpu", nil, &used)
	return used, err
}
