package hub

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
)

// reader takes until its subscription ends, and then closes it.
func reader(s *Subscription, ended func(error)) {
	for {
		batch, err := s.Take(nil)
		if err != nil {
			ended(err)
			s.Close()
			return
		}
		if len(batch) == 0 {
			<-s.Ready()
		}
	}
}

// The ends are spread over the time there is, and each stream first gets what
// was published.
func TestShutdownSpreadsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const streams = 20_000
		h := New(&kinds, nil)
		var mu sync.Mutex
		ends := map[time.Duration]int{} // by second
		began := time.Now()
		for range streams {
			s := must(h.Subscribe(request(uuid.New(), "")))
			go reader(s, func(err error) {
				if err != error(ReasonShutdown) {
					t.Errorf("ended as %v", err)
				}
				mu.Lock()
				ends[time.Since(began).Truncate(time.Second)]++
				mu.Unlock()
			})
		}
		synctest.Wait()
		broadcast(t, h, made(note, uuid.Nil, "last"))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := h.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("took %v, which is more than 80 %% of the time", took)
		}
		for second, n := range ends {
			if n > streams/8*3/2 {
				t.Errorf("%d of %d ended in second %v", n, streams, second)
			}
		}
		if st := h.Stats(); st.Delivered != streams || st.Ended[ReasonShutdown] != streams || h.store.Usage().Logs != 1 {
			t.Errorf("%d delivered, %d ended, %d logs", st.Delivered, st.Ended[ReasonShutdown], h.store.Usage().Logs)
		}
		if err := h.Shutdown(ctx); err != nil {
			t.Errorf("a second shutdown: %v", err)
		}
	})
}

// A few streams end at once: nobody waits for a spread that spares nothing.
func TestShutdownIsQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(&kinds, nil)
		go reader(must(h.Subscribe(request(alice, ""))), func(error) {})
		began := time.Now()
		if err := h.Shutdown(t.Context()); err != nil || time.Since(began) > 50*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// A writer that hangs is aborted when the time is over.
func TestShutdownAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(&kinds, nil)
		s := must(h.Subscribe(request(alice, "")))
		aborted := make(chan struct{})
		s.OnAbort(func() { close(aborted) })
		go func() {
			<-aborted // hangs in a write
			s.Close()
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		if err := h.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		// And what never returns does not hang the application's exit.
		h = New(&kinds, nil)
		s = must(h.Subscribe(request(alice, "")))
		defer s.Close()
		if err := h.Shutdown(ctx); err == nil {
			t.Error("no error although a stream is open")
		}
	})
}
