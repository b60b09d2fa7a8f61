package debug

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

const (
	interval = 5 * time.Second
	kept     = 15 * 60 / 5 // samples: 15 minutes
)

// A sample is what a hub's numbers were at one moment. Rates are per second.
type sample struct {
	At        time.Time `json:"at"`
	Streams   int       `json:"streams"`
	Published float64   `json:"published_per_second"`
	Delivered float64   `json:"delivered_per_second"`
	Bytes     int64     `json:"bytes"`
	Behind    uint64    `json:"behind"`
}

// A kindRate says how often events of a kind were published.
type kindRate struct {
	Type  event.Type `json:"type"`
	Total uint64     `json:"total"`
	Rate  float64    `json:"per_second"` // in the last full interval
}

type kindCount struct {
	total atomic.Uint64
	last  uint64  // at the last sample; guarded by sampler.mu
	rate  float64 // guarded by sampler.mu
}

// A sampler reads a hub's numbers regularly.
type sampler struct {
	hub   *hub.Hub
	kinds map[event.Type]*kindCount // of the registry; never changed
	stop  chan struct{}
	done  chan struct{}

	mu     sync.Mutex
	all    []sample // the oldest first
	before hub.Stats
	at     time.Time
}

func newSampler(h *hub.Hub) *sampler {
	s := &sampler{hub: h, kinds: map[event.Type]*kindCount{}, stop: make(chan struct{}), done: make(chan struct{}), before: h.Stats(), at: time.Now()}
	for k := range h.Registry().All() {
		s.kinds[k.Type] = new(kindCount)
	}
	go s.run()
	return s
}

func (s *sampler) run() {
	defer close(s.done)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			s.take()
		}
	}
}

func (s *sampler) close() {
	close(s.stop)
	<-s.done
}

func (s *sampler) published(_ context.Context, p hub.Publication) {
	if c := s.kinds[p.Event.Type()]; c != nil {
		c.total.Add(1)
	}
}

func (s *sampler) take() {
	now, st := time.Now(), s.hub.Stats()
	s.mu.Lock()
	defer s.mu.Unlock()
	took := now.Sub(s.at).Seconds()
	one := sample{
		At: now, Bytes: st.Bytes, Behind: st.Behind,
		Published: float64(st.Published-s.before.Published) / took,
		Delivered: float64(st.Delivered-s.before.Delivered) / took,
	}
	for _, n := range st.Streams {
		one.Streams += n
	}
	if len(s.all) == kept {
		s.all = append(s.all[:0], s.all[1:]...)
	}
	s.all = append(s.all, one)
	for _, c := range s.kinds {
		total := c.total.Load()
		c.rate, c.last = float64(total-c.last)/took, total
	}
	s.before, s.at = st, now
}

func (s *sampler) samples() []sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]sample{}, s.all...)
}

func (s *sampler) rates() (all []kindRate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.hub.Registry().All() {
		c := s.kinds[k.Type]
		all = append(all, kindRate{k.Type, c.total.Load(), c.rate})
	}
	return all
}
