package transport

import (
	"context"
	"net/http"

	"github.com/crier-go/crier/hub"
)

type (
	headerKey  struct{}
	sessionKey struct{}
)

// ResponseHeader returns the header of the response to the request that an
// [Authenticator] was called with. The Authenticator may add Set-Cookie to it,
// for instance to prolong a session; on WebSocket, other headers are not sent. It
// returns nil for other requests, and if the Authenticator is called again about
// an open stream, whose header was sent long ago.
func ResponseHeader(r *http.Request) http.Header {
	h, _ := r.Context().Value(headerKey{}).(http.Header)
	return h
}

// OpenSession returns the session of the open stream that an [Authenticator] is
// called about again, see Options.Recheck. It reports false for a request that is
// to open a stream. An Authenticator needs it if what a request carries is valid
// only for opening a stream.
func OpenSession(r *http.Request) (session hub.Session, ok bool) {
	session, ok = r.Context().Value(sessionKey{}).(hub.Session)
	return session, ok
}

// authenticate calls the Authenticator for a request that is to open a stream.
func (a *Acceptor) authenticate(w http.ResponseWriter, r *http.Request) (hub.Session, error) {
	return a.auth(r.WithContext(context.WithValue(r.Context(), headerKey{}, w.Header())))
}
