package hub

import (
	"context"
	"log/slog"
	"time"
)

// LogAttr returns the attributes that name a subscription in log lines: "user",
// "stream", "session" and "transport". They are a group without a name, which a
// slog.Handler inlines. It is for transports and for handlers of the application.
func (s *Subscription) LogAttr() slog.Attr {
	return slog.GroupAttrs("", Stream{ID: s.id, User: s.session.User, SessionID: s.session.ID, Transport: s.transport}.logAttrs()...)
}

// logAttrs returns what names a stream in log lines, and its reason if it has one.
// The keys are documented in docs/logs.md.
func (s Stream) logAttrs() []slog.Attr {
	attrs := make([]slog.Attr, 0, 5)
	attrs = append(attrs, slog.String("user", s.User.String()))
	if s.ID != 0 { // not of one that was refused
		attrs = append(attrs, slog.Uint64("stream", s.ID))
	}
	attrs = append(attrs, slog.String("session", s.SessionID), slog.String("transport", s.Transport))
	if s.Reason != "" {
		attrs = append(attrs, slog.String("reason", string(s.Reason)))
	}
	return attrs
}

// debugging reports whether debug lines are logged.
func (h *Hub) debugging() bool {
	return h.options.Logger.Enabled(context.Background(), slog.LevelDebug)
}

func (h *Hub) log(level slog.Level, what string, attrs ...slog.Attr) {
	h.options.Logger.LogAttrs(context.Background(), level, "crier: "+what, attrs...)
}

// logEnd logs a stream that has ended.
func (h *Hub) logEnd(s *Subscription, info Stream) {
	if !h.debugging() {
		return
	}
	h.log(slog.LevelDebug, "a stream has ended", append(info.logAttrs(),
		slog.String("cursor", s.lastCursor().String()),
		slog.Uint64("delivered", info.Delivered),
		slog.Uint64("gaps", info.Gaps),
		slog.Duration("duration", time.Since(info.Started)),
	)...)
}

// logRefusal logs a stream that was not opened.
func (h *Hub) logRefusal(r Request, reason Reason) {
	if h.debugging() {
		h.log(slog.LevelDebug, "a stream was refused", refused(r, reason).logAttrs()...)
	}
}

// refused describes a stream that was not opened, as far as there is something to
// describe.
func refused(r Request, reason Reason) Stream {
	return Stream{User: r.Session.User, SessionID: r.Session.ID, Transport: r.Transport, Reason: reason}
}
