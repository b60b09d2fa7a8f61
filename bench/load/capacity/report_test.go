package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// sample returns a campaign in which one transport was measured in full, one
// ran out of connections, and one failed.
func sample() *campaign {
	held := Reading{
		Users: 4000, Clients: 8000, Rate: 4000, Deliveries: 8000, P99: 80 * time.Millisecond,
		Server: 0.5, Swarm: 0.25, Each: 12 * time.Microsecond, Memory: 30_000,
	}
	tooMany := held
	tooMany.Users, tooMany.Clients, tooMany.Rate, tooMany.Swarm = 8000, 16000, 8000, 0.5
	luckless := tooMany // the same load, in a bad second
	luckless.Missing = 12
	pushed := held
	pushed.Rate, pushed.Deliveries = 16000, 32000
	return &campaign{
		tabs: 2, rate: 1, size: 200, others: 0.3,
		began: time.Date(2026, 3, 14, 15, 9, 0, 0, time.UTC), took: time.Minute,
		results: []result{
			{Transport: transports[0], Idle: 28_000, Clients: []Reading{held, luckless, tooMany}, Held: &held, Rates: []Reading{pushed}, Most: &pushed, Stopped: "CPU is over 80 %"},
			{Transport: transports[1], Idle: 5_000, Clients: []Reading{held}, Held: &pushed, Stopped: "time was up", Early: true},
			{Transport: transports[2]},
		},
	}
}

func TestSentence(t *testing.T) {
	r := sample()
	const want = "This machine holds 4,000 users with 2 tabs at 4,000 events/s of 200 bytes over SSE; " +
		"at least 4,000 users with 2 tabs at 16,000 events/s of 200 bytes over SSE, lean; none over WebSocket."
	if got := r.sentence(); got != want {
		t.Errorf("the sentence is\n%s\nwant\n%s", got, want)
	}
}

func TestMarkdown(t *testing.T) {
	text := sample().markdown("bench/capacity.svg")
	for _, want := range []string{
		"2026-03-14 15:09 UTC", "one event a second of 200 bytes", "99 of 100", "100ms", "80 %", "12.0 µs", "80.0 ms",
		"\n|  | SSE | SSE, lean | WebSocket |\n|---|---:|---:|---:|\n| clients held | 8,000 | 8,000 | - |\n",
		"\n| memory per idle client | 27.3 KB | 4.88 KB | - |\n", "\n| the next step | CPU is over 80 % | time was up | - |\n",
		"\n| most deliveries/s | 32,000 | - | - |\n", "](bench/capacity.svg)", "Other programs used 30 %",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if !strings.HasPrefix(text, "This machine holds") {
		t.Error("the sentence is not first")
	}
	if t.Failed() {
		t.Log(text)
	}
}

// The picture is well-formed, knows dark pages, and draws what was measured,
// within its own bounds.
func TestChart(t *testing.T) {
	for name, c := range map[string]*campaign{"sample": sample(), "nothing": {rate: 1}} {
		t.Run(name, func(t *testing.T) {
			svg := string(c.chart())
			for dec := xml.NewDecoder(strings.NewReader(svg)); ; {
				if _, err := dec.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("not well-formed: %v\n%s", err, svg)
				}
			}
			if !strings.Contains(svg, "prefers-color-scheme:dark") {
				t.Error("it does not know dark pages")
			}
			if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
				t.Errorf("a coordinate is not one:\n%s", svg)
			}
			// A dot is two arcs. Two plots have two each for clients, two have one each for events.
			if dots := strings.Count(svg, "fill:var(--orange)") + strings.Count(svg, "fill:var(--blue)"); name == "sample" && dots != 6 {
				t.Errorf("%d dots, want 6", dots)
			}
		})
	}
}

func TestOften(t *testing.T) {
	for rate, want := range map[float64]string{1: "one event a second", 2.5: "2.5 events a second", 0.1: "one event every 10 seconds"} {
		if got := (&campaign{rate: rate}).often(); got != want {
			t.Errorf("%v: %q, want %q", rate, got, want)
		}
	}
}
