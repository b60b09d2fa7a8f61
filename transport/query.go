package transport

import (
	"net/http"
	"net/url"
	"strings"
)

// maxNames is how many categories one filter may name: as many as a registry can
// have.
const maxNames = 64

// A limit bounds what is read of a query parameter, before anything is built of
// it.
type limit struct {
	names int // separated by commas, in all values together
	bytes int
}

var (
	categoriesLimit = limit{maxNames, 16 << 10}
	// topicsLimit is above Options.TopicsPerStream, which the hub checks.
	topicsLimit = limit{1000, 256 << 10}
	idLimit     = limit{1, 16 << 10}
)

// queryValues returns the values of a query parameter, at most l.names+1 of
// them. It reports false if one of them is malformed or longer than l.bytes; that
// one is returned as it came.
//
// It does not use url.Values, which silently drops malformed pairs: a
// client that asks for "?categories=chat;" would then hear everything.
func queryValues(r *http.Request, name string, l limit) (values []string, ok bool) {
	ok = true
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		// A semicolon separated pairs once; today it makes one malformed.
		malformed := strings.Contains(pair, ";")
		for part := range strings.SplitSeq(pair, ";") {
			key, value, _ := strings.Cut(part, "=")
			if key, err := url.QueryUnescape(key); err != nil || key != name {
				continue
			}
			if len(values) > l.names {
				return values, ok
			}
			if !malformed && len(value) <= l.bytes {
				if unescaped, err := url.QueryUnescape(value); err == nil {
					values = append(values, unescaped)
					continue
				}
			}
			values, ok = append(values, value), false
		}
	}
	return values, ok
}

// lastEventID returns where the client wants to resume: the header that an
// EventSource sends when it reconnects, or the query, since nobody can set
// headers on an EventSource's first connection or on a WebSocket. It is hostile
// input. A malformed value is returned too: the hub does not know it, and tells
// the client of a gap.
func lastEventID(r *http.Request) string {
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		return id
	}
	for _, name := range [...]string{"last_event_id", "lastEventId"} {
		switch values, ok := queryValues(r, name, idLimit); {
		case !ok:
			return malformedID
		case len(values) > 0 && values[0] != "":
			return values[0]
		}
	}
	return ""
}

// malformedID is an id that no hub knows.
const malformedID = "malformed"

// exceeds reports whether values hold more than the limit, without splitting
// them.
func (l limit) exceeds(values []string) bool {
	names, bytes := len(values), 0
	for _, v := range values {
		names += strings.Count(v, ",")
		bytes += len(v)
	}
	return names > l.names || bytes > l.bytes
}
