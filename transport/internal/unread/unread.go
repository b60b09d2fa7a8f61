// Package unread keeps the body of a request that no handler reads from
// holding up the response.
//
// Before net/http writes the head of an HTTP/1 response, and again when the
// handler has returned, it reads what is left of the request's body. A client
// that announces a body and never sends it would hold a stream back before its
// first byte, and its goroutine for ever.
package unread

import (
	"io"
	"net/http"
	"time"
)

// A Body is the body of a request. Its methods do nothing on nil.
type Body struct {
	body io.Reader
	rc   *http.ResponseController
	read chan struct{} // closed when Watch's goroutine is through
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
	b.rc.EnableFullDuplex() // not every writer can; then nothing is lost
	return b
}

// maxBody is how much is read of a body that nobody asked for.
const maxBody = 256 << 10

// Watch throws the body away as it comes, and calls gone if the connection
// breaks in the middle of it or if it is too long. Once it has been read,
// net/http itself watches the connection. End stops it.
func (b *Body) Watch(gone func()) {
	if b == nil {
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
	b.rc.SetReadDeadline(time.Unix(1, 0))
	if b.read != nil {
		<-b.read
	}
}
