package transport

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// checkOrigin refuses requests that another site's page makes with this site's
// cookies, unless its origin is allowed; then it answers CORS with credentials.
//
// http.CrossOriginProtection does not do here: it lets every GET pass, and a
// stream is a GET that discloses.
func (a *Acceptor) checkOrigin(w http.ResponseWriter, r *http.Request) error {
	origin := r.Header.Get("Origin")
	h := w.Header()
	if slices.Contains(a.options.AllowedOrigins, origin) && origin != "" {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Add("Vary", "Origin")
		return nil
	}
	if len(a.options.AllowedOrigins) > 0 {
		h.Add("Vary", "Origin")
	}
	if sameOrigin(r, origin) {
		return nil
	}
	return &refusal{http.StatusForbidden, "this origin may not open streams here"}
}

// sameOrigin reports whether a page of this very site made the request, or no
// page at all.
func sameOrigin(r *http.Request, origin string) bool {
	switch r.Header.Get("Sec-Fetch-Site") { // a page's script cannot set it
	case "same-origin", "none":
		return true
	case "":
		// An old browser, or none. Those send Origin with whatever is not a
		// plain same-origin GET.
	default:
		return false
	}
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

// Preflight answers the OPTIONS request with which a browser asks whether a
// page of another origin may send a Last-Event-ID header itself. (EventSource
// does not ask.)
func (a *Acceptor) Preflight(w http.ResponseWriter, r *http.Request) {
	if err := a.checkOrigin(w, r); err != nil {
		err.(*refusal).write(w)
		return
	}
	w.Header().Set("Access-Control-Allow-Methods", "GET")
	w.Header().Set("Access-Control-Allow-Headers", "Last-Event-ID, Cache-Control")
	w.WriteHeader(http.StatusNoContent)
}
