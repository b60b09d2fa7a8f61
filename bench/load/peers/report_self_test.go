package peers

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/crier-go/crier/bench/load/internal/peer"
)

func TestRemarksNeverRoundALossAway(t *testing.T) {
	for _, c := range []struct {
		in   []Sample
		want string
	}{
		{[]Sample{{}, {}}, ""},
		{[]Sample{{Lost: 1e-9}}, "lost < 0.01 %"},
		{[]Sample{{Lost: 0.712}, {Lost: 0.955, Closed: 1200}}, "lost 71 % to 96 %, disconnected 1,200 clients"},
		{[]Sample{{}, {Lost: 0.004}}, "lost 0 % to 0.40 %"},
		{[]Sample{{Lost: 0.999}}, "lost 99.9 %"},
		{[]Sample{{Disorder: 3}}, "3 doubled or out of order"},
	} {
		if got := remarks(c.in); got != c.want {
			t.Errorf("remarks(%+v) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestSummary(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want summary
	}{
		{nil, summary{}},
		{[]float64{3}, summary{3, 3, 3}},
		{[]float64{9, 1, 5}, summary{5, 1, 9}},
		{[]float64{4, 1, 3, 2}, summary{2.5, 1, 4}},
	} {
		o := of("crier", c.in...)
		if got := o.value(); got != c.want {
			t.Errorf("of %v: %v, want %v", c.in, got, c.want)
		}
	}
}

func testResult() result {
	s := scenario{"x", "A <scenario>", burst, peer.SSE, 100, "raw"}
	return result{s, []outcome{
		{peer: peer.Peer{Title: "Crier", Kind: peer.Ours}, samples: []Sample{{Value: 3000, Extra: 1}, {Value: 3100, Extra: 1.1}, {Value: 2900, Extra: 0.9}}},
		{peer: peer.Peer{Title: "steady"}, samples: []Sample{{Value: 1000, Extra: 5}}},
		{peer: peer.Peer{Title: "loser"}, samples: []Sample{{Value: 9000, Extra: 2, Lost: 0.71}}},
		{peer: peer.Peer{Title: "broken"}, err: errors.New("it\nbroke | here")},
		{peer: peer.Peer{Name: "raw", Title: "raw", Kind: peer.Floor}, samples: []Sample{{Value: 500, Extra: 9}}},
	}}
}

func testCampaign(results ...result) *campaign {
	return &campaign{rounds: 3, length: time.Second, began: time.Unix(0, 0), results: results}
}

func TestMarkdown(t *testing.T) {
	text := testCampaign(testResult()).markdown("a/b.svg")
	for _, want := range []string{
		"|  | deliveries/s | × best | × floor | µs CPU/delivery | lost |\n",
		"| **Crier** | 3000 [2900 to 3100] | 3.00 | 6.00 | 1.00 | nothing |\n",
		"| steady | 1000 | 1.00 | 2.00 | 5.00 | nothing |\n",
		"| loser | 9000 | 9.00 | 18.0 | 2.00 | 71 % |\n",
		"| broken | failed: it broke / here |  |  |  |  |\n",
		"| *floor: raw* | 500 | 0.50 | 1.00 | 9.00 | nothing |\n",
		"higher is better", "\n### A <scenario>\n", "](a/b.svg)", "Versions: crier-go/crier this checkout, tmaxmax/go-sse v0.", "coder/websocket v1.", "r3labs/sse/v2 v2.",
		"Measured on 1970-01-01 00:00 UTC: ", "; 3 rounds of 1s.\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing from:\n%s", want, text)
		}
	}
	if text = testCampaign(testResult()).markdown(""); strings.Contains(text, "![") {
		t.Errorf("without a picture:\n%s", text)
	}
	if text = testCampaign(madeUp("ws-idle", of("crier", 7))).markdown(""); strings.Contains(text, "nothing |") || strings.Contains(text, "× floor |  |") {
		t.Errorf("idle connections lose nothing:\n%s", text)
	}
}

// The chart is well-formed, has all that was measured, and ranks what lost events last.
func TestChart(t *testing.T) {
	svg := string(testCampaign(testResult()).chart())
	for dec := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := dec.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%v in:\n%s", err, svg)
		}
	}
	for _, want := range []string{"prefers-color-scheme:dark", "A &lt;scenario&gt;", "longer is better", "fill:var(--orange)", "fill:var(--grid)",
		"stroke:var(--grey)", "9000 · lost 71 %"} {
		if !strings.Contains(svg, want) {
			t.Errorf("%q is missing from:\n%s", want, svg)
		}
	}
	if strings.Contains(svg, "broken") {
		t.Error("a peer without values is drawn")
	}
	if strings.Index(svg, ">loser<") < strings.Index(svg, ">raw<") {
		t.Error("a peer that lost events ranks before one that did not")
	}
	if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
		t.Errorf("a coordinate is not one:\n%s", svg)
	}
}

func TestChartCutsLongBars(t *testing.T) {
	c := testCampaign(madeUp("fanout", of("crier", 1), of("go-sse", 5000)))
	if svg := string(c.chart()); strings.Count(svg, "stroke:var(--paper)") != 1 {
		t.Errorf("want one bar with a gap in:\n%s", svg)
	}
}
