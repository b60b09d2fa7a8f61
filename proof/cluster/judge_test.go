package cluster

import (
	"testing"

	"github.com/google/uuid"
)

// The judge notices what it is there to notice.
func TestJudge(t *testing.T) {
	run := func(lossy bool, items ...item) verdict {
		l := newLedger(lossy)
		for n := range 4 {
			e, err := l.begin(publication{ID: uuid.Must(uuid.NewV7())})
			if err != nil {
				t.Fatal(err)
			}
			l.attempted(e, true)
			e.places = []place{{1, uint64(10 + n)}}
		}
		other, _ := l.begin(publication{ID: uuid.Must(uuid.NewV7()), Users: []uuid.UUID{{9}}})
		l.attempted(other, true)
		other.places = []place{{1, 12}}
		if lossy { // 1 was lost and published again
			l.entries[1].places = []place{{1, 11}, {2, 1}}
			l.attempted(l.entries[1], true)
			l.entries[3].places = []place{{2, 2}}
		}
		return l.judge([]*client{{user: uuid.UUID{1}, items: items}})
	}
	n := func(n int) item { return item{n: n} }
	gap := item{gap: "unknown"}
	for _, test := range []struct {
		name  string
		lossy bool
		items []item
		want  verdict
	}{
		{"all", false, []item{n(0), n(1), n(2), n(3)}, verdict{Deliveries: 4}},
		{"lost", false, []item{n(0), n(2), n(3)}, verdict{Deliveries: 3, Lost: 1}},
		{"lost at the end", false, []item{n(0), n(1), n(2)}, verdict{Deliveries: 3, Lost: 1}},
		{"lost with a gap elsewhere", false, []item{n(0), n(2), gap, n(3)}, verdict{Deliveries: 3, Gaps: 1, Lost: 1}},
		{"gap", false, []item{n(0), gap, n(3)}, verdict{Deliveries: 2, Gaps: 1, AfterGap: 2}},
		{"false gap", false, []item{n(0), n(1), gap, n(2), n(3)}, verdict{Deliveries: 4, Gaps: 1}},
		{"doubled", false, []item{n(0), n(1), n(1), n(2), n(3)}, verdict{Deliveries: 5, Doubled: 1}},
		{"doubled after a gap", false, []item{n(0), n(1), gap, n(1), n(2), n(3)}, verdict{Deliveries: 5, Gaps: 1, Doubled: 1}},
		{"disordered", false, []item{n(0), n(2), n(1), n(3)}, verdict{Deliveries: 4, Disordered: 1}},
		{"foreign", false, []item{n(0), n(1), n(2), n(4), n(3)}, verdict{Deliveries: 5, Foreign: 1}},
		{"published again after a loss", true, []item{n(0), n(1), n(2), gap, n(1), n(3)}, verdict{Deliveries: 5, Gaps: 1, RedeliveredAfterLoss: 1}},
		{"lost by the engine", true, []item{n(0), gap, n(1), n(3)}, verdict{Deliveries: 3, Gaps: 1, AfterGap: 1}},
		{"moved by the engine", true, []item{n(0), n(2), gap, n(1), n(3)}, verdict{Deliveries: 4, Gaps: 1}},
	} {
		got := run(test.lossy, test.items...)
		for _, c := range []struct {
			name      string
			got, want int
		}{
			{"deliveries", got.Deliveries, test.want.Deliveries}, {"gaps", got.Gaps, test.want.Gaps},
			{"lost", got.Lost, test.want.Lost}, {"doubled", got.Doubled, test.want.Doubled},
			{"disordered", got.Disordered, test.want.Disordered}, {"foreign", got.Foreign, test.want.Foreign},
			{"after a gap", got.AfterGap, test.want.AfterGap}, {"redelivered", got.RedeliveredAfterLoss, test.want.RedeliveredAfterLoss},
		} {
			if c.got != c.want {
				t.Errorf("%s: %s: %d, want %d; %q", test.name, c.name, c.got, c.want, got.Errors)
			}
		}
	}
}
