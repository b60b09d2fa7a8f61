// Package unread deals with request bodies that no handler reads.
//
// Before net/http writes the head of an HTTP/1 response, and again after the
// handler has returned, it reads the rest of the request's body. A client that
// announces a body and never sends it would block the stream before its first
// byte, and its goroutine for ever.
package unread

import (
	"io"
	"net/http"
	"time"
)

// A Body is the body of a request. Its methods do nothing on nil.
type Body struct {
	body   io.Reader
	rc     *http.ResponseController
	duplex bool          // the body can be read while the response is written
	read   chan struct{} // closed when Watch's goroutine has returned
}

// Begin lets the response begin before the body has been read. It returns nil
// if there is nothing to do: for requests without a body, and over HTTP/2.
// Unless the connection is hijacked, End must be called before the handler
// returns.
func Begin(w http.ResponseWriter, r *http.Request) *Body {
	if r.ProtoMajor != 1 || r.ContentLength == 0 {
		return nil
	}
	b := &Body{body: r.Body, rc: http.NewResponseController(w)}
	b.duplex = b.rc.EnableFullDuplex() == nil // fails for a wrapper without Unwrap
	return b
}

// maxBody is how much is read of a body that nobody asked for.
const maxBody = 256 << 10

// Watch discards the body as it comes, and calls gone if the connection breaks
// before its end or if it is longer than 256 KiB. After its end net/http watches
// the connection. End stops Watch.
func (b *Body) Watch(gone func()) {
	if b == nil || !b.duplex {
		return
	}
	b.read = make(chan struct{})
	go func() {
		defer close(b.read)
		if n, err := io.CopyN(io.Discard, b.body, maxBody); err != io.EOF || n == maxBody {
			gone()
		}
	}()
}

// End gives up what is left of the body. The connection is not used again.
func (b *Body) End() {
	if b == nil {
		return
	}
	if err := b.rc.SetReadDeadline(time.Unix(1, 0)); err == nil && b.read != nil {
		<-b.read
	}
}
