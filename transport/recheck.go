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
		session, err := c.ask()
		switch {
		case errors.Is(err, ErrUnauthenticated), err == nil && session.User != c.user:
			s.End(hub.ReasonRevoked)
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

// ask asks the authenticator. net/http is not there to catch a panic of its, as
// it was the first time; it counts as a failure.
func (c *recheck) ask() (_ hub.Session, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return c.auth(c.request)
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
