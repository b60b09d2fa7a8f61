package deflate

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"strings"
	"sync"
)

// ErrTooLong means that what has been compressed is longer than it may be.
var ErrTooLong = errors.New("deflate: too long")

// A decompressor is large (44 KB), so there is one for each goroutine that
// decompresses at the moment.
var decompressors = sync.Pool{New: func() any { return flate.NewReader(nil) }}

// Inflate decompresses a WebSocket message, which is a piece without [Tail] (RFC 7692,
// section 7.2.2). Of what would have more than limit bytes, no more is decompressed.
func Inflate(p []byte, limit int64) ([]byte, error) {
	r := decompressors.Get().(io.ReadCloser)
	defer decompressors.Put(r)
	const last = "\x01\x00\x00\xff\xff" // an empty last block, so that the end is one
	whole := io.MultiReader(bytes.NewReader(p), strings.NewReader(Tail+last))
	if err := r.(flate.Resetter).Reset(whole, nil); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if int64(len(text)) > limit {
		return nil, ErrTooLong
	}
	return text, err
}
