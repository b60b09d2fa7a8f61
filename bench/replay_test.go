package bench

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
)

// BenchmarkReplay measures a client that resumes: it subscribes behind a number of
// events, takes them all, and disconnects. after=id resumes from the last event's
// id, which has to be looked up; after=cursor from a heartbeat's cursor.
func BenchmarkReplay(b *testing.B) {
	for _, events := range []int{10, 1_000} {
		for _, after := range []string{"cursor", "id"} {
			b.Run("events="+count(events)+"/after="+after, func(b *testing.B) {
				h := newHub(b, &hub.Options{UserEvents: events + 1})
				var ids []uuid.UUID
				var cursor string
				for range events + 1 {
					e := newEvent(b, kinds[0])
					publishTo(b, h, e, 0)
					if ids = append(ids, e.ID()); len(ids) == 1 {
						cursor = h.Cursor()
					}
				}
				if after == "id" {
					cursor = ids[0].String()
				}
				request := hub.Request{Session: session(0), Filter: hub.Everything(), After: cursor}
				var buf []*hub.Message
				turns := 0
				m := startMeter(b)
				for b.Loop() {
					s, err := h.Subscribe(request)
					if err != nil {
						b.Fatal(err)
					}
					buf = replayed(b, s, ids[1:], buf)
					s.Close()
					turns++
				}
				m.report(turns * events)
				b.ReportMetric(float64(b.Elapsed())/float64(turns), "ns/resume")
			})
		}
	}
}

// replayed takes all events and fails unless they are exactly these.
func replayed(b *testing.B, s *hub.Subscription, want []uuid.UUID, buf []*hub.Message) []*hub.Message {
	for {
		batch, err := s.Take(buf)
		if err != nil {
			b.Fatal(err)
		}
		if len(batch) == 0 {
			break
		}
		for _, m := range batch {
			if len(want) == 0 || m.ID() != want[0] {
				b.Fatalf("message %s (%s) came; %d events are still to come", m.ID(), m.Type(), len(want))
			}
			want = want[1:]
		}
		buf = batch
	}
	if len(want) > 0 {
		b.Fatalf("%d events were not replayed", len(want))
	}
	return buf
}

// countWoken adds up how many sleepers were woken. It is for one publisher.
func countWoken(woken *int) func(context.Context, hub.Publication) {
	return func(_ context.Context, p hub.Publication) { *woken += p.Woken }
}
