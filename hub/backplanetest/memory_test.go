package backplanetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crier-go/crier/hub"
)

// engine returns what the suite can do to a Memory. wrap, if it is not nil,
// stands between the suite and each handle.
func (m *Memory) engine(wrap func(*Handle) hub.Backplane) Engine {
	var handles []*Handle
	silence := func(silent bool) {
		for _, h := range handles {
			h.SetFaults(Faults{Silent: silent})
		}
	}
	return Engine{
		Connect: func(testing.TB) hub.Backplane {
			h := m.Handle()
			handles = append(handles, h)
			if wrap != nil {
				return wrap(h)
			}
			return h
		},
		Limit:  MemoryLimit,
		Retain: func(_ testing.TB, n int) { m.Retain(n) },
		Restart: func(testing.TB) {
			m.SetAway(true)
			synctest.Wait() // so that everybody has noticed
			m.SetAway(false)
		},
		Lose: func(testing.TB) { m.Reset(0) },
		Cut: func() {
			for _, h := range handles {
				h.Break()
			}
		},
		SetAway:   m.SetAway,
		SetSilent: silence,
	}
}

func TestMemory(t *testing.T) {
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if err := c.run(t, NewMemory().engine(nil)); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// The suite's own way, in real time, with an engine of which it knows the least.
func TestRun(t *testing.T) {
	quick := slices.DeleteFunc(slices.Clone(checks), func(c check) bool { return c.name == "idle connection" || c.name == "expired records" })
	runChecks(t, func(testing.TB) Engine {
		m := NewMemory()
		return Engine{Connect: func(testing.TB) hub.Backplane { return m.Handle() }}
	}, quick)
}

// faulty runs f in a bubble, with a handle to a new Memory.
func faulty(t *testing.T, f func(t *testing.T, m *Memory, h *Handle)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		f(t, m, m.Handle())
	})
}

func TestAppendFaults(t *testing.T) {
	for name, c := range map[string]struct {
		fault   AppendFault
		fails   bool
		records int
		takes   time.Duration
	}{
		"none":           {records: 1},
		"delay":          {fault: AppendFault{Delay: time.Second}, records: 1, takes: time.Second},
		"lost":           {fault: AppendFault{Lost: true}, fails: true},
		"repeat":         {fault: AppendFault{Repeat: 2}, records: 3},
		"unacknowledged": {fault: AppendFault{Unacknowledged: true}, fails: true, records: 1},
		"late":           {fault: AppendFault{AckDelay: time.Minute}, records: 1, takes: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			faulty(t, func(t *testing.T, m *Memory, h *Handle) {
				h.SetFaults(Faults{Append: func(hub.Record) AppendFault { return c.fault }})
				start := time.Now()
				err := h.Append(t.Context(), makeRecord(nil))
				if c.fails != errors.Is(err, hub.ErrUnavailable) {
					t.Errorf("Append returned %v", err)
				}
				if got := len(m.Records()); got != c.records {
					t.Errorf("the sequence has %d records, want %d", got, c.records)
				}
				if took := time.Since(start); took != c.takes {
					t.Errorf("it took %v, want %v", took, c.takes)
				}
			})
		})
	}
}

// Acknowledgements can come in another order than that of the sequence.
func TestAcknowledgementsAreReordered(t *testing.T) {
	faulty(t, func(t *testing.T, m *Memory, h *Handle) {
		delay := 3 * time.Second
		h.SetFaults(Faults{Append: func(hub.Record) AppendFault {
			delay -= time.Second
			return AppendFault{AckDelay: delay}
		}})
		acked := make(chan int, 2)
		for i, r := range makeRecords(2) {
			go func() {
				if err := h.Append(t.Context(), r); err != nil {
					t.Error(err)
				}
				acked <- i
			}()
			synctest.Wait()
		}
		if first, second := <-acked, <-acked; first != 1 || second != 0 {
			t.Errorf("acknowledged %d, then %d", first, second)
		}
	})
}

