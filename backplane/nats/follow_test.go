package nats

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// A lagging consumer is on a server that has none of the records yet that the leader
// of the stream has.
type (
	lagging struct{ jetstream.Consumer }
	leader  struct {
		jetstream.JetStream
		first uint64 // a record that it has; zero for none
	}
)

func (lagging) Info(context.Context) (*jetstream.ConsumerInfo, error) {
	return &jetstream.ConsumerInfo{}, nil
}

func (l *leader) Stream(context.Context, string) (jetstream.Stream, error) {
	return stored{first: l.first}, nil
}

type stored struct {
	jetstream.Stream
	first uint64
}

func (s stored) GetMsg(_ context.Context, from uint64, _ ...jetstream.GetMsgOpt) (*jetstream.RawStreamMsg, error) {
	if s.first < from {
		return nil, jetstream.ErrMsgNotFound
	}
	return &jetstream.RawStreamMsg{Sequence: s.first}, nil
}

// That a consumer has nothing more to deliver does not mean that the records are gone.
func TestSkip(t *testing.T) {
	for first, skips := range map[uint64]bool{3: false, 20: false, 0: true, 21: true} {
		b := New(disconnected(t), nil)
		b.js = &leader{first: first}
		f := (&following{b: b, last: 2, end: 20}).fresh()
		if err := f.skip(t.Context(), lagging{}); err != nil {
			t.Fatal(err)
		}
		if got := len(f.next) == 1 && f.next[0].Position == 20; got != skips || len(f.next) > 1 {
			t.Errorf("with record %d, %v was skipped, want %t", first, f.next, skips)
		}
	}
}
