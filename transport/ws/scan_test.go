package ws

import (
	"encoding/binary"
	"testing"
)

// clientFrame returns a masked frame.
func clientFrame(first byte, payload int) []byte {
	b := []byte{first}
	switch {
	case payload < 126:
		b = append(b, 0x80|byte(payload))
	case payload < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(payload))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(payload))
	}
	return append(b, make([]byte, 4+payload)...)
}

func TestScan(t *testing.T) {
	for name, c := range map[string]struct {
		frames [][]byte
		small  int
		closed bool
	}{
		"a message":          {[][]byte{clientFrame(0x81, 5)}, 0, false},
		"fragments":          {[][]byte{clientFrame(0x01, 5), clientFrame(0x00, 0), clientFrame(0x00, 1023), clientFrame(0x80, 1)}, 3, false},
		"large fragments":    {[][]byte{clientFrame(0x01, 1), clientFrame(0x00, 1024), clientFrame(0x80, 70_000)}, 0, false},
		"control frames":     {[][]byte{clientFrame(0x89, 125), clientFrame(0x8a, 0)}, 0, false},
		"close":              {[][]byte{clientFrame(0x81, 200), clientFrame(0x88, 2)}, 0, true},
		"close, empty":       {[][]byte{clientFrame(0x88, 0)}, 0, true},
		"half a close":       {[][]byte{clientFrame(0x88, 20)[:10]}, 0, false},
		"nothing counts now": {[][]byte{clientFrame(0x88, 0), clientFrame(0x00, 0)}, 0, true},
		"not masked":         {[][]byte{{0x81, 1, 'x'}, {0x88, 0}}, 0, true},
	} {
		var s frameScanner
		small := 0
		for _, f := range c.frames {
			small += s.scan(f)
		}
		if small != c.small || s.closed != c.closed {
			t.Errorf("%s: %d small fragments, closed %v; want %d, %v", name, small, s.closed, c.small, c.closed)
		}
	}
}

// However the bytes are divided among reads, the scanner finds the same.
func FuzzScan(f *testing.F) {
	f.Add(append(clientFrame(0x01, 300), clientFrame(0x00, 3)...), byte(7))
	f.Add(append(clientFrame(0x00, 70_000), clientFrame(0x88, 2)...), byte(1))
	f.Add([]byte{0, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5}, byte(2))
	f.Fuzz(func(t *testing.T, b []byte, size byte) {
		var whole, parts frameScanner
		want, got := whole.scan(b), 0
		for step := int(size%16) + 1; len(b) > 0; {
			n := min(step, len(b))
			got += parts.scan(b[:n])
			b = b[n:]
		}
		if got != want || parts.closed != whole.closed || parts.remaining != whole.remaining {
			t.Errorf("%d small fragments, %+v; in one piece %d, %+v", got, parts, want, whole)
		}
	})
}
