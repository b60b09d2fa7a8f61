package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// sample is the report of a campaign in which one transport was measured in
// full, one ran out of connections, and one failed.
func sample() *report {
	held := reading{
		Users: 4000, Clients: 8000, Rate: 4000, Deliveries: 8000, P50: time.Millisecond, P99: 80 * time.Millisecond,
		Server: 0.5, Swarm: 0.25, Each: 12 * time.Microsecond,
	}
	tooMany := held
	tooMany.Users, tooMany.Clients, tooMany.Rate, tooMany.Swarm = 8000, 16000, 8000, 0.5
	luckless := tooMany // the same load, in a bad second
	luckless.Missing = 12
	pushed := held
	pushed.Rate, pushed.Deliveries = 16000, 32000
	return &report{
		campaign: &campaign{tabs: 2, rate: 1, size: 200},
		machine:  "a <machine>", when: time.Date(2026, 3, 14, 15, 9, 0, 0, time.UTC), took: time.Minute, others: 0.3,
		results: []result{
			{Transport: "sse", Idle: 28_000, Active: 30_000, Clients: []reading{held, luckless, tooMany}, Held: &held, Rates: []reading{pushed}, Most: &pushed},
			{Transport: "lean", Idle: 5_000, Clients: []reading{held}, Pushed: []reading{pushed}, Held: &pushed, Ended: "time was up"},
			{Transport: "ws", Err: errors.New("broken")},
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
	r.results = nil
	if got := r.sentence(); got != "Nothing was measured." {
		t.Errorf("of nothing: %s", got)
	}
}

func TestText(t *testing.T) {
	text := sample().text()
	for _, want := range []string{
		"a <machine>", "2026-03-14 15:09 UTC", "one event a second of 200 bytes", "99 of 100", "100ms", "80 %",
		"8,000", "80 ms", "12 µs", "27 KB", "time was up", "CPU is over 80 %", "32,000", "Other programs used 30 %",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, "This machine holds") {
		t.Errorf("the last line is %q", last)
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestStopped(t *testing.T) {
	r := sample()
	for i, want := range []string{"CPU is over 80 %", "time was up", "-"} {
		// The first was also too much once because something was missing: of
		// the same load, the second try counts.
		if got := r.results[i].stopped(); got != want {
			t.Errorf("%s: %q, want %q", r.results[i].Transport, got, want)
		}
	}
}

// The picture is well-formed, knows dark pages, and draws what was measured,
// within its own bounds.
func TestSVG(t *testing.T) {
	for name, r := range map[string]*report{"sample": sample(), "nothing": {campaign: &campaign{rate: 1}}} {
		t.Run(name, func(t *testing.T) {
			svg := string(r.svg())
			dec := xml.NewDecoder(strings.NewReader(svg))
			count := map[string]int{}
			for {
				tok, err := dec.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("not well-formed: %v\n%s", err, svg)
				}
				if e, ok := tok.(xml.StartElement); ok {
					count[e.Name.Local]++
				}
			}
			if !strings.Contains(svg, "prefers-color-scheme: dark") {
				t.Error("it does not know dark pages")
			}
			if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") || strings.Contains(svg, `="-`) {
				t.Errorf("a coordinate is not one:\n%s", svg)
			}
			if name == "sample" {
				// Two plots of two lines for clients, two of one for events.
				if count["polyline"] != 6 || count["circle"] != 6 {
					t.Errorf("%d lines and %d dots; want 6 and 6", count["polyline"], count["circle"])
				}
				if !strings.Contains(svg, "a &lt;machine&gt;") {
					t.Error("the machine's name is not there, or not escaped")
				}
			}
		})
	}
}

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		grouped(0): "0", grouped(999): "999", grouped(1000): "1,000", grouped(-1234567): "-1,234,567",
		short(0): "0.0 µs", short(1500 * time.Nanosecond): "1.5 µs", short(99_960 * time.Nanosecond): "100 µs",
		short(12 * time.Millisecond): "12 ms", short(90 * time.Second): "90 s",
		memory(0): "-", memory(5 << 10): "5.0 KB", memory(3 << 20): "3.0 MB",
		percent(0.804): "80 %", plural(1, "tab"): "tab", plural(2, "tab"): "tabs",
		perSecond(1): "one event a second", perSecond(2.5): "2.5 events a second", perSecond(0.1): "one event every 10 seconds",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
