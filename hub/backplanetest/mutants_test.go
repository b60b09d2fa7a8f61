package backplanetest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
)

// A mutant is a backplane that breaks one clause of the contract. What it does
// not override, it does right.
type mutant struct {
	*Handle
	ended  chan struct{} // closed after the test
	append func(context.Context, hub.Record) error
	tail   func(context.Context) (hub.Tail, error)
	follow func(context.Context, uint64, func([]hub.SequencedRecord) error) error
}

func (m *mutant) Append(ctx context.Context, r hub.Record) error {
	if m.append != nil {
		return m.append(ctx, r)
	}
	return m.Handle.Append(ctx, r)
}

func (m *mutant) Tail(ctx context.Context) (hub.Tail, error) {
	if m.tail != nil {
		return m.tail(ctx)
	}
	return m.Handle.Tail(ctx)
}

func (m *mutant) Follow(ctx context.Context, after uint64, apply func([]hub.SequencedRecord) error) error {
	if m.follow != nil {
		return m.follow(ctx, after, apply)
	}
	return m.Handle.Follow(ctx, after, apply)
}

// alters makes a mutation of a func that alters each batch.
func alters(alter func(batch []hub.SequencedRecord) []hub.SequencedRecord) func(*mutant) {
	return func(m *mutant) {
		m.follow = func(ctx context.Context, after uint64, apply func([]hub.SequencedRecord) error) error {
			return m.Handle.Follow(ctx, after, func(batch []hub.SequencedRecord) error { return apply(alter(batch)) })
		}
	}
}

// reports makes a mutation of a func that alters what Tail returns.
func reports(alter func(*hub.Tail)) func(*mutant) {
	return func(m *mutant) {
		m.tail = func(ctx context.Context) (hub.Tail, error) {
			t, err := m.Handle.Tail(ctx)
			alter(&t)
			return t, err
		}
	}
}

// follows makes a mutation of a Follow that is given the right one.
func follows(f func(right hub.Backplane, ctx context.Context, after uint64, apply func([]hub.SequencedRecord) error) error) func(*mutant) {
	return func(m *mutant) {
		m.follow = func(ctx context.Context, after uint64, apply func([]hub.SequencedRecord) error) error {
			return f(m.Handle, ctx, after, apply)
		}
	}
}

// appends makes a mutation of an Append that is given the right one.
func appends(f func(right *Handle, ctx context.Context, r hub.Record) error) func(*mutant) {
	return func(m *mutant) {
		m.append = func(ctx context.Context, r hub.Record) error { return f(m.Handle, ctx, r) }
	}
}

