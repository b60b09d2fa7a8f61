package main

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

func TestOver(t *testing.T) {
	fine := Reading{P99: 100 * time.Millisecond, Server: 0.5, Swarm: 0.3}
	for _, test := range []struct {
		name   string
		change func(*Reading)
		want   string
	}{
		{"right at the limits", func(*Reading) {}, ""},
		{"too slow", func(r *Reading) { r.P99++ }, "p99"},
		{"too busy", func(r *Reading) { r.Swarm += 0.01 }, "CPU is over 80 %"},
		{"lossy", func(r *Reading) { r.Missing = 3 }, "3 deliveries"},
		{"gaps", func(r *Reading) { r.Gaps, r.Missing = 2, 7 }, "2 gaps"},
		{"closed", func(r *Reading) { r.Closed, r.Gaps = 1, 1 }, "1 connections"},
		{"cannot publish", func(r *Reading) { r.Unpublished, r.P99 = 1, time.Hour }, "no time to publish"},
	} {
		r := fine
		test.change(&r)
		if got := r.over(); got != test.want && (test.want == "" || !strings.Contains(got, test.want)) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestEasy(t *testing.T) {
	for _, test := range []struct {
		r    Reading
		want bool
	}{
		{Reading{P99: 10 * time.Millisecond, Server: 0.1, Swarm: 0.05}, true},
		{Reading{P99: 30 * time.Millisecond, Server: 0.1}, false},
		{Reading{P99: time.Millisecond, Server: 0.1, Swarm: 0.15}, false},
		{Reading{P99: time.Millisecond, Missing: 1}, false},
	} {
		if got := test.r.easy(); got != test.want {
			t.Errorf("easy(%+v): %v", test.r, got)
		}
	}
}

// climb runs a ramp on a machine that holds so much, and returns what the ramp
// found and which loads it tried.
func climb(r ramp, holds func(load float64) bool, easyBelow float64) (found float64, tried []float64) {
	for {
		load, ok := r.next()
		if !ok || len(tried) == 100 {
			return r.held, tried
		}
		tried = append(tried, load)
		r.note(load, holds(load), load < easyBelow)
	}
}

func TestRampFindsTheLimit(t *testing.T) {
	for _, limit := range []float64{3, 100, 256, 257, 1000, 54321, 900_000} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			found, tried := climb(ramp{start: 256, most: 1e6}, func(load float64) bool { return load <= limit }, limit/20)
			if found > limit || found < limit/closeEnough {
				t.Errorf("found %v of %v, by way of %v", found, limit, tried)
			}
			if len(tried) > 25 {
				t.Errorf("it took %d steps: %v", len(tried), tried)
			}
		})
	}
}

func TestRampEnds(t *testing.T) {
	for _, test := range []struct {
		name  string
		holds func(float64) bool
		want  float64
	}{
		{"nothing is too much", func(float64) bool { return true }, 5000},
		{"everything is", func(float64) bool { return false }, 0},
	} {
		found, tried := climb(ramp{start: 256, most: 5000}, test.holds, 0)
		if found != test.want || len(tried) > 20 {
			t.Errorf("%s: found %v, by way of %v; want %v", test.name, found, tried, test.want)
		}
		for _, load := range tried {
			if load > 5000 {
				t.Errorf("%s: tried %v, which is over the most", test.name, load)
			}
		}
	}
}

// One bad second must not end a ramp.
func TestRampForgivesOnce(t *testing.T) {
	tries := map[float64]int{}
	found, tried := climb(ramp{start: 100, most: 1e6}, func(load float64) bool {
		tries[load]++
		return load <= 1000 && tries[load]%2 == 0 // fails at first, every time
	}, 0)
	if found > 1000 || found < 1000/closeEnough {
		t.Errorf("found %v of 1000, by way of %v", found, tried)
	}
}

// Where a step was easy, the ramp takes two at a time.
func TestRampHurries(t *testing.T) {
	_, slow := climb(ramp{start: 1, most: math.Pow(4, 6)}, func(float64) bool { return true }, 0)
	_, quick := climb(ramp{start: 1, most: math.Pow(4, 6)}, func(float64) bool { return true }, math.Inf(1))
	if len(slow) != 13 || len(quick) != 7 {
		t.Errorf("%d steps when none is easy, %d when all are; want 13 and 7", len(slow), len(quick))
	}
}
