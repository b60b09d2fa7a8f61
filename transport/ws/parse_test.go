package ws

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/crier-go/crier/transport/internal/fixture"
)

// parsed is all that a parser finds in some bytes that come in pieces.
func parsed(p *parser, b []byte, piece int) (found []string, small int) {
	for len(b) > 0 {
		n := min(piece, len(b))
		rest := b[:n]
		b = b[n:]
		for {
			m, r, ok, err := p.next(rest, 100_000)
			rest = r
			small += int(p.small)
			p.small = 0
			switch {
			case err != nil:
				found = append(found, fmt.Sprint("error: ", errors.Is(err, errReadLimit)))
				continue
			case ok:
				found = append(found, fmt.Sprintf("%x %d %.20q", m.opcode, len(m.payload), m.payload))
				continue
			}
			break
		}
	}
	return found, small
}

func TestParse(t *testing.T) {
	large := strings.Repeat("l", 70_000)
	for name, c := range map[string]struct {
		frames [][]byte
		want   []string
		small  int
	}{
		"a message":            {[][]byte{fixture.ClientFrame(0x81, "hello")}, []string{`1 5 "hello"`}, 0},
		"an empty one":         {[][]byte{fixture.ClientFrame(0x81, "")}, []string{`1 0 ""`}, 0},
		"binary":               {[][]byte{fixture.ClientFrame(0x82, "x")}, []string{`2 1 "x"`}, 0},
		"a large one":          {[][]byte{fixture.ClientFrame(0x81, large)}, []string{`1 70000 "llllllllllllllllllll"`}, 0},
		"fragments":            {[][]byte{fixture.ClientFrame(0x01, "a"), fixture.ClientFrame(0x00, ""), fixture.ClientFrame(0x00, "b"), fixture.ClientFrame(0x80, "c")}, []string{`1 3 "abc"`}, 3},
		"a large fragment":     {[][]byte{fixture.ClientFrame(0x01, ""), fixture.ClientFrame(0x80, large)}, []string{`1 70000 "llllllllllllllllllll"`}, 0},
		"a ping in between":    {[][]byte{fixture.ClientFrame(0x01, "a"), fixture.ClientFrame(0x89, "p"), fixture.ClientFrame(0x80, "b")}, []string{`9 1 "p"`, `1 2 "ab"`}, 1},
		"a close":              {[][]byte{fixture.ClientFrame(0x81, "x"), fixture.ClientFrame(0x88, "\x03\xe8")}, []string{`1 1 "x"`, `8 2 "\x03\xe8"`}, 0},
		"half a close":         {[][]byte{fixture.ClientFrame(0x88, "\x03\xe8")[:7]}, nil, 0},
		"too much":             {[][]byte{fixture.ClientFrame(0x01, large), fixture.ClientFrame(0x80, large), fixture.ClientFrame(0x88, "")}, []string{"error: true", `8 0 ""`}, 0},
		"far too much":         {[][]byte{{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}}, []string{"error: true"}, 0},
		"not masked":           {[][]byte{{0x81, 1, 'x'}, {0x88, 0}}, []string{"error: false", `8 0 ""`}, 0},
		"an unknown opcode":    {[][]byte{fixture.ClientFrame(0x83, "x"), fixture.ClientFrame(0x88, "")}, []string{"error: false", `8 0 ""`}, 0},
		"an unknown control":   {[][]byte{fixture.ClientFrame(0x8b, "x")}, []string{"error: false"}, 0},
		"reserved bits":        {[][]byte{fixture.ClientFrame(0xc1, "x")}, []string{"error: false"}, 0},
		"a ping in pieces":     {[][]byte{fixture.ClientFrame(0x09, "x")}, []string{"error: false"}, 0},
		"a ping of 126":        {[][]byte{fixture.ClientFrame(0x89, large[:126])}, []string{"error: false"}, 0},
		"continues nothing":    {[][]byte{fixture.ClientFrame(0x80, "x")}, []string{"error: false"}, 0},
		"one within another":   {[][]byte{fixture.ClientFrame(0x01, "x"), fixture.ClientFrame(0x81, "y")}, []string{"error: false"}, 0},
		"skimmed after errors": {[][]byte{fixture.ClientFrame(0xc1, "x"), fixture.ClientFrame(0x81, large), fixture.ClientFrame(0x83, ""), fixture.ClientFrame(0x88, "bye")}, []string{"error: false", `8 0 ""`}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			all := bytes.Join(c.frames, nil)
			for _, piece := range []int{1, 2, 3, 7, 64, 4096, len(all)} {
				var p parser
				got, small := parsed(&p, bytes.Clone(all), piece)
				if !reflect.DeepEqual(got, c.want) || small != c.small {
					t.Errorf("in pieces of %d: got %q and %d small fragments; want %q and %d", piece, got, small, c.want, c.small)
				}
			}
		})
	}
}

// Between messages a parser holds nothing.
func TestParserHoldsNothing(t *testing.T) {
	var p parser
	for _, f := range [][]byte{fixture.ClientFrame(0x81, "hello"), fixture.ClientFrame(0x89, "ping"), fixture.ClientFrame(0x01, "a"), fixture.ClientFrame(0x80, "b")} {
		parsed(&p, f, 5)
	}
	if p.partial != nil || !p.between() {
		t.Errorf("it holds %+v", p)
	}
}

// However the bytes are divided among reads, a parser finds the same.
func FuzzParse(f *testing.F) {
	f.Add(append(fixture.ClientFrame(0x01, strings.Repeat("x", 300)), fixture.ClientFrame(0x80, "abc")...), byte(7))
	f.Add(append(fixture.ClientFrame(0x81, strings.Repeat("x", 70_000)), fixture.ClientFrame(0x88, "\x03\xe8")...), byte(1))
	f.Add([]byte{0, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5}, byte(2))
	f.Add(append(fixture.ClientFrame(0x01, "a"), append(fixture.ClientFrame(0x89, "p"), fixture.ClientFrame(0x80, "b")...)...), byte(3))
	f.Fuzz(func(t *testing.T, b []byte, size byte) {
		var whole, pieces parser
		want, wantSmall := parsed(&whole, b, max(len(b), 1))
		got, small := parsed(&pieces, b, int(size%16)+1)
		if !reflect.DeepEqual(got, want) || small != wantSmall {
			t.Errorf("got %q and %d small fragments; in one piece %q and %d", got, small, want, wantSmall)
		}
		if whole.partial != nil && len(whole.partial.data) > 100_000 {
			t.Errorf("it holds %d bytes", len(whole.partial.data))
		}
	})
}
