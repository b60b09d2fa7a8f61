package sse

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
)

// innermost returns the ResponseWriter that is reached by Unwrap, as
// http.ResponseController does.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = u.Unwrap()
	}
}

// canFlush reports whether w can be flushed. Trying would already send the
// headers. A wrapper's own Flush does not count: if what it wraps cannot flush,
// it does nothing, or panics.
func canFlush(w http.ResponseWriter) bool {
	switch innermost(w).(type) {
	case http.Flusher, interface{ FlushError() error }:
		return true
	}
	return false
}

// isOpaque reports whether w is a wrapper that hides what it wraps. Its Flush
// may do nothing, as that of a compressor that has not begun.
func isOpaque(w http.ResponseWriter) bool {
	t := reflect.TypeOf(innermost(w))
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	pkg := t.PkgPath()
	return pkg != "net/http" && !strings.HasPrefix(pkg, "net/http/") &&
		!strings.HasSuffix(pkg, "/http2") && !strings.HasSuffix(pkg, "/http3")
}

// warnOnce logs a warning about a type of ResponseWriter, once for each type.
func (h *handler) warnOnce(w http.ResponseWriter, what string) {
	name := fmt.Sprintf("%T", innermost(w))
	if _, warned := h.warned.LoadOrStore(what+name, true); !warned {
		h.acceptor.Options().Logger.Warn("crier: "+what, "transport", "sse", "writer", name)
	}
}