// mutations names, for each mutation, a check that must notice it, and what that
// says.
var mutations = []struct {
	name   string
	mutate func(*mutant)
	check  string
	says   string
}{
	{"two records change places", alters(func(batch []hub.SequencedRecord) []hub.SequencedRecord {
		if n := len(batch); n > 1 {
			batch[0].Record, batch[1].Record = batch[1].Record, batch[0].Record
		}
		return batch
	}), "follow from any position", "want that with index"},
	{"positions do not increase", alters(func(batch []hub.SequencedRecord) []hub.SequencedRecord {
		batch[0].Position++
		return batch
	}), "follow from any position", "came after"},
	{"a record is lost", alters(func(batch []hub.SequencedRecord) []hub.SequencedRecord {
		if len(batch) > 3 {
			return batch[:len(batch)-1]
		}
		return batch
	}), "follow from any position", "have not come"},
	{"data is cut at a NUL", alters(func(batch []hub.SequencedRecord) []hub.SequencedRecord {
		for i, r := range batch {
			data, _, _ := strings.Cut(string(r.Data), "\x00")
			batch[i].Data = []byte(data)
		}
		return batch
	}), "any bytes", "has"},
	{"Last is one too small", reports(func(t *hub.Tail) { t.Last = max(t.Last, 1) - 1 }), "order", "last position 99"},
	{"Last is that of the newest retained", func(m *mutant) {
		m.tail = func(ctx context.Context) (hub.Tail, error) {
			t, err := m.Handle.Tail(ctx)
			if t.First > t.Last {
				t.First, t.Last = 1, 0
			}
			return t, err
		}
	}, "retention", "last position 0"},
	{"First is always 1", reports(func(t *hub.Tail) { t.First = 1 }), "retention", "first position 1"},
	{"the epoch is another one each time", reports(func(t *hub.Tail) { t.Epoch += uuid.NewString() }), "broken connection", "the epoch was"},
	{"the epoch is always the same", reports(func(t *hub.Tail) { t.Epoch = "x" }), "lost sequence", "the epoch is still"},
	{"Append returns before the record is in the sequence", appends(func(h *Handle, ctx context.Context, r hub.Record) error {
		r.Data = append([]byte(nil), r.Data...)
		go func() {
			<-time.After(time.Duration(r.ID[15]%2) * time.Second)
			h.Append(context.WithoutCancel(ctx), r)
		}()
		return nil
	}), "order", "want that with index"},
	{"concurrent Appends return before their records are in the sequence", appends(func(h *Handle, ctx context.Context, r hub.Record) error {
		if r.ID[15]%2 == 0 {
			return h.Append(ctx, r)
		}
		r.Data = append([]byte(nil), r.Data...)
		go func() {
			<-time.After(time.Second)
			h.Append(context.WithoutCancel(ctx), r)
		}()
		return nil
	}), "concurrent appends", "began after"},
	{"Append retains data", appends(func(h *Handle, ctx context.Context, r hub.Record) error {
		err := h.Append(ctx, hub.Record{ID: r.ID, Life: r.Life})
		data := r.Data
		h.m.mu.Lock()
		defer h.m.mu.Unlock()
		for i := range h.m.records {
			if h.m.records[i].ID == r.ID {
				h.m.records[i].Data = data
			}
		}
		return err
	}), "follow from any position", "want"},
	{"a record is dropped without an error", appends(func(h *Handle, ctx context.Context, r hub.Record) error {
		if r.ID[15]%8 == 0 {
			return nil
		}
		return h.Append(ctx, r)
	}), "concurrent appends", "have not come"},
	{"too large is unavailable", appends(func(h *Handle, ctx context.Context, r hub.Record) error {
		if len(r.Data) > MemoryLimit {
			return hub.ErrUnavailable
		}
		return h.Append(ctx, r)
	}), "big records", "want a *hub.RecordTooLargeError"},
	{"a large record is cut", appends(func(h *Handle, ctx context.Context, r hub.Record) error {
		if len(r.Data) <= MemoryLimit {
			r.Data = r.Data[:min(len(r.Data), 1<<16)]
		}
		return h.Append(ctx, r)
	}), "big records", "and 65504 bytes more"},
	{"Append fails without ErrUnavailable", appends(func(h *Handle, ctx context.Context, r hub.Record) error {
		if err := h.Append(ctx, r); err != nil {
			return errors.New("something broke")
		}
		return nil
	}), "engine away", "want an error that wraps hub.ErrUnavailable"},
	{"Append ignores its context", appends(func(h *Handle, _ context.Context, r hub.Record) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		return h.Append(ctx, r)
	}), "silent connection", "did not return in time"},
	{"Append hides the cause", appends(func(h *Handle, ctx context.Context, r hub.Record) error {
		if err := h.Append(ctx, r); err != nil {
			return hub.ErrUnavailable
		}
		return nil
	}), "cancelled contexts", "want the cause"},
	{"Follow begins at the end", follows(func(right hub.Backplane, ctx context.Context, after uint64, apply func([]hub.SequencedRecord) error) error {
		t, err := right.Tail(ctx)
		if err != nil {
			return err
		}
		return right.Follow(ctx, t.Last, apply)
	}), "order", "have not come"},
	{"Follow begins with the position itself", follows(func(right hub.Backplane, ctx context.Context, after uint64, apply func([]hub.SequencedRecord) error) error {
		return right.Follow(ctx, max(after, 1)-1, apply)
	}), "follow from any position", "came after"},
	{"Follow waits beyond the end", follows(func(right hub.Backplane, ctx context.Context, after uint64, apply func([]hub.SequencedRecord) error) error {
		if t, err := right.Tail(ctx); err == nil && after > t.Last {
			<-ctx.Done()
			return context.Cause(ctx)
		}
		return right.Follow(ctx, after, apply)
	}), "beyond the end", "has not returned"},
	{"Follow does not compare epochs", func(m *mutant) {
		m.follow = func(ctx context.Context, after uint64, apply func([]hub.SequencedRecord) error) error {
			return m.Handle.m.Handle().Follow(ctx, after, apply)
		}
	}, "lost sequence", "last Tail of this backplane"},
	{"Follow reconnects by itself", follows(reconnecting), "broken connection", "has not returned"},
	{"Follow does not notice silence", follows(func(right hub.Backplane, ctx context.Context, after uint64, apply func([]hub.SequencedRecord) error) error {
		err := right.Follow(ctx, after, apply)
		if errors.Is(err, errSilent) {
			<-ctx.Done()
		}
		return err
	}), "silent connection", "has not returned"},
	{"Follow ends when nothing happens", follows(func(right hub.Backplane, ctx context.Context, after uint64, apply func([]hub.SequencedRecord) error) error {
		ctx, cancel := context.WithTimeoutCause(ctx, 9*time.Second, hub.ErrUnavailable)
		defer cancel()
		return right.Follow(ctx, after, apply)
	}), "idle connection", "ended while nothing happened"},
	{"Follow hides the error of apply", follows(func(right hub.Backplane, ctx context.Context, after uint64, apply func([]hub.SequencedRecord) error) error {
		if err := right.Follow(ctx, after, apply); err != nil {
			return hub.ErrUnavailable
		}
		return nil
	}), "resume", "the backplane is unavailable"},
	{"Follow hides the cause", follows(func(right hub.Backplane, ctx context.Context, after uint64, apply func([]hub.SequencedRecord) error) error {
		if err := right.Follow(ctx, after, apply); ctx.Err() != nil {
			return ctx.Err()
		} else {
			return err
		}
	}), "cancelled contexts", "not the cause of its context"},
	{"Follow returns nil", follows(func(right hub.Backplane, ctx context.Context, after uint64, apply func([]hub.SequencedRecord) error) error {
		right.Follow(ctx, after, apply)
		return nil
	}), "order", "Follow returned nil"},
	{"apply is called concurrently", follows(func(right hub.Backplane, ctx context.Context, after uint64, apply func([]hub.SequencedRecord) error) error {
		return right.Follow(ctx, after, func(batch []hub.SequencedRecord) error {
			errs := make(chan error, 2)
			go func() { errs <- apply(batch[:1]) }()
			go func() { errs <- apply(batch[1:]) }()
			return errors.Join(<-errs, <-errs)
		})
	}), "slow apply", "two goroutines at a time"},
	{"Follow drops what apply is slow for", follows(dropping), "slow apply", "have not come"},
	{"Follow leaves a goroutine behind", func(m *mutant) {
		m.follow = func(ctx context.Context, after uint64, apply func([]hub.SequencedRecord) error) error {
			go func() { <-m.ended }()
			return m.Handle.Follow(ctx, after, apply)
		}
	}, "goroutines", "goroutines before"},
	{"a record with a life is not retained", appends(func(h *Handle, ctx context.Context, r hub.Record) error {
		if r.Life > 0 {
			return nil
		}
		return h.Append(ctx, r)
	}), "life", "have not come"},
	{"Follow is silent about expired records", alters(func(batch []hub.SequencedRecord) []hub.SequencedRecord {
		return slices.DeleteFunc(batch, func(r hub.SequencedRecord) bool { return r.ID == uuid.Nil })
	}), "expired records", "Tail said that the last is 6"},
	{"an empty sequence begins at 0", reports(func(t *hub.Tail) {
		if t.Last == 0 {
			t.First = 0
		}
	}), "empty sequence", "first position 0"},
}

