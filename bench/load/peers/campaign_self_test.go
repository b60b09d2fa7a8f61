package peers

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crier-go/crier/bench/internal/swarm"
	"github.com/crier-go/crier/bench/load/internal/peer"
)

func TestEveryScenarioHasPeersAndItsFloor(t *testing.T) {
	if n := len(slices.Compact(slices.Sorted(slices.Values(names())))); n != len(all) {
		t.Errorf("%d peers have %d names", len(all), n)
	}
	if n := len(slices.Compact(slices.Sorted(slices.Values(scenarioNames())))); n != len(scenarios) {
		t.Errorf("%d scenarios have %d names", len(scenarios), n)
	}
	for _, s := range scenarios {
		var who []string
		for _, p := range all {
			if s.includes(&p) {
				who = append(who, p.Name)
			}
		}
		if len(who) < 3 || !slices.Contains(who, s.floor) {
			t.Errorf("%s: measured for %v, floor %q", s.name, who, s.floor)
		}
	}
}

func TestParse(t *testing.T) {
	var c campaign
	if _, err := c.parse([]string{"-scenarios", "sse-full,encode,sse-full-1k", "-peers", "go-sse", "-seconds", "0.5", "-rounds", "2"}, io.Discard); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range c.scenarios {
		names = append(names, s.name)
	}
	if got, want := strings.Join(names, " "), "sse-full-1k sse-full-5k encode"; got != want {
		t.Errorf("scenarios %s, want %s", got, want)
	}
	for _, p := range c.peers {
		if p.Name != "go-sse" && p.Kind != peer.Floor {
			t.Errorf("%s takes part", p.Name)
		}
	}
	if c.length != 500*time.Millisecond || c.rounds != 2 {
		t.Errorf("%d rounds of %v", c.rounds, c.length)
	}
}

// What cannot be written in the end is refused before anything is measured.
func TestRefusesBeforeMeasuring(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // what is not refused must not run for a quarter of an hour
	const text = "# A\n<!-- peers: x -->\nold\n<!-- /peers -->\n"
	document := filepath.Join(t.TempDir(), "DOC.md")
	if err := os.WriteFile(document, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"complete runs":                    {"-into", document, "-scenarios", "encode,fanout"},
		"complete runs, because":           {"-into", document, "-peers", "crier,gws"},
		"no such file":                     {"-into", document + ".none"},
		"must be positive":                 {"-rounds", "0"},
		"-seconds must be positive":        {"-seconds", "NaN"},
		"\"more\" is not a flag":           {"more"},
		`unknown scenario "smoke"`:         {"-scenarios", "smoke"},
		`unknown peer "smoke"; the peers`:  {"-peers", "smoke"},
		"not a positive number":            {"-procs", "0"},
		"flag provided but not defined: -": {"-smoke"},
	} {
		var stdout, stderr bytes.Buffer
		err := runReport(ctx, args, &stdout, &stderr)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want an error with %q", args, err, want)
		}
		if strings.Contains(stderr.String(), "[1/") || stdout.Len() > 0 {
			t.Errorf("%q: something was measured:\n%s%s", args, &stderr, &stdout)
		}
	}
	if got, err := os.ReadFile(document); err != nil || string(got) != text {
		t.Errorf("the document has become %q, %v", got, err)
	}
}

// small returns a scenario with few clients.
func small(t *testing.T, name string, size int) scenario {
	t.Helper()
	s, err := findScenario(name)
	if err != nil {
		t.Fatal(err)
	}
	s.size = size
	return s
}

