package stress

import (
	"flag"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crier-go/crier/proof/interleave/yield"
)

var (
	playFor = flag.Duration("for", 100*time.Millisecond, "how long to play rounds of each shape")
	yields  = flag.Bool("yields", false, "fail if the hub was compiled without yields")
)

// play plays rounds of each shape until its time is over.
func play(t *testing.T, shapes ...shape) {
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			began, rounds := time.Now(), 0
			for ; time.Since(began) < *playFor || rounds == 0; rounds++ {
				synctest.Test(t, func(t *testing.T) { newRound(t, s).play() })
				if t.Failed() {
					t.Fatalf("round %d, %+v", rounds, s)
				}
			}
			t.Logf("%d rounds, %d operations with a yield so far", rounds, yield.Count())
		})
	}
	if *yields && yield.Count() == 0 {
		t.Error("the hub has no yields: it was compiled as it is")
	}
}

// TestOracle publishes bursts to readers that sleep, wake, close and resume.
// Nobody may lack anything without a gap, or get it twice, or in another order
// than others.
func TestOracle(t *testing.T) {
	play(t,
		shape{name: "list", readers: 8, publishers: 3, events: 20, phases: 4},
		shape{name: "index", readers: 40, publishers: 3, events: 10, phases: 4},
		shape{name: "evicting", readers: 8, publishers: 3, events: 60, phases: 4, tiny: true},
		shape{name: "latest", readers: 6, publishers: 2, events: 100, phases: 4, latest: true},
	)
}

// TestSleepers publishes an event or two at a time, so that nearly every reader
// sleeps, is about to sleep or has just been woken.
func TestSleepers(t *testing.T) {
	play(t,
		shape{name: "list", readers: 6, publishers: 2, events: 1, phases: 60},
		shape{name: "index", readers: 70, publishers: 3, events: 1, phases: 20},
		// The words of the index have a bit or two, so that they empty all the time.
		shape{name: "nearly empty index", ghosts: 40, readers: 3, publishers: 3, events: 2, phases: 200, quiet: true},
		shape{name: "from list to index", readers: 31, newcomers: 4, publishers: 1, events: 1, phases: 1},
	)
}

// TestLogsComeAndGo opens, publishes to and closes logs that the bounds of the
// hub empty all the time, so that they are dropped while they are looked up.
func TestLogsComeAndGo(t *testing.T) {
	play(t, shape{name: "visitors", readers: 4, publishers: 2, events: 20, phases: 6, visitors: 4, tiny: true})
}
