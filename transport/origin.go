package transport

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// checkOrigin refuses requests that another site's page makes with this site's
// cookies, unless its origin is allowed; then it answers CORS with credentials.
//
// http.CrossOriginProtection does not serve here: it lets every GET pass, and a
// stream is a GET that discloses.
func (a *Acceptor) checkOrigin(w http.ResponseWriter, r *http.Request) error {
	origins := r.Header.Values("Origin")
	if len(origins) > 1 {
		return &refusal{status: http.StatusForbidden, message: "a request has one Origin"}
	}
	origin := r.Header.Get("Origin")
	h := w.Header()
	if origin != "" && slices.Contains(a.options.AllowedOrigins, strings.ToLower(origin)) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Access-Control-Expose-Headers", forbiddenTopics+", Retry-After")
		h.Add("Vary", "Origin")
		return nil
	}
	if len(a.options.AllowedOrigins) > 0 {
		h.Add("Vary", "Origin")
	}
	if sameOrigin(r, origin) {
		return nil
	}
	a.refusedOrigins.log(func(count int) {
		a.options.Logger.Warn("crier: refused a stream to a page of another origin: "+
			"its Origin is not that of the request's Host; if a proxy rewrites Host, let it keep Host, "+
			"and allow other sites' pages with Options.AllowedOrigins",
			"origin", cut(origin), "host", cut(r.Host), "sec-fetch-site", cut(r.Header.Get("Sec-Fetch-Site")),
			"transport", a.name, "count", count)
	})
	return &refusal{status: http.StatusForbidden, message: "this origin may not open streams here"}
}

// sameOrigin reports whether a page of this very site made the request, or no
// page at all.
func sameOrigin(r *http.Request, origin string) bool {
	switch r.Header.Get("Sec-Fetch-Site") { // a page's script cannot set it
	case "same-origin", "none":
		return true
	case "":
		// An old browser, a WebSocket of Chromium, or no browser. Browsers send
		// Origin with whatever is not a plain same-origin GET.
	default:
		return false
	}
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	// Browsers leave the default port out of Origin, and some clients and
	// proxies put it into Host. (A proxy may have ended TLS, so the scheme of
	// the origin decides what the default is.)
	return withoutDefaultPort(u.Scheme, u.Host) == withoutDefaultPort(u.Scheme, r.Host)
}

// withoutDefaultPort returns a host in lower case, without its port if that is
// the scheme's default.
func withoutDefaultPort(scheme, host string) string {
	host = strings.ToLower(host)
	switch strings.ToLower(scheme) {
	case "http":
		return strings.TrimSuffix(host, ":80")
	case "https":
		return strings.TrimSuffix(host, ":443")
	}
	return host
}

// originPattern is what a browser sends as Origin: a scheme, a host that is a
// name or an address, and a port.
var originPattern = regexp.MustCompile(`^([a-z][a-z0-9+.-]*)://([a-z0-9_]([a-z0-9._-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$`)

// normalizeOrigin returns an allowed origin as a browser would send it. It
// fails for one that no browser ever sends.
func normalizeOrigin(origin string) (string, error) {
	origin = strings.ToLower(origin)
	if !originPattern.MatchString(origin) {
		return "", fmt.Errorf("an origin is scheme://host or scheme://host:port, with nothing behind it, no wildcard, and a host in ASCII (punycode)")
	}
	scheme, host, _ := strings.Cut(origin, "://")
	return scheme + "://" + withoutDefaultPort(scheme, host), nil
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

// A rateLimitedLog logs one kind of thing at most once a minute. Its zero value
// is ready.
type rateLimitedLog struct {
	mu    sync.Mutex
	count int // since it was last logged
	last  time.Time
}

// log counts one, and calls f with the count if it is time to log.
func (l *rateLimitedLog) log(f func(count int)) {
	l.mu.Lock()
	l.count++
	count, now := l.count, time.Now()
	if now.Sub(l.last) < time.Minute {
		l.mu.Unlock()
		return
	}
	l.count, l.last = 0, now
	l.mu.Unlock()
	f(count)
}

// cut bounds what a client sent for the log.
func cut(s string) string {
	const most = 200
	return s[:min(len(s), most)]
}