// reconnecting follows on after a broken connection.
func reconnecting(right hub.Backplane, ctx context.Context, after uint64, apply func([]hub.SequencedRecord) error) error {
	for {
		err := right.Follow(ctx, after, func(batch []hub.SequencedRecord) error {
			after = batch[len(batch)-1].Position
			return apply(batch)
		})
		if !errors.Is(err, errLost) {
			return err
		}
	}
}

// dropping drops what comes while apply runs.
func dropping(right hub.Backplane, ctx context.Context, after uint64, apply func([]hub.SequencedRecord) error) error {
	var busy atomic.Bool
	queue := make(chan []hub.SequencedRecord, 1)
	var consumer sync.WaitGroup
	consumer.Go(func() {
		for batch := range queue {
			apply(batch)
			busy.Store(false)
		}
	})
	err := right.Follow(ctx, after, func(batch []hub.SequencedRecord) error {
		if busy.Swap(true) {
			return nil
		}
		own := append([]hub.SequencedRecord(nil), batch...)
		for i := range own {
			own[i].Data = append([]byte(nil), own[i].Data...)
		}
		queue <- own
		return nil
	})
	close(queue)
	consumer.Wait()
	return err
}

func TestSuiteNotices(t *testing.T) {
	byName := map[string]check{}
	for _, c := range checks {
		byName[c.name] = c
	}
	unused := maps.Clone(byName)
	for _, m := range mutations {
		delete(unused, m.check)
		t.Run(m.name, func(t *testing.T) {
			c, ok := byName[m.check]
			if !ok {
				t.Fatalf("there is no check %q", m.check)
			}
			synctest.Test(t, func(t *testing.T) {
				ended := make(chan struct{})
				t.Cleanup(func() { close(ended) })
				err := c.run(t, NewMemory().engine(func(h *Handle) hub.Backplane {
					mutated := &mutant{Handle: h, ended: ended}
					m.mutate(mutated)
					return mutated
				}))
				if err == nil {
					t.Errorf("%q noticed nothing", m.check)
				} else if !strings.Contains(err.Error(), m.says) {
					t.Errorf("%q says %q, want something with %q", m.check, err, m.says)
				}
			})
		})
	}
	for name := range unused {
		if _, ok := losses[name]; !ok {
			t.Errorf("no mutation shows that %q notices anything", name)
		}
	}
}

// losses are engines that lose what they had acknowledged without a new epoch,
// by the check that must notice.
var losses = map[string]func(*Memory, *Engine){
	"restarted engine":  func(m *Memory, e *Engine) { e.Restart = func(testing.TB) { m.Regress(40) } },
	"lost sequence":     func(m *Memory, e *Engine) { e.Lose = func(testing.TB) { m.Regress(0) } },
	"broken connection": func(m *Memory, e *Engine) { e.Cut = func() { m.Regress(3) } },
}

func TestSuiteNoticesLosses(t *testing.T) {
	for _, c := range checks {
		alter, ok := losses[c.name]
		if !ok {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := NewMemory()
				e := m.engine(nil)
				alter(m, &e)
				if err := c.run(t, e); err == nil {
					t.Error("the check noticed nothing")
				}
			})
		})
	}
}
