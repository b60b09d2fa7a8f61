package deflate

import (
	"encoding/binary"
	"hash/crc32"
)

// GzipHeader begins a gzip stream (RFC 1952, section 2.3): no name, no time, unknown
// system.
const GzipHeader = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

// A Sum is what the trailer of a gzip stream says of what was compressed.
//
// The checksum is a remainder of polynomials over GF(2): that of a followed by b is
// the one of a times x^(8*len(b)), plus the one of b. So a piece that is compressed
// once is also summed once, and a connection adds the sums of what it sends without
// looking at it.
type Sum struct {
	crc, size uint32
	shift     uint32 // x^(8*size)
}

// SumSize is the size of a Sum that [Sum.Append] has written, in bytes.
const SumSize = 12

// SumOf sums one piece.
func SumOf(p []byte) Sum {
	return Sum{crc32.ChecksumIEEE(p), uint32(len(p)), power(uint64(len(p)) * 8)}
}

// Append appends s in a form for [ReadSum].
func (s Sum) Append(dst []byte) []byte {
	for _, v := range [...]uint32{s.crc, s.size, s.shift} {
		dst = binary.LittleEndian.AppendUint32(dst, v)
	}
	return dst
}

// ReadSum reads a Sum from the beginning of p.
func ReadSum(p []byte) Sum {
	at := func(i int) uint32 { return binary.LittleEndian.Uint32(p[4*i:]) }
	return Sum{at(0), at(1), at(2)}
}

// A Gzip sums up a gzip stream. The zero value is that of an empty one.
type Gzip struct{ crc, size uint32 }

// Add notes that a piece has been sent.
func (g *Gzip) Add(s Sum) {
	g.crc = product(g.crc, s.shift) ^ s.crc
	g.size += s.size
}

// AppendTrailer appends the end of the stream: an empty last block, the checksum and
// the length.
func (g *Gzip) AppendTrailer(dst []byte) []byte {
	dst = append(dst, 0x03, 0x00)
	dst = binary.LittleEndian.AppendUint32(dst, g.crc)
	return binary.LittleEndian.AppendUint32(dst, g.size)
}

// Polynomials are in the order of CRC-32: the highest bit is the coefficient of x^0.
const one = 1 << 31

// product multiplies two polynomials, modulo that of CRC-32.
func product(a, b uint32) (p uint32) {
	for ; a != 0; a <<= 1 {
		if a&one != 0 {
			p ^= b
		}
		b = b>>1 ^ crc32.IEEE&-(b&1) // times x
	}
	return p
}

// power returns x^n.
func power(n uint64) uint32 {
	p, square := uint32(one), uint32(one>>1)
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			p = product(p, square)
		}
		square = product(square, square)
	}
	return p
}
