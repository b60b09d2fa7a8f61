package transport

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
)

// A recheck asks the authenticator again about an open stream. Its methods do
// nothing on nil.
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
	// The request's own context ends with its handler, which on WebSocket is
	// long before the stream does.
	c.request = c.request.WithContext(context.WithoutCancel(c.request.Context()))
	interval := s.options.Recheck
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return
	}
	c.timer = time.AfterFunc(interval, func() {
		session, err := c.auth(c.request)
		switch {
		case errors.Is(err, ErrUnauthenticated), err == nil && session.User != c.user:
			s.End(hub.Revoked)
			return
		case err != nil:
			s.options.Logger.Error("crier: cannot recheck a stream; it stays", "error", err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.stopped {
			c.timer.Reset(interval)
		}
	})
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
