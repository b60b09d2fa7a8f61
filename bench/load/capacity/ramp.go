package main

import "math"

// A ramp searches for the largest load that is held. It doubles the load until it is too much, and then closes in from
// both sides. A load is too much when it was so twice: on a machine that others use too, once may be chance.
type ramp struct {
	start, most float64 // the first load, and the largest

	held    float64 // the largest that was held; 0: none yet
	tooMuch float64 // the smallest that was not; 0: none yet
	doubt   float64 // was too much once
	factor  float64 // by which the load grows next
}

const (
	closeEnough = 1.12     // the ratio between tooMuch and held at which a ramp ends
	tooSmall    = 1. / 256 // of start: the smallest load that is tried
)

// next returns the load to try next, and false when the search is over.
func (r *ramp) next() (load float64, ok bool) {
	switch {
	case r.doubt > 0:
		return r.doubt, true
	case r.held == 0 && r.tooMuch == 0:
		return min(r.start, r.most), true
	case r.held == 0:
		load = r.tooMuch / 4
		return load, load >= r.start*tooSmall
	case r.tooMuch == 0:
		load = min(r.held*r.factor, r.most)
		return load, load > r.held
	}
	return math.Sqrt(r.held * r.tooMuch), r.tooMuch/r.held > closeEnough
}

// note records the result of a load. After an easy one the next is larger.
func (r *ramp) note(load float64, held, easy bool) {
	switch {
	case held:
		r.held, r.doubt = max(r.held, load), 0
		if r.factor = 2; easy {
			r.factor = 4
		}
	case r.doubt == load:
		r.tooMuch, r.doubt = load, 0
	default:
		r.doubt = load
	}
}
