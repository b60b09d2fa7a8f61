package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crier-go/crier/bench/internal/child"
)

// The test binary plays server and client as the program does.
func TestMain(m *testing.M) {
	peers = append(peers, forgetful)
	child.Main(roles)
	// Under the race detector every process sleeps for a second when it ends; the children need not.
	os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
	os.Exit(m.Run())
}

func TestEveryScenarioHasPeersAndItsFloor(t *testing.T) {
	if n := len(slices.Compact(slices.Sorted(slices.Values(peerNames())))); n != len(peers) {
		t.Errorf("%d peers have %d names", len(peers), n)
	}
	if n := len(slices.Compact(slices.Sorted(slices.Values(scenarioNames())))); n != len(scenarios) {
		t.Errorf("%d scenarios have %d names", len(scenarios), n)
	}
	for _, s := range scenarios {
		var who []string
		for _, p := range peers {
			if s.includes(&p) {
				who = append(who, p.name)
			}
		}
		if len(who) < 3 || !slices.Contains(who, s.floor) {
			t.Errorf("%s: measured for %v, floor %q", s.name, who, s.floor)
		}
	}
}

func TestChoose(t *testing.T) {
	var c campaign
	if err := c.choose("sse-full,encode,sse-full-1k", "go-sse"); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range c.scenarios {
		names = append(names, s.name)
	}
	if got, want := strings.Join(names, " "), "sse-full-1k sse-full-5k encode"; got != want {
		t.Errorf("scenarios %s, want %s", got, want)
	}
	if err := c.choose("nonsense", ""); err == nil {
		t.Error("an unknown scenario is accepted")
	}
	if err := c.choose("", "nonsense"); err == nil {
		t.Error("an unknown peer is accepted")
	}
}

// Each kind of measurement, over loopback and between processes, in small: everything arrives.
func TestMeasureOverNetwork(t *testing.T) {
	t.Parallel()
	for _, peerName := range []string{"go-sse", "gws", "crier"} {
		p, err := findPeer(peerName)
		if err != nil {
			t.Fatal(err)
		}
		for _, tr := range []protocol{sse, ws} {
			for _, kind := range []scenarioKind{paced, saturated, idle} {
				s := overNetwork(tr, kind, 10)
				if !s.includes(&p) {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s", p.name, s.name), func(t *testing.T) {
					t.Parallel()
					c := campaign{rounds: 1, length: 100 * time.Millisecond, progress: io.Discard}
					m, err := c.once(t.Context(), &s, &p)
					if err != nil {
						t.Fatal(err)
					}
					if m.lost != 0 || m.closed != 0 || m.disorder != 0 {
						t.Errorf("lost %v, closed %d, disorder %d", m.lost, m.closed, m.disorder)
					}
					if m.value <= 0 {
						t.Errorf("value %v", m.value)
					}
				})
			}
		}
	}
}

// forgetful is the hand-written handler, but loses every tenth event. (The real peers lose what the machine makes
// them: on some, nothing.) Being a floor that no scenario names, it takes part in none.
var forgetful = peer{
	name: "forgetful", title: "loses every tenth event", kind: floor,
	sse: func() (*target, error) {
		t, err := handWritten.sse()
		if err != nil {
			return nil, err
		}
		publish, events := t.publish, 0
		t.publish = func(it item) {
			if it.seq != probeSeq {
				if events++; events%10 == 0 {
					return
				}
			}
			publish(it)
		}
		return t, nil
	},
}

func TestLossesAreCounted(t *testing.T) {
	t.Parallel()
	s := overNetwork(sse, paced, 10)
	c := campaign{rounds: 1, length: time.Second, progress: io.Discard}
	m, err := c.once(t.Context(), &s, &forgetful)
	if err != nil {
		t.Fatal(err)
	}
	if m.lost != 0.1 || m.closed != 0 || m.disorder != 0 {
		t.Errorf("lost %v of %d events, closed %d, disorder %d; want 0.1, 0, 0", m.lost, pacedRate, m.closed, m.disorder)
	}
}

// A profile is written of each kind of measurement, where it was asked for.
func TestProfiles(t *testing.T) {
	t.Parallel()
	p, err := findPeer("crier")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []scenario{overNetwork(sse, paced, 10), overNetwork(ws, idle, 10), scenarios[0]} {
		c := campaign{rounds: 1, length: 100 * time.Millisecond, progress: io.Discard, profiles: t.TempDir()}
		if _, err := c.once(t.Context(), &s, &p); err != nil {
			t.Fatal(err)
		}
		if f, err := os.Stat(c.profile(&s, &p)); err != nil || f.Size() == 0 {
			t.Errorf("%s: profile %v, %v", s.name, f, err)
		}
	}
}

func TestMeasureInMemory(t *testing.T) {
	for _, p := range peers {
		if p.fanout == nil {
			continue
		}
		r, err := measureFanout(p, 10, 10*time.Millisecond)
		if err != nil {
			t.Errorf("%s, fan-out: %v", p.name, err)
		}
		if r.Window == 0 || r.WindowTime == 0 {
			t.Errorf("%s, fan-out: %+v", p.name, r)
		}
		if p.route == nil {
			continue
		}
		if r, err = measureRoute(p, 10, 10*time.Millisecond); err != nil {
			t.Errorf("%s, route: %v", p.name, err)
		}
		if r.Window == 0 || r.WindowTime == 0 {
			t.Errorf("%s, route: %+v", p.name, r)
		}
	}
}

// A child that cannot do what it is asked says so, and does not hang.
func TestFailuresAreTold(t *testing.T) {
	t.Parallel()
	c := campaign{rounds: 1, length: 10 * time.Millisecond, progress: io.Discard}
	p, err := findPeer("gin")
	if err != nil {
		t.Fatal(err)
	}
	s := overNetwork(sse, paced, 1)
	if _, err := c.once(t.Context(), &s, &p); err == nil || !strings.Contains(err.Error(), "does not speak sse") {
		t.Errorf("measuring gin over SSE: %v", err)
	}
}
