package client_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/crier-go/crier/client"
)

// A reading is what a stream says in all.
type reading struct {
	frames []string
	lastID string
	retry  time.Duration // -1: none
}

func frameString(name, data, lastID string, hasID bool) string {
	return fmt.Sprintf("name=%q data=%q id=%q own=%t", name, data, lastID, hasID)
}

// read reads a whole stream with a Reader.
func read(t testing.TB, src io.Reader) reading {
	t.Helper()
	r := client.NewReader(src)
	got := reading{retry: -1}
	for {
		f, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got.frames = append(got.frames, frameString(f.Name, string(f.Data), f.LastEventID, f.HasID))
	}
	if id, ok := r.LastEventID(); ok {
		got.lastID = id
	}
	if d, ok := r.Retry(); ok {
		got.retry = d
	}
	return got
}

func equal(a, b reading) bool {
	return slices.Equal(a.frames, b.frames) && a.lastID == b.lastID && a.retry == b.retry
}

var streams = map[string]struct {
	stream string
	want   reading
}{
	"nothing":                  {"", reading{retry: -1}},
	"one event":                {"id: 1\nevent: a\ndata: x\n\n", reading{[]string{frameString("a", "x", "1", true)}, "1", -1}},
	"CR":                       {"id: 1\revent: a\rdata: x\r\r", reading{[]string{frameString("a", "x", "1", true)}, "1", -1}},
	"CRLF":                     {"id: 1\r\nevent: a\r\ndata: x\r\n\r\n", reading{[]string{frameString("a", "x", "1", true)}, "1", -1}},
	"mixed line ends":          {"data: a\rdata: b\ndata: c\r\n\rdata: d\n\r\n", reading{[]string{frameString("", "a\nb\nc", "", false), frameString("", "d", "", false)}, "", -1}},
	"LF CR is two ends":        {"data: a\n\rdata: b\n\n", reading{[]string{frameString("", "a", "", false), frameString("", "b", "", false)}, "", -1}},
	"byte order mark":          {"\ufeffdata: x\n\n", reading{[]string{frameString("", "x", "", false)}, "", -1}},
	"second byte order mark":   {"\ufeff\ufeffdata: x\n\ndata: y\n\n", reading{[]string{frameString("", "y", "", false)}, "", -1}},
	"byte order mark later":    {"data: x\n\ufeffdata: y\n\n", reading{[]string{frameString("", "x", "", false)}, "", -1}},
	"half an event at the end": {"id: 1\ndata: x\n\nid: 2\ndata: y\n", reading{[]string{frameString("", "x", "1", true)}, "1", -1}},
	"half a line at the end":   {"data: x\n\ndata: y", reading{[]string{frameString("", "x", "", false)}, "", -1}},
	"comments":                 {":\n: hello\n:data: x\ndata: y\n:z\n\n", reading{[]string{frameString("", "y", "", false)}, "", -1}},
	"one space is stripped":    {"data:  x \ndata:\ty\ndata:z\n\n", reading{[]string{frameString("", " x \n\ty\nz", "", false)}, "", -1}},
	"colons in values":         {"data: a: b:c\n\n", reading{[]string{frameString("", "a: b:c", "", false)}, "", -1}},
	"no colon":                 {"data\n\ndata\ndata\n\nevent\nid\ndata:\n\n", reading{[]string{frameString("", "", "", false), frameString("", "\n", "", false), frameString("", "", "", true)}, "", -1}},
	"unknown fields":           {"Data: x\n data: x\ndata : x\nfoo: bar\nfoo\ndata: y\n\n", reading{[]string{frameString("", "y", "", false)}, "", -1}},
	"no data":                  {"event: a\nid: 7\n\ndata: x\n\n", reading{[]string{frameString("", "x", "7", false)}, "7", -1}},
	"id persists":              {"id: 1\ndata: a\n\ndata: b\n\nid: 2\ndata: c\n\n", reading{[]string{frameString("", "a", "1", true), frameString("", "b", "1", false), frameString("", "c", "2", true)}, "2", -1}},
	"empty id resets":          {"id: 1\ndata: a\n\nid:\ndata: b\n\n", reading{[]string{frameString("", "a", "1", true), frameString("", "b", "", true)}, "", -1}},
	"id with NUL":              {"id: 1\ndata: a\n\nid: 2\x00\ndata: b\n\n", reading{[]string{frameString("", "a", "1", true), frameString("", "b", "1", false)}, "1", -1}},
	"last id and name win":     {"id: 1\nid: 2\nevent: a\nevent: b\ndata: x\n\n", reading{[]string{frameString("b", "x", "2", true)}, "2", -1}},
	"name does not persist":    {"event: a\ndata: x\n\ndata: y\n\n", reading{[]string{frameString("a", "x", "", false), frameString("", "y", "", false)}, "", -1}},
	"retry":                    {"retry: 1500\n", reading{nil, "", 1500 * time.Millisecond}},
	"retry in half an event":   {"retry: 2\ndata: x", reading{nil, "", 2 * time.Millisecond}},
	"retry that is none":       {"retry: 7\nretry: 1x\nretry: -1\nretry: +1\nretry: 1.5\nretry:  1\nretry: 1 \nretry:\nretry\nretry: \u0661\n\n", reading{nil, "", 7 * time.Millisecond}},
	"retry with zeros":         {"retry:0042\n\n", reading{nil, "", 42 * time.Millisecond}},
	"retry of zero":            {"retry: 0\n\n", reading{nil, "", 0}},
	"NUL in data and name":     {"event: a\x00\ndata: \x00\n\n", reading{[]string{frameString("a\x00", "\x00", "", false)}, "", -1}},
	"not UTF-8":                {"data: \xff\xe2\x82A\xf0\x9f\x98\xed\xa0\x80\xc0\xaf\xe2\x82\nevent: \xc3\nid: \x80\n\n", reading{[]string{frameString("\ufffd", "\ufffd\ufffdA\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd", "\ufffd", true)}, "\ufffd", -1}},
	"maximal subparts":         {"data: \xe0\x80.\xe0\xa0.\xf0\x80\x80.\xf0\x90\x80.\xf4\x90\x80.\xf4\x8f\xbf.\xed\x9f.\xc2.\xc1\x80\n\n", reading{[]string{frameString("", "\ufffd\ufffd.\ufffd.\ufffd\ufffd\ufffd.\ufffd.\ufffd\ufffd\ufffd.\ufffd.\ufffd.\ufffd.\ufffd\ufffd", "", false)}, "", -1}},
	"UTF-8":                    {"data: é€😀\u2028\u0085\n\n", reading{[]string{frameString("", "é€😀\u2028\u0085", "", false)}, "", -1}},
}

