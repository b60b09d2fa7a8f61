package ticket

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/crier-go/crier/transport"
)

// cookieName returns the name of a login's cookie. It differs between logins, so
// that tabs of several users in one browser do not overwrite each other's, and is
// the same for all tickets of a login, so that cookies do not pile up.
func cookieName(c *claims) string {
	sum := sha256.Sum256([]byte(c.Purpose + "\x00" + c.User.String() + "\x00" + c.Session))
	return "crier-" + hex.EncodeToString(sum[:8])
}

// hasCookie reports whether a request carries the cookie that an earlier opening
// by a ticket of the same login has set.
func (i *Issuer) hasCookie(r *http.Request, c *claims) bool {
	now := time.Now()
	for _, cookie := range r.CookiesNamed(cookieName(c)) { // several, if paths overlap
		known, err := unseal(i.keys, kindCookie, cookie.Value)
		if err == nil && known.sameLogin(c) && now.Before(time.UnixMilli(known.Until)) {
			return true
		}
	}
	return false
}

// setCookie adds the cookie to the response.
func (i *Issuer) setCookie(r *http.Request, c *claims) error {
	header, path := transport.ResponseHeader(r), i.options.CookiePath
	if path == "" {
		path = requestPath(r)
	}
	if i.options.CookieLife < 0 || header == nil || !validPath(path) {
		return nil
	}
	value, err := seal(i.keys[0], kindCookie, claims{
		Purpose: c.Purpose,
		User:    c.User,
		Session: c.Session,
		Until:   time.Now().Add(i.options.CookieLife).UnixMilli(),
	})
	if err != nil {
		return err
	}
	cookie := &http.Cookie{
		Name:     cookieName(c),
		Value:    value,
		Path:     path,
		MaxAge:   max(int(i.options.CookieLife/time.Second), 1), // zero would mean until the browser ends
		HttpOnly: true,
		SameSite: http.SameSiteStrictMode,
		Secure:   i.options.Secure || r.TLS != nil,
	}
	header.Add("Set-Cookie", cookie.String())
	return nil
}

// requestPath returns the path as the client sent it: http.StripPrefix changes
// r.URL. If the client sent another form of target, it returns that of r.URL.
func requestPath(r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	if strings.HasPrefix(path, "/") {
		return path
	}
	return r.URL.EscapedPath()
}

// validPath reports whether a cookie can be limited to a path (RFC 6265, section
// 4.1.1).
func validPath(path string) bool {
	for n := range len(path) {
		if c := path[n]; c <= ' ' || c > '~' || c == ';' {
			return false
		}
	}
	return strings.HasPrefix(path, "/")
}
