package client

import (
	"context"
	"io"
	"time"
)

// endTimeout is how long the server may take to close a connection after it has
// ended the stream.
const endTimeout = time.Second

// A watchdog cancels a context when a reader has waited for too long.
type watchdog struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	silence time.Duration // zero: for ever; belongs to the reader
	timer   *time.Timer
}

func newWatchdog(parent context.Context, silence time.Duration) *watchdog {
	w := &watchdog{silence: silence}
	w.ctx, w.cancel = context.WithCancelCause(parent)
	w.timer = time.AfterFunc(time.Hour, func() { w.cancel(ErrSilent) })
	w.timer.Stop()
	return w
}

// fired reports whether the context was cancelled for silence.
func (w *watchdog) fired() bool { return context.Cause(w.ctx) == ErrSilent }

// explain returns why the context was cancelled, if it was, in place of the
// error that followed from it.
func (w *watchdog) explain(err error) error {
	if cause := context.Cause(w.ctx); cause != nil {
		return cause
	}
	return err
}

// A watchedReader has its watchdog watch each read. The time between reads does
// not count.
type watchedReader struct {
	io.Reader
	watch *watchdog
}

func (r *watchedReader) Read(p []byte) (int, error) {
	if r.watch.silence > 0 {
		r.watch.timer.Reset(r.watch.silence)
		defer r.watch.timer.Stop()
	}
	return r.Reader.Read(p)
}
