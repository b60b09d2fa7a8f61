package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
)

// A recheck calls the Authenticator again at intervals, for one open stream. Its
// methods do nothing on nil.
type recheck struct {
	auth    Authenticator
	request *http.Request
	user    uuid.UUID

	mu      sync.Mutex
	timer   *time.Timer
	stopped bool
}

func (c *recheck) start(s *Stream) {
	if c == nil {
		return
	}
	// The request's context ends when its handler returns. On WebSocket that is
	// long before the stream ends.
	c.request = c.request.WithContext(context.WithoutCancel(c.request.Context()))
	interval := s.options.Recheck
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return
	}
	c.timer = time.AfterFunc(interval, func() {
		session, err := c.ask(s.sub.Session())
		switch {
		case errors.Is(err, ErrUnauthenticated), errors.Is(err, ErrForbidden), err == nil && session.User != c.user:
			s.End(hub.ReasonRevoked)
			return
		case err != nil:
			s.options.Logger.Error("crier: the Authenticator failed during a recheck; the stream stays open", s.sub.LogAttr(), "error", err)
		default:
			s.sub.Renew(session.Expires)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.stopped {
			c.timer.Reset(interval)
		}
	})
}

// ask calls the Authenticator about the session of an open stream. A panic counts as a failure: this goroutine is not
// one of net/http's, which would recover it.
func (c *recheck) ask(open hub.Session) (_ hub.Session, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return c.auth(c.request.WithContext(context.WithValue(c.request.Context(), sessionKey{}, open)))
}

func (c *recheck) stop() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	if c.timer != nil {
		c.timer.Stop()
	}
}
