package client

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

var (
	// ErrClosed is returned by the methods of a stream that is closed.
	ErrClosed = errors.New("client: stream closed")
	// ErrSilent is given to Options.OnRetry for a connection that was silent
	// for too long.
	ErrSilent = errors.New("client: the connection is silent")
	// errNoAnswer means that an attempt has taken too long.
	errNoAnswer = fmt.Errorf("client: no answer within %v", attemptTimeout)
)

// A StatusError is an answer whose status is not that of a stream.
type StatusError struct {
	Status int // such as 401
	// Message is what a Crier server says about it. It may be empty.
	Message string
	// RetryAfter is how long the server asks to wait. It may be zero.
	RetryAfter time.Duration
	// ForbiddenTopics are those of the topics asked for that the session may not
	// follow, if the server names them.
	ForbiddenTopics []string
}

func (e *StatusError) Error() string {
	s := fmt.Sprintf("client: the server answered %d %s", e.Status, http.StatusText(e.Status))
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s
}

// refused reports whether the server refuses this client, as opposed to this
// request.
func (e *StatusError) refused() bool {
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNoContent:
		return true
	}
	return false
}

// A ContentTypeError is an answer with status 200 that is not an event stream.
type ContentTypeError struct {
	ContentType string // at most 128 bytes of it
}

func (e *ContentTypeError) Error() string {
	return fmt.Sprintf("client: the server answered with %q and not with an event stream", e.ContentType)
}

// An EndError says why the server has ended a connection.
type EndError struct {
	// Reason is "shutdown", "overloaded", "unavailable", "slow", "revoked",
	// "expired", "abusive" or "gone". Servers to come may have others.
	Reason string
}

func (e *EndError) Error() string { return "client: the server ended the stream: " + e.Reason }

// A Gap says that events have been lost: the server no longer has them.
type Gap struct {
	// Reason is "evicted" if the server has evicted events that this stream
	// was to receive, or "unknown" if it does not know the id that the stream
	// resumed from.
	Reason string
	// Cursor is where the stream goes on after the gap.
	Cursor string
}

// A GapError is a [Gap] for which there is no Options.OnGap.
type GapError struct{ Gap }

func (e *GapError) Error() string {
	return "client: events have been lost (" + e.Reason + "); read the state anew, or set Options.OnGap"
}

// A ServerError is the server's answer to a message that it rejects.
type ServerError struct {
	Message string
	// Ref is the member "ref" of the message that was rejected. It is nil if
	// there was none, and for a change of filter.
	Ref json.RawMessage
}

// permanent reports whether waiting does not mend an error of an attempt. Before
// the first connection, that includes everything that shows that the URL is
// wrong. Later the same errors come from an outage: the page of a proxy whose
// server is away, for instance.
func permanent(err error, first bool) bool {
	if errors.Is(err, ErrTooLarge) {
		return true
	}
	if !first {
		return false
	}
	if status, ok := errors.AsType[*StatusError](err); ok {
		switch status.Status {
		case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
			return false
		}
		return status.Status < 500
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.IsNotFound
	}
	_, html := errors.AsType[*ContentTypeError](err)
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	return html || certificate
}
