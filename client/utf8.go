package client

import "unicode/utf8"

// decodeUTF8 decodes b as the WHATWG Encoding standard does: each maximal part
// of a sequence that cannot be completed becomes one U+FFFD. (The functions of
// the standard library make one of each byte, or one of each run.) It returns b
// itself where b is valid.
func decodeUTF8(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	var dst []byte
	for len(b) > 0 {
		n := invalidLen(b)
		if n > 0 {
			dst = utf8.AppendRune(dst, utf8.RuneError)
		} else {
			_, n = utf8.DecodeRune(b)
			dst = append(dst, b[:n]...)
		}
		b = b[n:]
	}
	return dst
}

// invalidLen returns how many bytes at the start of b one U+FFFD stands for, or
// zero if b begins with a valid sequence.
func invalidLen(b []byte) int {
	if r, n := utf8.DecodeRune(b); r != utf8.RuneError || n > 1 {
		return 0
	}
	more, low, high := 0, byte(0x80), byte(0xbf)
	switch c := b[0]; {
	case c >= 0xc2 && c <= 0xdf:
		more = 1
	case c >= 0xe0 && c <= 0xef:
		more = 2
	case c >= 0xf0 && c <= 0xf4:
		more = 3
	}
	switch b[0] { // overlong forms, surrogates, beyond U+10FFFF
	case 0xe0:
		low = 0xa0
	case 0xed:
		high = 0x9f
	case 0xf0:
		low = 0x90
	case 0xf4:
		high = 0x8f
	}
	n := 1
	for n <= more && n < len(b) && low <= b[n] && b[n] <= high {
		n++
		low, high = 0x80, 0xbf
	}
	return n
}