func TestReader(t *testing.T) {
	for name, c := range streams {
		t.Run(name, func(t *testing.T) {
			for how, wrap := range chunkings {
				if got := read(t, wrap(strings.NewReader(c.stream))); !equal(got, c.want) {
					t.Errorf("%s: got\n%+v\nwant\n%+v", how, got, c.want)
				}
			}
			if got := interpret([]byte(c.stream)); !equal(got, c.want) {
				t.Errorf("the reference says\n%+v\nwant\n%+v", got, c.want)
			}
		})
	}
}

// The ways in which bytes may be divided into reads.
var chunkings = map[string]func(io.Reader) io.Reader{
	"at once":            func(r io.Reader) io.Reader { return r },
	"byte by byte":       iotest.OneByteReader,
	"by halves":          iotest.HalfReader,
	"error with the end": iotest.DataErrReader,
}

// An event is there once its last byte is, even if that is a CR.
func TestReaderDoesNotWait(t *testing.T) {
	for _, end := range []string{"\n\n", "\r\r", "\r\n\r", "\n\r"} {
		src, w := io.Pipe()
		go io.WriteString(w, "data: x"+end)
		f, err := client.NewReader(src).Next()
		if err != nil || string(f.Data) != "x" {
			t.Errorf("after %q: got %q, %v", end, f.Data, err)
		}
		w.Close()
	}
}

func TestReaderLongLine(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for how, wrap := range chunkings {
		r := client.NewReader(wrap(strings.NewReader(": " + long + "\nid: 1\ndata: " + long + "\ndata: " + long + "\n\n")))
		f, err := r.Next()
		if err != nil || string(f.Data) != long+"\n"+long || f.LastEventID != "1" {
			t.Errorf("%s: got %d bytes with id %q, %v", how, len(f.Data), f.LastEventID, err)
		}
	}
}

func TestReaderLimit(t *testing.T) {
	for name, c := range map[string]struct {
		stream string
		fits   bool
	}{
		"a line that fits":     {"data: 12345678901234\n\n", true},
		"a line that does not": {"data: 123456789012345678901\n\n", false},
		"many lines":           {"data: 1234567890\ndata: 1234567890\n\n", false},
		"a comment":            {":" + strings.Repeat("x", 10_000), false},
		"many comments":        {strings.Repeat(": comment\n", 1000) + "data: x\n\n", true},
		"many events":          {strings.Repeat("data: 1234567890\n\n", 1000), true},
	} {
		r := client.NewReader(iotest.OneByteReader(strings.NewReader(c.stream)))
		r.Limit = 20
		_, err := r.Next()
		if c.fits && err != nil || !c.fits && !errors.Is(err, client.ErrTooLarge) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestReaderErrors(t *testing.T) {
	broken := errors.New("broken")
	r := client.NewReader(io.MultiReader(strings.NewReader("data: x\n\ndata: y\n"), iotest.ErrReader(broken)))
	if f, err := r.Next(); err != nil || string(f.Data) != "x" {
		t.Errorf("got %q, %v", f.Data, err)
	}
	for range 2 {
		if _, err := r.Next(); err != broken {
			t.Errorf("got %v", err)
		}
	}
	if _, err := client.NewReader(lazy{}).Next(); err != io.ErrNoProgress {
		t.Errorf("got %v from a reader that reads nothing", err)
	}
}

type lazy struct{}

func (lazy) Read([]byte) (int, error) { return 0, nil }

func TestReaderRetryOverflow(t *testing.T) {
	r := client.NewReader(strings.NewReader("retry: " + strings.Repeat("9", 100) + "\n\n"))
	r.Next()
	if d, ok := r.Retry(); !ok || d < 24*time.Hour {
		t.Errorf("got %v, %t", d, ok)
	}
}

func FuzzReader(f *testing.F) {
	for _, c := range streams {
		f.Add([]byte(c.stream), uint8(3))
	}
	f.Fuzz(func(t *testing.T, stream []byte, chunk uint8) {
		want := interpret(stream)
		if got := read(t, &chunked{bytes.NewReader(stream), int(chunk)}); !equal(got, want) {
			t.Errorf("in chunks of %d: got\n%+v\nwant\n%+v", chunk, got, want)
		}
		if got := read(t, bytes.NewReader(stream)); !equal(got, want) {
			t.Errorf("at once: got\n%+v\nwant\n%+v", got, want)
		}
	})
}

// A chunked reader returns at most n bytes at a time, but at least one.
type chunked struct {
	io.Reader
	n int
}

func (c *chunked) Read(p []byte) (int, error) { return c.Reader.Read(p[:min(len(p), max(c.n, 1))]) }