func TestLag(t *testing.T) {
	faulty(t, func(t *testing.T, m *Memory, h *Handle) {
		h.SetFaults(Faults{Lag: time.Minute})
		f := follow(t, h, 0, nil)
		r := makeRecord(nil)
		if err := m.Handle().Append(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute - time.Nanosecond)
		synctest.Wait()
		if got, _ := f.records(); len(got) > 0 {
			t.Error("the record came too early")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if got, _ := f.records(); len(got) != 1 {
			t.Error("the record did not come in time")
		}
		if end, err := h.Tail(t.Context()); err != nil || end.Last != 1 {
			t.Errorf("Tail returned %+v, %v: it asks the engine, so it does not lag", end, err)
		}
	})
}

func TestConnectionBreaksInABatch(t *testing.T) {
	faulty(t, func(t *testing.T, m *Memory, h *Handle) {
		records := makeRecords(10)
		if err := appendAll(h, records...); err != nil {
			t.Fatal(err)
		}
		h.SetFaults(Faults{Follow: func(int) int { return 3 }})
		f := follow(t, h, 0, nil)
		if err := f.end(time.Second, "a batch broke"); err != nil {
			t.Error(err)
		}
		if got, _ := f.records(); same(got, records[:3]) != nil {
			t.Errorf("got %d records", len(got))
		}
	})
}

// Reset gives positions out again, Regress too, and only Reset tells.
func TestReset(t *testing.T) {
	faulty(t, func(t *testing.T, m *Memory, h *Handle) {
		if err := appendAll(h, makeRecords(5)...); err != nil {
			t.Fatal(err)
		}
		first, _ := h.Tail(t.Context())
		m.Regress(4)
		second, _ := h.Tail(t.Context())
		m.Reset(2)
		third, _ := h.Tail(t.Context())
		if second.Epoch != first.Epoch || third.Epoch == first.Epoch {
			t.Errorf("the epochs are %q, %q and %q", first.Epoch, second.Epoch, third.Epoch)
		}
		if first.Last != 5 || second.Last != 4 || third.Last != 2 {
			t.Errorf("the last positions are %d, %d and %d", first.Last, second.Last, third.Last)
		}
		r := makeRecord(nil)
		if err := appendAll(h, r); err != nil {
			t.Fatal(err)
		}
		if got := m.Records(); len(got) != 3 || got[2].Position != 3 || got[2].ID != r.ID {
			t.Errorf("the sequence is %v", got)
		}
	})
}

func TestLifeEnds(t *testing.T) {
	faulty(t, func(t *testing.T, m *Memory, h *Handle) {
		records := makeRecords(5)
		records[0].Life, records[2].Life, records[4].Life = time.Second, time.Hour, time.Minute
		if err := appendAll(h, records...); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			sleep time.Duration
			want  []uint64
		}{
			{0, []uint64{1, 2, 3, 4, 5}},
			{time.Second, []uint64{2, 3, 4, 5}},
			{time.Minute, []uint64{2, 3, 4}},
			{time.Hour, []uint64{2, 4}},
		} {
			time.Sleep(c.sleep)
			var got []uint64
			for _, r := range m.Records() {
				got = append(got, r.Position)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("retained are %v, want %v", got, c.want)
			}
		}
		if end, err := h.Tail(context.Background()); err != nil || end.First != 2 || end.Last != 5 {
			t.Errorf("Tail returned %+v, %v", end, err)
		}
	})
}

// A Follow that is overtaken by retention does not pass over what it missed.
func TestRetentionOvertakesFollow(t *testing.T) {
	faulty(t, func(t *testing.T, m *Memory, h *Handle) {
		h.SetFaults(Faults{Lag: time.Minute})
		f := follow(t, h, 0, nil)
		if err := appendAll(h, makeRecords(5)...); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		m.Retain(2)
		if err := f.end(time.Second, "records were removed"); err != nil {
			t.Error(err)
		}
	})
}

// What apply retains is overwritten.
func TestDataIsReused(t *testing.T) {
	faulty(t, func(t *testing.T, m *Memory, h *Handle) {
		var kept []byte
		f := follow(t, h, 0, func(batch []hub.SequencedRecord) error {
			kept = batch[0].Data
			return nil
		})
		r := makeRecord([]byte("hello"))
		if err := appendAll(h, r); err != nil {
			t.Fatal(err)
		}
		if _, err := f.until(r.ID); err != nil {
			t.Fatal(err)
		}
		if err := f.stop(); err != nil {
			t.Fatal(err)
		}
		if string(kept) == "hello" {
			t.Error("a hub that retains a batch's data would not be noticed")
		}
	})
}
