package ws

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
)

// watchDelay is how long OnMessage or OnToken runs before its connection is
// watched. Most calls return before.
const watchDelay = 50 * time.Millisecond

// watched calls the application. Meanwhile nobody else reads from the connection:
// so it is watched, for the context to end when the client hangs up.
func (c *conn) watched(call func() error) error {
	watched := make(chan struct{})
	watch := time.AfterFunc(watchDelay, func() {
		defer close(watched)
		c.watch()
	})
	defer func() { // also after a panic
		if !watch.Stop() {
			c.interrupt()
			<-watched
			c.endWatching()
		}
	}()
	return call()
}

// maxAhead is how many bytes watch reads.
const maxAhead = 288

// watch reads ahead, up to maxAhead bytes, until the connection breaks or
// c.interrupt is called. What does not fit is left to the kernel; then the next
// heartbeat's write notices that the client has gone.
func (c *conn) watch() {
	c.beginWatching()
	for len(c.ahead) < maxAhead {
		c.ahead = slices.Grow(c.ahead, maxAhead-len(c.ahead))
		n, err := c.read(c.ahead[len(c.ahead):maxAhead])
		c.ahead = c.ahead[:len(c.ahead)+n]
		if err != nil {
			if !c.wasInterrupted() {
				c.cancel()
			}
			return
		}
	}
}

// renew lets the application look at a token, and moves the end of the stream. An
// error is for the client; then nothing has changed.
func (c *conn) renew(token string) error {
	sub := c.stream.Subscription()
	old := sub.Session()
	var session hub.Session
	err := c.watched(func() (err error) {
		session, err = c.handler.options.OnToken(c.ctx, old, token)
		return err
	})
	switch {
	case errors.Is(err, transport.ErrUnauthenticated), err == nil && session.User != old.User:
		return errors.New("this token is not valid for this stream")
	case errors.Is(err, transport.ErrForbidden):
		return errors.New("the session of this token may not have this stream")
	case err != nil:
		c.handler.acceptor.Options().Logger.Error("crier: OnToken failed", sub.LogAttr(), "error", err)
		return errors.New("the token cannot be checked now: try again later")
	}
	sub.Renew(session.Expires)
	return nil
}

// change changes the stream's filter and its topics, and returns once
// stream.filter has been written or never will be. What is nil stays as it is; if
// both are, the client is told what is in force. An error is for the client; then
// nothing has changed.
func (c *conn) change(categories, topics *[]string, ref json.RawMessage) error {
	change := hub.Change{Topics: topics, Ref: ref}
	if categories != nil {
		filter, err := transport.ParseCategories(c.handler.acceptor.Hub(), *categories)
		if err != nil {
			return err
		}
		change.Filter = &filter
	}
	answered := make(chan struct{})
	c.mu.Lock()
	if c.closed || c.err != nil {
		c.mu.Unlock()
		return nil
	}
	c.awaitingFilter = answered
	c.mu.Unlock()
	if err := c.stream.Subscription().Change(c.ctx, change); err != nil {
		c.filterAnswered()
		if topics != nil {
			return errors.New(transport.TopicProblem(err))
		}
		return err
	}
	<-answered
	return nil
}

// filterAnswered releases change.
func (c *conn) filterAnswered() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.awaitingFilter != nil {
		close(c.awaitingFilter)
		c.awaitingFilter = nil
	}
}
