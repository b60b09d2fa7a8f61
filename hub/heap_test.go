package hub

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// What a hub retains stays within Options.Bytes as the heap counts it, whatever the
// sizes of the payloads and whatever happened before.
func TestHeapStaysWithinBytes(t *testing.T) {
	const bytes = 16 << 20
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for name, fill := range map[string]func(h *Hub){
		"small, many users": func(h *Hub) {
			for i := range 100_000 {
				publish(t, h, made(note, uuid.UUID{1, byte(i), byte(i >> 8), byte(i >> 16)}, "x"))
			}
		},
		"small, one user at a time": func(h *Hub) {
			for i := range 100 {
				for range 1000 {
					publish(t, h, made(note, uuid.UUID{1, byte(i)}, "x"))
				}
			}
		},
		"large": func(h *Hub) {
			for i := range 1000 {
				publish(t, h, made(note, uuid.UUID{1, byte(i)}, strings.Repeat("x", 100_000)))
			}
		},
		"users who once had a burst": func(h *Hub) {
			for i := range 1000 {
				user := uuid.UUID{1, byte(i), byte(i >> 8)}
				for range 600 {
					publish(t, h, made(note, user, "x"))
				}
			}
			for round := range 10 {
				for i := range 1000 {
					publish(t, h, made(note, uuid.UUID{1, byte(i), byte(i >> 8)}, fmt.Sprint(round)))
				}
			}
		},
		"broadcasts": func(h *Hub) {
			for range 100_000 {
				broadcast(t, h, made(note, uuid.Nil, strings.Repeat("x", 300)))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := heap()
			h := New(&kinds, &Options{Bytes: bytes})
			fill(h)
			used := heap() - before
			t.Logf("%.1f MiB of %d; %.1f by the hub's own count", float64(used)/(1<<20), bytes>>20, float64(h.Stats().Bytes)/(1<<20))
			if used > bytes*11/10 {
				t.Errorf("the heap holds %d bytes under a bound of %d", used, bytes)
			}
			runtime.KeepAlive(h)
		})
	}
}

// An event that was published to a user and again to everyone has two positions.
// Resuming from it goes on after the later one.
func TestResumeGoesOnAfterTheLaterPosition(t *testing.T) {
	h := New(&kinds, nil)
	x := made(note, alice, "x")
	publish(t, h, x)
	publish(t, h, made(note, alice, "y"))
	broadcast(t, h, x)
	publish(t, h, made(note, alice, "z"))
	expect(t, taken(t, subscribed(t, h, alice, x.ID().String())), "z")
}
