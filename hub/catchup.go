package hub

import (
	"context"
	"sync"
)

// catchUp waits until this process has applied what the engine held when it was
// asked, and reports whether it has. It gives up after Options.CatchUp; end is then
// the position up to which the engine held records. An error means that nobody
// knows.
func (c *cluster) catchUp(ctx context.Context) (end position, caughtUp bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.hub.options.CatchUp)
	defer cancel()
	tail, err := c.tails.ask(ctx, c.tail)
	if err != nil {
		return 0, false, err
	}
	for {
		c.mu.Lock()
		sameEpoch := c.epoch == tail.Epoch
		if sameEpoch && c.applied >= tail.Last {
			c.mu.Unlock()
			return 0, true, nil
		}
		c.waiting++
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			if !sameEpoch {
				return 0, false, context.Cause(ctx)
			}
			return tail.Last + c.hub.cursors.Load().base, false, nil
		}
	}
}

// A tails lets callers who ask for the end of the sequence at the same time share
// one question: clients with unknown ids must not cost the engine one each. An
// answer counts for those who asked before the question was sent.
type tails struct {
	mu   sync.Mutex
	busy bool
	next *tailCall
}

type tailCall struct {
	done chan struct{}
	tail Tail
	err  error
}

func (t *tails) ask(ctx context.Context, ask func(context.Context) (Tail, error)) (Tail, error) {
	t.mu.Lock()
	if t.next == nil {
		t.next = &tailCall{done: make(chan struct{})}
	}
	call := t.next
	if !t.busy {
		t.busy = true
		go t.answer(context.WithoutCancel(ctx), ask)
	}
	t.mu.Unlock()
	select {
	case <-call.done:
		return call.tail, call.err
	case <-ctx.Done():
		return Tail{}, context.Cause(ctx)
	}
}

// answer asks as long as there is somebody to answer.
func (t *tails) answer(ctx context.Context, ask func(context.Context) (Tail, error)) {
	for {
		t.mu.Lock()
		call := t.next
		if t.next = nil; call == nil {
			t.busy = false
			t.mu.Unlock()
			return
		}
		t.mu.Unlock()
		call.tail, call.err = ask(ctx)
		close(call.done)
	}
}
