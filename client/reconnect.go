package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// connect returns the connection, and makes attempts until there is one. An
// error is final.
func (s *Stream) connect() (conn, error) {
	for {
		if s.final != nil {
			return nil, s.final
		}
		s.mu.Lock()
		c := s.conn
		s.mu.Unlock()
		switch {
		case s.ctx.Err() != nil:
			s.final = ErrClosed
			if s.parent.Err() != nil {
				s.final = context.Cause(s.parent)
			}
		case c != nil:
			return c, nil
		default:
			s.attempt()
		}
	}
}

// attempt makes one attempt, when it is time for it.
func (s *Stream) attempt() {
	if !s.sleepUntil(s.resume) {
		return
	}
	if s.options.Token != nil && !s.hasToken {
		token, err := s.options.Token(s.ctx)
		if err == nil && !sendable(token) {
			err = errors.New("it contains control characters")
		}
		switch {
		case err != nil:
			s.failures++
			s.retry(fmt.Errorf("client: no token: %w", err), s.asked)
			return
		case s.refusal != nil && (token == "" || token == s.token):
			s.final = s.refusal
			return
		}
		s.token, s.hasToken = token, true
	}
	if !s.sleepUntil(s.attempted.Add(minWait)) {
		return
	}
	s.attempted = time.Now()
	s.mu.Lock()
	wanted, lastID := s.filter.wanted, s.lastID
	s.mu.Unlock()
	header := s.options.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if s.token != "" {
		header.Set("Authorization", "Bearer "+s.token)
	}
	u := *s.url
	wanted.query(&u)
	c, err := s.open(s.ctx, &u, header, lastID)
	if err != nil {
		s.failed(err)
		return
	}
	s.opened(c, wanted)
}

// opened takes a new connection into use.
func (s *Stream) opened(c conn, asked Filter) {
	s.connected, s.fresh = true, true
	s.ended, s.refusal = nil, nil
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		c.close()
		return
	}
	s.conn = c
	s.filter.changed = s.filter.changed || !asked.equal(s.filter.confirmed)
	s.filter.confirmed, s.filter.pending = asked, nil
	wanted := s.filter.wanted
	s.mu.Unlock()
	if !wanted.equal(asked) { // it was changed meanwhile
		s.replace(c)
	}
}

// failed handles an attempt that has failed.
func (s *Stream) failed(err error) {
	if s.ctx.Err() != nil {
		return
	}
	asked := s.asked
	status, ok := errors.AsType[*StatusError](err)
	if ok {
		asked = max(asked, status.RetryAfter)
	}
	switch {
	case ok && status.Status == http.StatusForbidden && s.takenMeanwhile(status.ForbiddenTopics):
	case ok && filterRefused(status.Status) && s.revertFilter():
		if s.options.OnError != nil {
			s.options.OnError(ServerError{Message: status.Message})
		}
	case ok && status.refused() && s.options.Token == nil:
		s.final = err
	case ok && status.refused():
		again := s.refusal != nil
		s.hasToken, s.refusal = false, err
		s.failures++
		if again {
			s.retry(err, asked)
		} // else a new token is tried as soon as another attempt is allowed
	case permanent(err, !s.connected):
		s.final = err
	default:
		s.failures++
		s.retry(err, asked)
	}
}

// disconnected handles a connection that is over.
func (s *Stream) disconnected(c conn, err error) {
	c.close()
	s.mu.Lock()
	replaced := s.conn != c // by SetFilter, or by nothing since the stream is closed
	if !replaced {
		s.conn = nil
		if id, ok := c.position(); ok {
			s.lastID = id
		}
	}
	s.mu.Unlock()
	if replaced || s.ctx.Err() != nil {
		return
	}
	if errors.Is(err, ErrTooLarge) {
		s.final = err
		return
	}
	if s.fresh {
		s.failures++
	}
	asked, ok := c.retry()
	switch {
	case !ok:
		asked = s.asked
	case s.ended == nil:
		s.asked = asked
	}
	if s.ended != nil {
		err = s.ended
		if s.ended.Reason == "revoked" || s.ended.Reason == "expired" {
			s.hasToken = false
		}
	}
	s.retry(err, asked)
}

// retry has the next attempt wait.
func (s *Stream) retry(err error, asked time.Duration) {
	wait := max(backoff(asked, s.failures), time.Until(s.attempted.Add(minWait)))
	s.resume = time.Now().Add(wait)
	if s.options.OnRetry != nil {
		s.options.OnRetry(err, wait)
	}
}

// sleepUntil reports whether the stream still is there.
func (s *Stream) sleepUntil(t time.Time) bool {
	wait := time.Until(t)
	if wait <= 0 {
		return s.ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// filterRefused reports whether a status may be about the filter: an unknown
// category, or a topic that the session may not follow.
func filterRefused(status int) bool {
	return status == http.StatusBadRequest || status == http.StatusForbidden
}
