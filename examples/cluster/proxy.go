package main

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync/atomic"
)

// newProxy returns a proxy that gives requests to processes in turn. One that
// does not accept connections is passed over. In production, nginx, HAProxy or a
// load balancer stands here; nothing needs to be sticky.
func newProxy(processes []string, log *slog.Logger) http.Handler {
	return &httputil.ReverseProxy{
		Transport: &inTurn{processes: processes, next: http.DefaultTransport},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme = "http" // inTurn sets the host
			r.Out.Host = r.In.Host    // with which a page's Origin is compared
			r.SetXForwarded()
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() != nil {
				return // the client has gone
			}
			log.Warn("no process answers", "path", r.URL.Path, "error", err)
			// Any status but 200 ends an EventSource for good.
			if strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
				w.Header().Set("Content-Type", "text/event-stream")
				io.WriteString(w, "retry: 1000\n\n")
				return
			}
			w.Header().Set("Retry-After", "1")
			http.Error(w, "No process answers. Try again in a moment.", http.StatusServiceUnavailable)
		},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug), // streams that broke
	}
}

// inTurn sends each request to the next process that accepts a connection.
type inTurn struct {
	processes []string // host:port
	next      http.RoundTripper
	turn      atomic.Uint32
}

func (t *inTurn) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	first := int(t.turn.Add(1))
	for i := range t.processes {
		try := r.Clone(r.Context())
		try.URL.Host = t.processes[(first+i)%len(t.processes)]
		if r.Body != nil {
			try.Body = io.NopCloser(r.Body) // an attempt that fails closes its body
		}
		resp, err = t.next.RoundTrip(try)
		// If no connection was made, nothing was sent, and another process may
		// have the request.
		if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "dial" {
			break
		}
	}
	return resp, err
}
