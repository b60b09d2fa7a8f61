package hub_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// When Shutdown returns, every end has been counted, and the observer told.
func TestShutdownWaitsForEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var kinds event.Registry
		event.Define[string](&kinds, "notes", "note.added", "A note.")
		var told atomic.Int64
		h := hub.New(&kinds, &hub.Options{Observer: &hub.Observer{Ended: func(hub.Stream) {
			time.Sleep(time.Second) // takes its time
			told.Add(1)
		}}})
		s, err := h.Subscribe(hub.Request{Session: hub.Session{User: uuid.New(), Allowed: hub.Everything()}, Filter: hub.Everything()})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			<-s.Ready()
			s.Close()
		}()
		s.Take(nil)
		if err := h.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		if told.Load() != 1 || h.Stats().Ended[hub.ReasonShutdown] != 1 {
			t.Errorf("Shutdown returned; %d ends told, %v counted", told.Load(), h.Stats().Ended)
		}
		time.Sleep(2 * time.Second)
	})
}
