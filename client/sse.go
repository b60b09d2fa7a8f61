package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// An sseConn is a response that is being read.
type sseConn struct {
	client *http.Client
	own    bool // client belongs to the stream
	body   io.Closer
	watch  *watchdog
	reader *Reader
}

func newSSEOpener(o *Options) opener {
	client, own := o.HTTPClient, false
	if client == nil {
		client, own = newHTTPClient(), true
	}
	return func(ctx context.Context, u *url.URL, header http.Header, lastID string) (conn, error) {
		header.Set("Accept", "text/event-stream")
		header.Set("Accept-Encoding", "identity") // compression would hold events back
		header.Set("Cache-Control", "no-store")
		switch {
		case lastID == "":
		case sendable(lastID):
			header.Set("Last-Event-ID", lastID)
		default:
			setQuery(u, "last_event_id", lastID)
		}
		// The request does not end with ctx, but by close: net/http gives a
		// connection back later, if at all, when its request is cancelled.
		watch := newWatchdog(context.WithoutCancel(ctx), o.silence())
		stop := context.AfterFunc(ctx, func() { watch.cancel(context.Cause(ctx)) })
		defer stop()
		c := &sseConn{client: client, own: own, watch: watch}
		err := c.open(u, header, o.MaxEvent)
		if err != nil {
			err = watch.explain(err)
			c.close()
			return nil, err
		}
		return c, nil
	}
}

// open makes the request.
func (c *sseConn) open(u *url.URL, header http.Header, limit int) error {
	request, err := http.NewRequestWithContext(c.watch.ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	request.Header = header
	timeout := time.AfterFunc(attemptTimeout, func() { c.watch.cancel(errNoAnswer) })
	defer timeout.Stop()
	response, err := c.client.Do(request)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	c.body = response.Body
	if response.StatusCode != http.StatusOK {
		return newStatusError(response, response.Body)
	}
	contentType := response.Header.Get("Content-Type")
	if media, _, err := mime.ParseMediaType(contentType); err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) || media != "text/event-stream" {
		return &ContentTypeError{contentType[:min(len(contentType), 128)]}
	}
	c.reader = NewReader(&watchedReader{response.Body, c.watch})
	c.reader.Limit = limit
	return nil
}

func (c *sseConn) next() (message, error) {
	f, err := c.reader.Next()
	if err != nil {
		return message{}, c.watch.explain(err)
	}
	m := message{hasID: f.HasID, kind: f.Name, data: f.Data}
	if f.HasID {
		m.id = f.LastEventID
	}
	if m.kind == "" {
		m.kind = "message"
	}
	return m, nil
}

func (c *sseConn) retry() (time.Duration, bool) { return c.reader.Retry() }
func (c *sseConn) position() (string, bool)     { return c.reader.LastEventID() }
func (c *sseConn) expectEnd()                   { c.watch.silence = endTimeout }

func (c *sseConn) send([]byte) error {
	return fmt.Errorf("client: a stream of Server-Sent Events cannot send: %w", errors.ErrUnsupported)
}

func (c *sseConn) close() {
	silent := c.watch.fired()
	if c.body != nil {
		c.body.Close()
	}
	c.watch.cancel(ErrClosed)
	// A silent HTTP/2 connection must not be used again, and what belongs to
	// the stream must not outlive it.
	if c.own || silent {
		c.client.CloseIdleConnections()
	}
}

// sendable reports whether an id can be the value of a header.
func sendable(id string) bool {
	for _, c := range []byte(id) {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// newStatusError describes a response, whose body is body.
func newStatusError(r *http.Response, body io.Reader) *StatusError {
	e := &StatusError{Status: r.StatusCode, RetryAfter: retryAfter(r.Header.Get("Retry-After"))}
	const longest = 2 << 10
	text, _ := io.ReadAll(io.LimitReader(body, longest))
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(text, &said) == nil && utf8.ValidString(said.Error) {
		e.Message = said.Error
	}
	for name := range strings.SplitSeq(r.Header.Get("Crier-Forbidden-Topics"), ",") {
		if topic, err := url.PathUnescape(name); err == nil && topic != "" {
			e.ForbiddenTopics = append(e.ForbiddenTopics, topic)
		}
	}
	return e
}

// retryAfter reads a Retry-After header (RFC 9110, section 10.2.3).
func retryAfter(value string) time.Duration {
	if s, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(s) * time.Second
	}
	if t, err := http.ParseTime(value); err == nil {
		return max(time.Until(t), 0)
	}
	return 0
}
