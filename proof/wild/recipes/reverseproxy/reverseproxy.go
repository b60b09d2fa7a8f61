// Package reverseproxy is the recipe for a proxy that is written in Go.
package reverseproxy

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"net/url"
)

// New returns a proxy to an application that serves streams at /events.
func New(app *url.URL) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(app)
			r.Out.Host = r.In.Host // a page's origin is compared with it
			r.SetXForwarded()
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.URL.Path != "/events" {
				http.Error(w, "the application is away", http.StatusBadGateway)
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header().Set("Cache-Control", "no-store")
			fmt.Fprintf(w, "retry: %d\nevent: stream.end\ndata: {\"reason\":\"unavailable\"}\n\n", 2000+rand.IntN(6000))
		},
	}
}