// Each kind of measurement in small, over loopback and between processes: everything arrives.
func TestMeasureOverNetwork(t *testing.T) {
	t.Parallel()
	for _, peerName := range []string{"go-sse", "gws", "crier"} {
		p, err := find(peerName)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"sse-paced", "ws-paced", "sse-full-1k", "ws-full-1k", "sse-idle", "ws-idle"} {
			s := small(t, name, 10)
			if !s.includes(&p) {
				continue
			}
			if s.kind == idle {
				s.size = 300 // so many that what a process gains or loses by itself does not matter
			}
			t.Run(fmt.Sprintf("%s/%s", p.Name, s.name), func(t *testing.T) {
				t.Parallel()
				c := campaign{length: 100 * time.Millisecond}
				m, err := c.once(t.Context(), &s, &p)
				if err != nil {
					t.Fatal(err)
				}
				if m.Lost != 0 || m.Closed != 0 || m.Disorder != 0 || m.Value <= 0 {
					t.Errorf("%+v", m)
				}
			})
		}
	}
}

// forgetful is the hand-written handler, but loses every tenth event. (The real peers lose what the machine makes
// them: on some, nothing.) Being a floor that no scenario names, it takes part in none.
var forgetful = peer.Peer{
	Name: "forgetful", Title: "loses every tenth event", Kind: peer.Floor,
	SSE: func() (*peer.Target, error) {
		p, err := find("handwritten")
		if err != nil {
			return nil, err
		}
		t, err := p.SSE()
		if err != nil {
			return nil, err
		}
		publish, events := t.Publish, 0
		t.Publish = func(it peer.Item, user int) {
			if it.Number != swarm.Probe {
				if events++; events%10 == 0 {
					return
				}
			}
			publish(it, user)
		}
		return t, nil
	},
}

func TestLossesAreCounted(t *testing.T) {
	t.Parallel()
	s := small(t, "sse-paced", 10)
	c := campaign{length: time.Second}
	m, err := c.once(t.Context(), &s, &forgetful)
	if err != nil {
		t.Fatal(err)
	}
	if m.Lost != 0.1 || m.Closed != 0 || m.Disorder != 0 {
		t.Errorf("lost %v of %d events, closed %d, disorder %d; want 0.1, 0, 0", m.Lost, pacedRate, m.Closed, m.Disorder)
	}
}

// A profile is written of each kind of measurement.
func TestProfiles(t *testing.T) {
	t.Parallel()
	p, err := find("crier")
	if err != nil {
		t.Fatal(err)
	}
	c := campaign{length: 100 * time.Millisecond, profiles: t.TempDir()}
	for _, s := range []scenario{small(t, "sse-paced", 10), small(t, "ws-idle", 300), small(t, "fanout", 10)} {
		if _, err := c.once(t.Context(), &s, &p); err != nil {
			t.Fatal(err)
		}
		if f, err := os.Stat(filepath.Join(c.profiles, s.name+"-crier.pprof")); err != nil || f.Size() == 0 {
			t.Errorf("%s: profile %v, %v", s.name, f, err)
		}
	}
}

func TestMeasureInMemory(t *testing.T) {
	for _, p := range all {
		for _, routed := range []bool{false, true} {
			if p.Fanout == nil || routed && p.Route == nil {
				continue
			}
			var m Sample
			if err := measureInMemory(&p, routed, 10, 10*time.Millisecond, &m); err != nil || m.Value <= 0 {
				t.Errorf("%s, routed %t: %+v, %v", p.Name, routed, m, err)
			}
		}
	}
}

// When it is interrupted, it reports what it has.
func TestRunInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout bytes.Buffer
	err := runReport(ctx, []string{"-scenarios", "fanout", "-peers", "crier"}, &stdout, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("run returned %v", err)
	}
	if !strings.Contains(stdout.String(), "| **Crier** | not measured |") {
		t.Errorf("the report is\n%s", &stdout)
	}
}

// A child that cannot do what it is asked says so, and does not hang.
func TestFailuresAreTold(t *testing.T) {
	t.Parallel()
	c := campaign{length: 10 * time.Millisecond}
	p, err := find("gin")
	if err != nil {
		t.Fatal(err)
	}
	s := small(t, "sse-paced", 1)
	if _, err := c.once(t.Context(), &s, &p); err == nil || !strings.Contains(err.Error(), "does not support sse") {
		t.Errorf("measuring gin over SSE: %v", err)
	}
}
