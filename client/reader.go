package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"
)

// A Frame is one event of a text/event-stream, as a [Reader] returns it.
type Frame struct {
	// Name is the value of the event field. It is empty if there was none;
	// a browser dispatches such an event as "message".
	Name string
	// Data holds the values of the data fields, joined by LF. It belongs to
	// the caller.
	Data []byte
	// LastEventID is the last event ID of the stream when this event was
	// dispatched: what a browser's MessageEvent has as lastEventId. It comes
	// from an earlier event if this one has no id field of its own.
	LastEventID string
	// HasID reports whether this event has an id field of its own.
	HasID bool
}

// ErrTooLarge is returned for an event that exceeds [Reader.Limit] or
// [Options.MaxEvent]. Test for it with [errors.Is].
var ErrTooLarge = errors.New("client: event too large")

// DefaultLimit is the default of [Reader.Limit] and [Options.MaxEvent], in
// bytes.
const DefaultLimit = 16 << 20

// A Reader reads a text/event-stream by the rules for browsers (WHATWG HTML,
// sections 9.2.5 and 9.2.6). It reads the streams of any server, not only those
// of Crier, from any io.Reader. In particular:
//
//   - one byte order mark at the start is skipped;
//   - a line ends with LF, CR or CRLF, and a CR ends it at once, without
//     waiting for the next byte;
//   - comments and unknown fields are ignored, and so are an id that contains
//     NUL and a retry that is not made of ASCII digits only;
//   - an event without data is not returned, but its id counts;
//   - what follows the last blank line of a stream that has ended is discarded;
//   - bytes that are not UTF-8 become U+FFFD, as the WHATWG Encoding standard
//     decodes them.
//
// It does not depend on how the bytes are divided into reads. A Reader is not
// safe for concurrent use.
type Reader struct {
	// Limit is the most bytes that a line, and the data of one event, may
	// have. It may be changed before the first call of Next. Zero means
	// DefaultLimit.
	Limit int

	src    io.Reader
	err    error  // what src returned together with bytes
	buf    []byte // buf[start:end] has been read from src, but not been used
	start  int
	end    int
	begun  bool // the first line has been read
	skipLF bool // the last line ended with CR

	// The buffers of section 9.2.6.
	name  string
	data  []byte // ends with LF unless empty
	id    string
	idSet bool // some line has set id
	hasID bool // a line of the present event has

	lastID    string
	lastIDSet bool
	retry     time.Duration
	retrySet  bool
}

// NewReader returns a Reader that reads from r. It buffers, so it may read more
// than the events that it returns.
func NewReader(r io.Reader) *Reader { return &Reader{src: r} }

// LastEventID returns the stream's last event ID: what a client sends as
// Last-Event-ID when it comes back. Blocks without data change it, too. It
// reports false if no block of this stream has set it.
func (r *Reader) LastEventID() (id string, ok bool) { return r.lastID, r.lastIDSet }

// Retry returns the reconnection time that the stream has set last. It reports
// false if the stream has set none.
func (r *Reader) Retry() (d time.Duration, ok bool) { return r.retry, r.retrySet }

// Next returns the next event. At the end of the stream the error is io.EOF,
// whether or not the last event was complete; other errors are those of the
// underlying reader, or wrap [ErrTooLarge].
func (r *Reader) Next() (Frame, error) {
	for {
		line, err := r.line()
		if err != nil {
			return Frame{}, err
		}
		if len(line) > 0 {
			if err := r.field(line); err != nil {
				return Frame{}, err
			}
			continue
		}
		if f, ok := r.dispatch(); ok {
			return f, nil
		}
	}
}

// field interprets one line that is not blank.
func (r *Reader) field(line []byte) error {
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) {
	case "event":
		r.name = string(decodeUTF8(value))
	case "data":
		if len(r.data)+len(value) >= r.limit() {
			return r.tooLarge()
		}
		r.data = append(append(r.data, decodeUTF8(value)...), '\n')
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			r.id, r.idSet, r.hasID = string(decodeUTF8(value)), true, true
		}
	case "retry":
		if d, ok := parseRetry(value); ok {
			r.retry, r.retrySet = d, true
		}
	}
	return nil
}

// dispatch ends a block, and reports whether it was an event.
func (r *Reader) dispatch() (Frame, bool) {
	if r.idSet {
		r.lastID, r.lastIDSet = r.id, true
	}
	f := Frame{Name: r.name, LastEventID: r.lastID, HasID: r.hasID}
	data := r.data
	r.name, r.data, r.hasID = "", nil, false
	if len(data) == 0 {
		return Frame{}, false
	}
	f.Data = slices.Clip(data[:len(data)-1])
	return f, true
}

// line returns the next line without its end. It is valid until the next call.
func (r *Reader) line() ([]byte, error) {
	scanned := 0
	for {
		b := r.buf[r.start:r.end]
		if r.skipLF && len(b) > 0 {
			r.skipLF = false
			if b[0] == '\n' {
				r.start++
				b = b[1:]
			}
		}
		if i := indexLineEnd(b[scanned:]); i >= 0 {
			i += scanned
			r.start += i + 1
			r.skipLF = b[i] == '\r'
			line := b[:i]
			if !r.begun {
				r.begun = true
				line = bytes.TrimPrefix(line, []byte("\ufeff"))
			}
			return line, nil
		}
		scanned = len(b)
		if scanned > r.limit() {
			return nil, r.tooLarge()
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

// indexLineEnd returns the index of the first CR or LF, or -1.
func indexLineEnd(b []byte) int {
	// Two searches for one byte are faster than one for either.
	lf := bytes.IndexByte(b, '\n')
	if lf >= 0 {
		b = b[:lf]
	}
	if cr := bytes.IndexByte(b, '\r'); cr >= 0 {
		return cr
	}
	return lf
}

const readSize = 4 << 10

// fill reads more into buf.
func (r *Reader) fill() error {
	if r.err != nil {
		return r.err
	}
	if r.start > 0 {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	}
	if r.end == len(r.buf) {
		r.buf = append(r.buf, make([]byte, max(readSize, len(r.buf)))...)
	}
	for range 100 {
		n, err := r.src.Read(r.buf[r.end:])
		r.end += n
		if n > 0 {
			r.err = err
			return nil
		}
		if err != nil {
			r.err = err
			return err
		}
	}
	return io.ErrNoProgress
}

func (r *Reader) limit() int {
	if r.Limit > 0 {
		return r.Limit
	}
	return DefaultLimit
}

func (r *Reader) tooLarge() error {
	return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, r.limit())
}

// parseRetry reads a number of milliseconds. A number that a time.Duration
// cannot hold becomes the longest one.
func parseRetry(value []byte) (time.Duration, bool) {
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	if len(value) == 0 {
		return 0, false
	}
	const longest = math.MaxInt64 / int64(time.Millisecond)
	ms, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || ms > longest {
		ms = longest
	}
	return time.Duration(ms) * time.Millisecond, true
}
