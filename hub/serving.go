package hub

// This file has what only those who carry streams need, such as the packages in
// transport. See "For authors of transports" in the package comment.

// Ready returns the channel that is signalled when a sleeping subscription has
// something to take. A signal may come without a reason. It is nil if the
// request had a Notify.
func (s *Subscription) Ready() <-chan struct{} { return s.reader.Ready() }

// Wake signals Ready although nothing has been published. Whoever runs a stream
// has one thing to wait for, and lets its own timers come through it. A Wake
// while the subscription is awake ends its next sleep at once.
func (s *Subscription) Wake() { s.reader.Wake() }

// End ends the subscription at once: Take returns the reason, and what has not
// been taken is left. The first reason stands. RevokeUser and Shutdown end
// subscriptions themselves.
func (s *Subscription) End(reason Reason) { s.end(reason, false) }

// OnEnd sets a function that is called once, when the subscription is given a
// reason to end: before RevokeUser or RevokeSession returns, for instance, and
// while Take still returns what was published before. It is called in the
// goroutine that ends the subscription, or at once if that has happened. It must
// return quickly. Close calls it, too. It is for whoever reads from the client
// while the stream is written to.
func (s *Subscription) OnEnd(f func()) {
	s.mu.Lock()
	over := s.over != ""
	if !over {
		s.onEnd = f
	}
	s.mu.Unlock()
	if over {
		f()
	}
}

// OnAbort sets what unblocks a write to this stream's client. Shutdown calls
// it, at most once and from any goroutine, for streams that have not ended by
// the time its context is over.
func (s *Subscription) OnAbort(f func()) {
	s.mu.Lock()
	s.abort = f
	s.mu.Unlock()
}

// Authorizes reports whether Options.Authorize is set. If not, nothing looks at the
// contexts of SetTopics and MayFollow, and nobody needs to keep one.
func (h *Hub) Authorizes() bool { return h.options.Authorize != nil }

// Report tells every observer's Error of a failure that no caller can be told of.
// If Options.Observer has no such function, the failure is also logged. It is for
// packages around the hub, such as bridge.
func (h *Hub) Report(err error) {
	h.observeError(err)
	if h.options.Observer.Error == nil {
		h.options.Logger.Error("crier", "error", err)
	}
}
