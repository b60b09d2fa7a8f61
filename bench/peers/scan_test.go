package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestNewItem(t *testing.T) {
	for _, seq := range []uint64{probeSeq, 1, 9_999_999_999} {
		it := newItem(seq)
		if len(it.data) != payloadSize || !json.Valid(it.data) {
			t.Errorf("item %d: %d bytes, valid JSON %t: %s", seq, len(it.data), json.Valid(it.data), it.data)
		}
		if n := bytes.Count(it.data, []byte{markerStart}); n != 1 {
			t.Errorf("item %d has %d marker bytes", seq, n)
		}
		if len(it.id) != 36 {
			t.Errorf("item %d: id %q is not shaped like a UUID", seq, it.id)
		}
	}
}

const (
	headChunked = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
	headPlain   = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
	headUpgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
)

func chunk(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }

func serverFrame(opcode byte, fin bool, payload string) string {
	b := []byte{opcode}
	if fin {
		b[0] |= 0x80
	}
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

func sseEvent(seq uint64) string { return string(appendSSE(nil, newItem(seq))) }

// Whatever cuts what a server sends, in chunks, in frames, or in reads of every length, each marker counts once.
func TestStreamCounts(t *testing.T) {
	one, two, three := sseEvent(1), sseEvent(2), sseEvent(3)
	all := one + two + three
	cut := strings.Index(all, "~#") + 5 // in the middle of the first marker
	text := string(newItem(1).data) + "\n" + string(newItem(2).data) + "\n" + string(newItem(3).data)
	mid := strings.Index(text, "~#") + 1
	for name, in := range map[string]string{
		"plain":            headPlain + all,
		"a chunk each":     headChunked + chunk(one) + chunk(two) + chunk(three),
		"marker in two":    headChunked + chunk(all[:cut]) + chunk(all[cut:]),
		"chunks of a byte": headChunked + strings.Join(mapBytes(all, chunk), ""),
		"a frame each": headUpgrade + serverFrame(1, true, string(newItem(1).data)) +
			serverFrame(1, true, string(newItem(2).data)) + serverFrame(1, true, string(newItem(3).data)),
		"one large frame":  headUpgrade + serverFrame(1, true, text+strings.Repeat(" ", 70_000)),
		"fragments, pings": headUpgrade + serverFrame(1, false, text[:mid]) + serverFrame(9, true, "~#0000000009") + serverFrame(0, true, text[mid:]),
		"false starts":     headPlain + "~~#00000~#00~" + all + "~#12345678x0",
	} {
		for _, step := range []int{1, 2, 3, 7, 11, 12, 13, 64, 1 << 20} {
			var s stream
			for rest := in; rest != ""; {
				n := min(step, len(rest))
				if err := s.feed([]byte(rest[:n])); err != nil {
					t.Fatalf("%s, reads of %d bytes: %v", name, step, err)
				}
				rest = rest[n:]
			}
			if s.count != 3 || s.last != 3 || s.disorder != 0 || !s.probed {
				t.Errorf("%s, reads of %d bytes: counted %d, last %d, disorder %d", name, step, s.count, s.last, s.disorder)
			}
		}
	}
}

func mapBytes(s string, f func(string) string) []string {
	var out []string
	for i := range len(s) {
		out = append(out, f(s[i:i+1]))
	}
	return out
}

func TestStreamNotesProbesAndDisorder(t *testing.T) {
	var s stream
	in := headPlain + sseEvent(probeSeq)
	if err := s.feed([]byte(in)); err != nil || !s.probed || s.count != 0 {
		t.Fatalf("after a probe: %v, probed %t, counted %d", err, s.probed, s.count)
	}
	in = sseEvent(1) + sseEvent(1) + sseEvent(4) + sseEvent(3)
	if err := s.feed([]byte(in)); err != nil {
		t.Fatal(err)
	}
	if s.count != 4 || s.disorder != 2 || s.last != 4 {
		t.Errorf("counted %d, disorder %d, last %d; want 4, 2, 4", s.count, s.disorder, s.last)
	}
}

func FuzzStream(f *testing.F) {
	f.Add([]byte(headChunked+chunk(sseEvent(1))), 5)
	f.Add([]byte(headUpgrade+serverFrame(1, true, string(newItem(1).data))), 3)
	f.Fuzz(func(t *testing.T, in []byte, step int) {
		step = max(1, min(step, len(in)))
		var whole, parts stream
		err := whole.feed(in)
		var perr error
		for i := 0; i < len(in) && perr == nil; i += step {
			perr = parts.feed(in[i:min(i+step, len(in))])
		}
		if (err == nil) != (perr == nil) || whole.count != parts.count || whole.disorder != parts.disorder {
			t.Errorf("in one piece %d (%v), in pieces of %d bytes %d (%v)", whole.count, err, step, parts.count, perr)
		}
	})
}

// What the client spends on an event is taken from the server's share of the machine.
func BenchmarkStream(b *testing.B) {
	var events strings.Builder
	for seq := range uint64(100) {
		events.WriteString(sseEvent(seq + 1))
	}
	in := []byte(chunk(events.String()))
	var s stream
	if err := s.feed([]byte(headChunked)); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if err := s.feed(in); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(s.count), "ns/event")
}
