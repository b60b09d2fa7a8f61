package hub

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
)

const (
	soonest = 3 * time.Second
	latest  = 60 * time.Second
)

// Clients that all come at once are admitted up to a second's worth. The others are
// spread, and when they come back, all are admitted: nobody is refused twice.
func TestAdmissionSpreadsAStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, clients = 100, 1000
		var refused []Refusal
		h := New(&kinds, &Options{OpenRate: rate, Observer: &Observer{Refused: func(r Refusal) { refused = append(refused, r) }}})
		admitted := 0
		back := map[time.Duration]int{} // by second
		for range clients {
			wait, err := h.Admit(Request{Transport: "sse"}, soonest, latest)
			if err == nil {
				admitted++
				continue
			}
			if !errors.Is(err, ReasonOverloaded) || wait < soonest || wait > latest {
				t.Fatalf("refused with %v, to come back in %v", err, wait)
			}
			back[wait.Truncate(time.Second)]++
			time.AfterFunc(wait, func() {
				if _, err := h.Admit(Request{}, soonest, latest); err != nil {
					t.Errorf("refused a second time after %v", wait)
				}
			})
		}
		if admitted != rate {
			t.Errorf("%d were admitted at once, want %d", admitted, rate)
		}
		for second, n := range back {
			if n > rate {
				t.Errorf("%d come back in second %v", n, second)
			}
		}
		if n := h.Stats().Refused[ReasonOverloaded]; n != clients-rate || len(refused) != clients-rate || refused[0].Transport != "sse" {
			t.Errorf("%d refusals were counted and %d observed, want %d", n, len(refused), clients-rate)
		}
		time.Sleep(latest)
		synctest.Wait()
		if err := h.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A steady load at the rate is never refused, and one below it leaves room for a burst.
func TestAdmissionSteady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAdmission(100)
		for range 1000 {
			if wait, ok := a.admit(time.Now(), soonest, latest); !ok {
				t.Fatalf("refused for %v at the rate", wait)
			}
			time.Sleep(10 * time.Millisecond)
		}
		for i := range 101 {
			if _, ok := a.admit(time.Now(), soonest, latest); ok != (i < 100) {
				t.Fatalf("stream %d of a burst: admitted is %v", i, ok)
			}
		}
	})
}

// Whoever asks again and again moves nobody's time beyond the latest one.
func TestAdmissionBoundsWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAdmission(10)
		random := map[time.Duration]bool{}
		for range 10_000 {
			wait, ok := a.admit(time.Now(), soonest, latest)
			if !ok && (wait < soonest || wait > latest) {
				t.Fatalf("to come back in %v", wait)
			}
			random[wait] = true
		}
		if len(random) < 5000 {
			t.Errorf("10,000 clients have %d different waits", len(random))
		}
		time.Sleep(latest)
		if _, ok := a.admit(time.Now(), soonest, latest); !ok {
			t.Error("refused although nobody came for a minute")
		}
	})
}

func TestAdmissionOff(t *testing.T) {
	h := New(&kinds, &Options{OpenRate: -1})
	for range 100_000 {
		if _, err := h.Admit(Request{}, soonest, latest); err != nil {
			t.Fatal(err)
		}
	}
}

// With a rate, streams end no faster than it; and if the deadline forces them to,
// the transports are told to spread the reconnects as the rate asks.
func TestShutdownAtRate(t *testing.T) {
	for _, test := range []struct {
		name     string
		deadline time.Duration
		took     time.Duration
	}{
		{"time enough", time.Minute, 10 * time.Second},
		{"too little time", 5 * time.Second, 4 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := New(&kinds, nil)
				for range 1000 {
					go reader(must(h.Subscribe(request(uuid.New(), ""))), func(error) {})
				}
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), test.deadline)
				defer cancel()
				began := time.Now()
				if err := h.ShutdownAtRate(ctx, 100); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took > test.took || took < test.took-100*time.Millisecond {
					t.Errorf("took %v, want %v", took, test.took)
				}
				if got := h.ReconnectSpread(); got != 10*time.Second {
					t.Errorf("1000 clients spread over %v at 100 a second", got)
				}
			})
		})
	}
}
