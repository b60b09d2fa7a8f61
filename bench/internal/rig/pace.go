package rig

import (
	"context"
	"time"

	"github.com/crier-go/crier/bench/internal/machine"
	"github.com/crier-go/crier/hub"
)

// A Pace is a steady stream of events, each to one user.
type Pace struct {
	Users int           `json:"users"` // they take turns
	Rate  float64       `json:"rate"`  // events a second, to all users together
	Size  int           `json:"size"`  // bytes of an event's data
	Start int64         `json:"start"` // when the first is due, in nanoseconds of Unix time
	Warm  time.Duration `json:"warm"`  // so long at first, nothing is measured
	For   time.Duration `json:"for"`   // so long it is
}

// A Paced is what publishing at a pace came to, from when it was measured.
type Paced struct {
	Published uint64        `json:"published"` // events that were due in the measured time
	Wall      time.Duration `json:"wall"`      // until the last of them was published
	CPU       time.Duration `json:"cpu"`       // of the server's process, meanwhile
	Gaps      uint64        `json:"gaps"`      // told to clients so far
}

// due returns how many events are due after so long.
func (p *Pace) due(elapsed time.Duration) int64 {
	return int64(elapsed.Seconds() * p.Rate)
}

// at returns when event n is due. Its stamp says so, not when it was in fact
// published: else a server that falls behind its publisher would look quick.
func (p *Pace) at(n int64) time.Time {
	return time.Unix(0, p.Start).Add(time.Duration(float64(n) / p.Rate * float64(time.Second)))
}

// Measured returns when the first event of the measured time is due.
func (p *Pace) Measured() time.Time { return p.at(p.due(p.Warm)) }

// tick is how often is looked whether something is due. It is part of what the
// latencies show, and longer on systems whose timers are coarse: some sleep for
// 4 ms at least.
const tick = time.Millisecond

// Run publishes.
func (p *Pace) Run(h *hub.Hub) (Paced, error) {
	var r Paced
	warm, all := p.due(p.Warm), p.due(p.Warm+p.For)
	start := time.Unix(0, p.Start)
	// A machine that cannot even publish at this pace shall not take for ever.
	end := start.Add(p.Warm + 3*p.For/2)
	var began time.Time
	var cpu time.Duration
	begin := func() { began, cpu = time.Now(), machine.CPU() }
	for n := int64(0); n < all && time.Now().Before(end); {
		for due := min(all, p.due(time.Since(start))); n < due; n++ {
			if n == warm {
				begin()
			}
			e, err := New(int(n%int64(p.Users)), p.at(n), p.Size)
			if err != nil {
				return r, err
			}
			if err := h.Publish(context.Background(), e); err != nil {
				return r, err
			}
			if n >= warm {
				r.Published++
			}
		}
		time.Sleep(tick)
	}
	if began.IsZero() { // nothing but the warm-up was ever published
		begin()
	}
	r.Wall, r.CPU = max(time.Since(began), tick), machine.CPU()-cpu
	for _, n := range h.Stats().Gaps {
		r.Gaps += n
	}
	return r, nil
}

// Due returns how many events are due in the measured time.
func (p *Pace) Due() uint64 { return uint64(p.due(p.Warm+p.For) - p.due(p.Warm)) }
