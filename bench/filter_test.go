package bench

import (
	"testing"

	"github.com/crier-go/crier/hub"
)

// BenchmarkFilter broadcasts to sleeping readers of which all, a sixth or none
// want the event's category. The others must not be woken; each costs one check of
// its filter.
func BenchmarkFilter(b *testing.B) {
	for _, readers := range []int{100, 10_000} {
		for _, c := range []struct {
			name   string
			filter func(i int) hub.Filter
			hear   int
		}{
			{"all", everything, readers},
			{"sixth", func(i int) hub.Filter { return hub.Categories(categories[i%6]) }, (readers + 5) / 6},
			{"none", func(i int) hub.Filter { return hub.Categories(categories[1+i%5]) }, 0},
		} {
			b.Run("readers="+count(readers)+"/hear="+c.name, func(b *testing.B) {
				woken := 0
				h := newHub(b, &hub.Options{Observer: &hub.Observer{Published: countWoken(&woken)}})
				a := newAudience(b, h, readers, c.filter)
				a.listen(b)
				defer a.close()
				e := newEvent(b, kinds[0])
				turns := 0
				once := func() {
					broadcast(b, h, e)
					turns++
					received(b, a.tally, turns*c.hear)
				}
				once() // the first event allocates buffers and grows stacks
				for b.Loop() {
					once()
				}
				if woken != turns*c.hear {
					b.Fatalf("%d sleepers were woken for %d events; want %d", woken, turns, turns*c.hear)
				}
				turns-- // the first was not measured
				wantNoGaps(b, h)
				// ns/op is from a publish until every reader that wants the event has it.
				if c.hear > 0 {
					b.ReportMetric(float64(b.Elapsed())/float64(turns*c.hear), "ns/delivery")
				}
				if deaf := readers - c.hear; c.hear == 0 {
					b.ReportMetric(float64(b.Elapsed())/float64(turns*deaf), "ns/sleeper")
				}
			})
		}
	}
}
