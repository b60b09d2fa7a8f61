package debug

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
)

// pageSize is how many streams are shown at once.
const pageSize = 100

// streams shows open streams, a page at a time.
func (d *Handler) streams(r *http.Request) view {
	v := view{View: "streams", Query: strings.TrimSpace(r.FormValue("q"))}
	if s := r.FormValue("after"); s != "" {
		var err error
		if v.After, err = strconv.ParseUint(s, 10, 64); err != nil {
			return failed("streams", http.StatusBadRequest, "“after” is not the number of a stream.")
		}
	}
	matches := d.matcher(v.Query)
	for s := range d.hub.AllStreams(v.After) {
		if !matches(s) {
			continue
		}
		if len(v.Streams) == pageSize {
			v.Next = v.Streams[pageSize-1].ID
			break
		}
		v.Streams = append(v.Streams, describe(s))
	}
	return v
}

// matcher returns whether a stream is one that a person searches for, by a part of
// its user, its session or its address.
func (d *Handler) matcher(query string) func(hub.StreamStatus) bool {
	if query == "" {
		return func(hub.StreamStatus) bool { return true }
	}
	user, hex := d.userID(query), strings.ToLower(query)
	return func(s hub.StreamStatus) bool {
		return user != uuid.Nil && s.User == user || strings.Contains(s.SessionID, query) ||
			strings.Contains(s.RemoteAddr, query) || strings.Contains(s.User.String(), hex)
	}
}

// userID returns the user that a person has typed, or uuid.Nil.
func (d *Handler) userID(typed string) uuid.UUID {
	if id, err := uuid.Parse(typed); err == nil {
		return id
	}
	if d.userIDs == nil || typed == "" {
		return uuid.Nil
	}
	return d.userIDs(typed)
}
