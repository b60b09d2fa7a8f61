package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSummarize(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want summary
	}{
		{nil, summary{}},
		{[]float64{3}, summary{3, 3, 3}},
		{[]float64{9, 1, 5}, summary{5, 1, 9}},
		{[]float64{4, 1, 3, 2}, summary{2.5, 1, 4}},
	} {
		in := slices.Clone(c.in)
		if got := summarize(in); got != c.want {
			t.Errorf("summarize(%v) = %v, want %v", c.in, got, c.want)
		}
		if !slices.Equal(in, c.in) {
			t.Errorf("summarize changed its argument %v to %v", c.in, in)
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.5: "0.50", 9.99: "9.99", 9.999: "10.0", 12.34: "12.3", 99.96: "100", 998.7: "999",
		9994: "9994", 9999: "10.0k", 123_456: "123k", 999_499: "999k", 999_600: "1.00M", 333e6: "333M",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestRemarksNeverRoundALossAway(t *testing.T) {
	for _, c := range []struct {
		in   []sample
		want string
	}{
		{[]sample{{}, {}}, ""},
		{[]sample{{lost: 1e-9}}, "lost < 0.01 %"},
		{[]sample{{lost: 0.712}, {lost: 0.955, closed: 1200}}, "lost 71 % to 96 %, cut off 1,200 clients"},
		{[]sample{{}, {lost: 0.004}}, "lost 0 % to 0.40 %"},
		{[]sample{{lost: 0.999}}, "lost 99.9 %"},
		{[]sample{{disorder: 3}}, "3 doubled or out of order"},
	} {
		if got := strings.TrimSpace(remarks(c.in)); got != c.want {
			t.Errorf("remarks(%+v) = %q, want %q", c.in, got, c.want)
		}
	}
}

func testResult() result {
	return result{
		scenario: scenario{name: "x", title: "A <scenario>", about: "About it.", kind: burst, transport: sse,
			unit: "deliveries/s", higherWins: true, extra: "µs CPU/delivery", floor: "raw"},
		outcomes: []outcome{
			{peer: peer{title: "Crier", kind: ours}, samples: []sample{{value: 3000, extra: 1}, {value: 3100, extra: 1.1}, {value: 2900, extra: 0.9}}},
			{peer: peer{title: "steady"}, samples: []sample{{value: 1000, extra: 5}}},
			{peer: peer{title: "loser"}, samples: []sample{{value: 9000, extra: 2, lost: 0.71}}},
			{peer: peer{title: "broken"}, err: errors.New("it\nbroke | here")},
			{peer: peer{name: "raw", title: "raw", kind: floor}, samples: []sample{{value: 500, extra: 9}}},
		},
	}
}

func testEnvironment() environment {
	return environment{when: time.Unix(0, 0), cpu: "A & B", cores: 2, rounds: 3, versions: []string{"a v1"}}
}

func TestMarkdown(t *testing.T) {
	rep := report{testEnvironment(), []result{testResult()}}
	text := rep.markdown(3, "a/b.svg")
	for _, want := range []string{
		"| **Crier** | 3000 [2900 to 3100] | 3.00 | 6.00 | 1.00 | nothing |\n",
		"| steady | 1000 | 1.00 | 2.00 | 5.00 | nothing |\n",
		"| loser | 9000 | 9.00 | 18.0 | 2.00 | 71 % |\n",
		"| broken | failed: it broke / here |  |  |  |  |\n",
		"| *floor: raw* | 500 | 0.50 | 1.00 | 9.00 | nothing |\n",
		"higher is better", "Versions: a v1.", "\n### A <scenario>\n", "](a/b.svg)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing from:\n%s", want, text)
		}
	}
	if text = rep.markdown(2, ""); strings.Contains(text, "###") || strings.Contains(text, "![") {
		t.Errorf("level 2, no picture:\n%s", text)
	}
}

func TestSVG(t *testing.T) {
	svg := drawSVG(testEnvironment(), []result{testResult()})
	dec := xml.NewDecoder(bytes.NewReader(svg))
	for {
		if _, err := dec.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%v in:\n%s", err, svg)
		}
	}
	s := string(svg)
	for _, want := range []string{"prefers-color-scheme: dark", "A &lt;scenario&gt;", "longer is better", `class="bar ours"`,
		`class="bar lossy"`, `class="bar floor"`, "9000 · lost 71 %"} {
		if !strings.Contains(s, want) {
			t.Errorf("%q is missing from:\n%s", want, s)
		}
	}
	if strings.Contains(s, "broken") {
		t.Error("a peer without values is drawn")
	}
	if strings.Index(s, ">loser<") < strings.Index(s, ">raw<") {
		t.Error("a peer that lost events ranks before one that did not")
	}
}

func TestSVGCutsWhatIsFarBehind(t *testing.T) {
	r := result{scenario: scenario{title: "x", unit: "ns"}, outcomes: []outcome{
		{peer: peer{title: "fast"}, samples: []sample{{value: 1}}},
		{peer: peer{title: "slow"}, samples: []sample{{value: 5000}}},
	}}
	if s := string(drawSVG(testEnvironment(), []result{r})); strings.Count(s, `class="cut"`) != 1 {
		t.Errorf("want one cut bar in:\n%s", s)
	}
}
