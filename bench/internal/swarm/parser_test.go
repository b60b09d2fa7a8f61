package swarm

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func chunk(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }

func frame(opcode byte, payload string) string {
	b := []byte{0x80 | opcode}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = append(b, 126, byte(n>>8), byte(n))
	default:
		b = append(b, 127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return string(b) + payload
}

const (
	head    = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
	chunked = head + "Transfer-Encoding: chunked\r\n\r\n"
	upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
)

var long = strings.Repeat("x", 70_000)

var streams = []struct {
	name, wire string
	content    string
	pong       string
	ends       bool
}{
	{"plain", head + "\r\none, two", "one, two", "", false},
	{"chunked", chunked + chunk("one, t") + chunk("wo") + chunk(long), "one, two" + long, "", false},
	{"chunked, in capitals", chunked + "A\r\n0123456789\r\n", "0123456789", "", false},
	{"chunked, and over", chunked + chunk("one") + "0\r\n\r\n", "one", "", true},
	{"frames", upgrade + frame(opText, "one") + frame(opPing, "you?") + frame(opText, "") + frame(2, strings.Repeat("y", 200)) + frame(opText, long),
		"one" + strings.Repeat("y", 200) + long, "\x8a\x84\x00\x00\x00\x00you?", false},
	{"frames, and over", upgrade + frame(opClose, "\x03\xe8bye"), "", "", true},
}

// However the bytes arrive, the same is in them.
func TestParser(t *testing.T) {
	for _, s := range streams {
		t.Run(s.name, func(t *testing.T) {
			for _, step := range []int{1, 2, 3, 7, 64, 1 << 20} {
				var p parser
				var content, pong []byte
				var err error
				for piece := range slices.Chunk([]byte(s.wire), step) {
					if err = p.feed(piece, func(b []byte) { content = append(content, b...) }); err != nil {
						break
					}
					pong = append(pong, p.pong...)
					p.pong = nil
				}
				if string(content) != s.content || string(pong) != s.pong || errors.Is(err, errEnded) != s.ends || !p.greeted() {
					t.Errorf("%d bytes at a time: %.50q, pong %q, %v; want %.50q, %q, an end: %v",
						step, content, pong, err, s.content, s.pong, s.ends)
				}
			}
		})
	}
}

func TestParserRefuses(t *testing.T) {
	for name, wire := range map[string]string{
		"another status":         "HTTP/1.1 401 Unauthorized\r\n\r\n",
		"a head without an end":  "HTTP/1.1 200 OK\r\n" + strings.Repeat("x", longestHead),
		"a chunk without a size": chunked + "xyz\r\n",
		"a huge chunk":           chunked + "fffffffff\r\n",
		"a masked frame":         upgrade + "\x81\x85abcdefghi",
	} {
		var p parser
		if err := p.feed([]byte(wire), func([]byte) {}); err == nil || errors.Is(err, errEnded) {
			t.Errorf("%s: %v; want an error", name, err)
		}
	}
}

// Nothing that a server sends may make the client fail in any way but by an
// error.
func FuzzParser(f *testing.F) {
	for _, s := range streams {
		f.Add([]byte(s.wire), 5)
	}
	f.Fuzz(func(t *testing.T, wire []byte, step int) {
		read := func(step int) (content []byte, failed bool) {
			var p parser
			for piece := range slices.Chunk(bytes.Clone(wire), step) {
				if p.feed(piece, func(b []byte) { content = append(content, b...) }) != nil {
					return content, true
				}
			}
			return content, false
		}
		whole, failed := read(max(1, len(wire)))
		pieces, failedToo := read(max(1, step))
		if !bytes.Equal(whole, pieces) || failed != failedToo {
			t.Errorf("read at once: %q, %v; in pieces of %d: %q, %v", whole, failed, step, pieces, failedToo)
		}
	})
}
