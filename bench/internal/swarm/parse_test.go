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
	event1 = "id: a\nevent: e\ndata: {\"at\":17,\"fill\":\"{\\\"a{\"}\n\n"
	event2 = "id: b\nevent: e\ndata: {\"at\":18}\n\n"
	okHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
)

var streams = []struct {
	name, wire string
	stamps     []int64
	pong       string
	ends       bool
}{
	{"plain", okHead + "\r\n" + event1 + event2, []int64{17, 18}, "", false},
	{"chunked, an event cut by a chunk", okHead + "Transfer-Encoding: chunked\r\n\r\n" +
		chunk(event1[:27]) + chunk(event1[27:]+event2), []int64{17, 18}, "", false},
	{"chunked, and over", okHead + "Transfer-Encoding: chunked\r\n\r\n" + chunk(event1) + "0\r\n\r\n", []int64{17}, "", true},
	{"frames", "HTTP/1.1 101 Switching Protocols\r\n\r\n" +
		frame(1, `{"id":"a","event":"e","data":{"at":17}}`) +
		frame(opPing, "you?") +
		frame(1, `{"data":{"at":18,"fill":"`+strings.Repeat("x", 200)+`"}}`) +
		frame(1, `{"data":{"at":19,"fill":"`+strings.Repeat("{", 70_000)+`"}}`) +
		frame(1, ""), []int64{17, 18, 19}, "\x8a\x84\x00\x00\x00\x00you?", false},
	{"frames, and over", "HTTP/1.1 101 Switching Protocols\r\n\r\n" + frame(opClose, "\x03\xe8bye"), nil, "", true},
}

// However the bytes arrive, the same is found in them.
func TestParser(t *testing.T) {
	for _, s := range streams {
		t.Run(s.name, func(t *testing.T) {
			for _, step := range []int{1, 2, 3, 7, 64, 1 << 20} {
				var p parser
				var stamps []int64
				var pong []byte
				var err error
				for piece := range slices.Chunk([]byte(s.wire), step) {
					if err = p.feed(piece, func(n int64) { stamps = append(stamps, n) }); err != nil {
						break
					}
					pong = append(pong, p.pong...)
					p.pong = nil
				}
				if !slices.Equal(stamps, s.stamps) || string(pong) != s.pong || errors.Is(err, errEnded) != s.ends {
					t.Errorf("%d bytes at a time: stamps %v, pong %q, %v; want %v, %q, an end: %v",
						step, stamps, pong, err, s.stamps, s.pong, s.ends)
				}
			}
		})
	}
}

func TestParserRefuses(t *testing.T) {
	for name, wire := range map[string]string{
		"another status":         "HTTP/1.1 401 Unauthorized\r\n\r\n",
		"a head without an end":  "HTTP/1.1 200 OK\r\n" + strings.Repeat("x", longestHead),
		"a chunk without a size": okHead + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"a masked frame":         "HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x85abcdefghi",
	} {
		var p parser
		if err := p.feed([]byte(wire), func(int64) {}); err == nil || errors.Is(err, errEnded) {
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
		find := func(step int) (stamps []int64, failed bool) {
			var p parser
			for piece := range slices.Chunk(bytes.Clone(wire), step) {
				if p.feed(piece, func(n int64) { stamps = append(stamps, n) }) != nil {
					return stamps, true
				}
			}
			return stamps, false
		}
		whole, failed := find(max(1, len(wire)))
		pieces, failedToo := find(max(1, step))
		if !slices.Equal(whole, pieces) || failed != failedToo {
			t.Errorf("read at once: %v, %v; in pieces of %d: %v, %v", whole, failed, step, pieces, failedToo)
		}
	})
}
