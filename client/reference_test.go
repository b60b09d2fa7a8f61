package client_test

import (
	"math"
	"math/big"
	"regexp"
	"strings"
	"time"
)

// interpret reads a whole stream at once, word for word as WHATWG HTML says in
// sections 9.2.5 and 9.2.6. It shares nothing with Reader.
func interpret(stream []byte) reading {
	got := reading{retry: -1}
	text := strings.TrimPrefix(decodeWHATWG(stream), "\ufeff")
	lines := strings.Split(regexp.MustCompile("\r\n|\r|\n").ReplaceAllString(text, "\n"), "\n")
	lines = lines[:len(lines)-1] // what is not ended by a line end is not a line

	var data, name, id string
	own := false
	for _, line := range lines {
		if line == "" {
			got.lastID = id
			if data != "" {
				got.frames = append(got.frames, frameString(name, strings.TrimSuffix(data, "\n"), id, own))
			}
			data, name, own = "", "", false
			continue
		}
		if strings.HasPrefix(line, ":") {
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case field == "event":
			name = value
		case field == "data":
			data += value + "\n"
		case field == "id" && !strings.Contains(value, "\x00"):
			id, own = value, true
		case field == "retry" && regexp.MustCompile(`^[0-9]+$`).MatchString(value):
			ms, _ := new(big.Int).SetString(value, 10)
			if longest := big.NewInt(math.MaxInt64 / 1_000_000); ms.Cmp(longest) > 0 {
				ms = longest // as Reader says
			}
			got.retry = time.Duration(ms.Int64()) * time.Millisecond
		}
	}
	return got
}

// decodeWHATWG is the UTF-8 decoder of the Encoding standard, section 8.1.1.
func decodeWHATWG(b []byte) string {
	var out strings.Builder
	var point rune
	seen, needed, lower, upper := 0, 0, byte(0x80), byte(0xbf)
	for i := 0; i < len(b); i++ {
		c := b[i]
		if needed == 0 {
			switch {
			case c <= 0x7f:
				out.WriteByte(c)
			case c >= 0xc2 && c <= 0xdf:
				needed, point = 1, rune(c&0x1f)
			case c >= 0xe0 && c <= 0xef:
				if c == 0xe0 {
					lower = 0xa0
				}
				if c == 0xed {
					upper = 0x9f
				}
				needed, point = 2, rune(c&0xf)
			case c >= 0xf0 && c <= 0xf4:
				if c == 0xf0 {
					lower = 0x90
				}
				if c == 0xf4 {
					upper = 0x8f
				}
				needed, point = 3, rune(c&7)
			default:
				out.WriteRune(0xfffd)
			}
			continue
		}
		if c < lower || c > upper {
			point, needed, seen, lower, upper = 0, 0, 0, 0x80, 0xbf
			i-- // the byte is read again
			out.WriteRune(0xfffd)
			continue
		}
		lower, upper = 0x80, 0xbf
		point = point<<6 | rune(c&0x3f)
		if seen++; seen == needed {
			out.WriteRune(point)
			point, needed, seen = 0, 0, 0
		}
	}
	if needed != 0 {
		out.WriteRune(0xfffd)
	}
	return out.String()
}
