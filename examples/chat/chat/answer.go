package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/crier-go/crier/hub"
)

const (
	// maxBody is the longest body that is read, in bytes: a message of maxText
	// may be longer in JSON, where a character can be written with six.
	maxBody = 32 << 10
	// bodyTime is how long a body may take. The server has no ReadTimeout,
	// which would end the streams.
	bodyTime = 10 * time.Second
)

// A problem is an error that is the client's to mend. Its text says what would
// be right; over WebSocket it is the text of the stream.error.
type problem struct {
	status int
	text   string
}

func (p problem) Error() string { return p.text }

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// The only error left is that the client has gone.
	_ = json.NewEncoder(w).Encode(v)
}

func writeProblem(w http.ResponseWriter, p problem) {
	writeJSON(w, p.status, map[string]string{"error": p.text})
}

// fail answers with an error: a problem as it is, anything else without telling
// the client what it was.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	writeProblem(w, s.public(err, "method", r.Method, "path", r.URL.Path))
}

// public returns the problem to tell a client for an error, and logs what a
// client should not see.
func (s *server) public(err error, attrs ...any) problem {
	var p problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, hub.ErrClosed):
		return problem{http.StatusServiceUnavailable, "The server is shutting down. Try again in a moment."}
	case errors.Is(err, hub.ErrUnavailable):
		s.log.Warn("a request failed for want of the backplane", append(attrs, "error", err)...)
		return problem{http.StatusServiceUnavailable, "The server cannot reach the others just now. It is not certain whether this was done; look before you try again."}
	}
	s.log.Error("a request failed", append(attrs, "error", err)...)
	return problem{http.StatusInternalServerError, "Something went wrong here. It has been logged."}
}

// readJSON reads a request's body into v. An empty body leaves v as it is if
// it is optional.
func readJSON(w http.ResponseWriter, r *http.Request, optional bool, v any) error {
	// Not every ResponseWriter has deadlines; then there is none.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return problem{http.StatusRequestEntityTooLarge, fmt.Sprintf("The body is over %d bytes; a message has at most %d.", maxBody, maxText)}
	case err != nil:
		return problem{http.StatusBadRequest, "The body could not be read."}
	case len(data) == 0 && optional:
		return nil
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return problem{http.StatusUnsupportedMediaType, "Send JSON, with Content-Type: application/json."}
	}
	return decode(data, v)
}

// decode reads one JSON object, and nothing behind it.
func decode(data []byte, v any) error {
	// encoding/json would quietly replace what is no UTF-8.
	if !utf8.Valid(data) {
		return problem{http.StatusBadRequest, "This is not valid UTF-8."}
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields() // a misspelled "to" must not end up in the lobby
	if err := d.Decode(v); err != nil {
		return problem{http.StatusBadRequest, fmt.Sprintf(`This is not what is expected (%v). Send JSON like {"text":"hello","to":""}.`, err)}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return problem{http.StatusBadRequest, "There is something behind the JSON object. Send one at a time."}
	}
	return nil
}
