// Package deflate compresses a message once for all connections (DEFLATE, RFC 1951).
//
// What [Append] makes refers to nothing before it and ends at a byte, with an empty
// stored block, so that whoever receives it can decompress all of it at once. Any
// number of such pieces, one behind the other, are one DEFLATE stream. So the
// connections share the pieces, and none of them holds a compressor or what it has
// sent.
package deflate

import (
	"compress/flate"
	"encoding/binary"
	"sync"
)

// Tail is the end of each piece: an empty stored block, without its first bits.
// WebSocket leaves it out (RFC 7692, section 7.2.1).
const Tail = "\x00\x00\xff\xff"

// A compressor is large (more than half a megabyte), so there is one for each
// goroutine that compresses at the moment, and not for each connection.
type compressor struct {
	w   *flate.Writer
	out []byte
}

func (c *compressor) Write(p []byte) (int, error) {
	c.out = append(c.out, p...)
	return len(p), nil
}

var compressors = sync.Pool{New: func() any {
	c := &compressor{}
	w, err := flate.NewWriter(c, flate.DefaultCompression)
	if err != nil { // only for an unknown level
		panic(err)
	}
	c.w = w
	return c
}}

// Append compresses p and appends it to dst.
func Append(dst, p []byte) []byte {
	c := compressors.Get().(*compressor)
	defer compressors.Put(c)
	c.out = dst
	c.w.Reset(c)
	c.w.Write(p) // a compressor's Write never fails
	c.w.Flush()
	dst, c.out = c.out, nil
	return dst
}

// AppendStored appends p as it is, in the same form. It is for what is short and
// meant for one connection, as a heartbeat.
func AppendStored(dst, p []byte) []byte {
	const most = 1<<16 - 1 // bytes in a stored block (RFC 1951, section 3.2.4)
	for len(p) > 0 {
		n := min(len(p), most)
		dst = append(dst, 0)
		dst = binary.LittleEndian.AppendUint16(dst, uint16(n))
		dst = binary.LittleEndian.AppendUint16(dst, ^uint16(n))
		dst = append(dst, p[:n]...)
		p = p[n:]
	}
	// Some decompressors hand out the last stored block only when another begins.
	return append(append(dst, 0), Tail...)
}
