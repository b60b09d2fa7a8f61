package sse

import (
	"net/http"
	"strings"
	"sync"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport/internal/deflate"
	"github.com/crier-go/crier/transport/internal/netwrite"
)

// A body is how the frames of one stream are put into its response. Nil puts them in
// as they are. Otherwise the response is gzip (RFC 1952), as one member that has no
// end but the stream's: each event is compressed once and shared by all streams, what
// belongs to one stream (its opening, heartbeats, its end) is stored uncompressed.
type body struct {
	sum   deflate.Gzip
	begun bool
}

// gzipped is encoding for such streams: the sum of the event, then the event,
// compressed, as one chunk. It is made when it is first needed, since the hub charges
// each message for every encoding that there is.
var gzipped = sync.OnceValue(func() *hub.Encoding {
	return hub.NewEncoding(func(dst []byte, m *hub.Message) []byte {
		plain, packed := netwrite.Get(), netwrite.Get()
		defer netwrite.Put(plain)
		defer netwrite.Put(packed)
		plain.B = appendEvent(plain.B[:0], m)
		packed.B = append(deflate.SumOf(plain.B).Append(packed.B[:0]), chunkRoom...)
		packed.B = closeChunk(deflate.Append(packed.B, plain.B), deflate.SumSize)
		// dst has room for the event as it is, which would be kept as long.
		return append(dst[:len(dst):len(dst)], packed.B...)
	})
})

// chunk returns a message as one chunk, with the sum to add once it is put in.
func (b *body) chunk(m *hub.Message) (chunk []byte, sum deflate.Sum) {
	if b == nil {
		return m.Frame(encoding), sum
	}
	frame := m.Frame(gzipped())
	return frame[deflate.SumSize:], deflate.ReadSum(frame)
}

// add notes that something with this sum is put in.
func (b *body) add(sum deflate.Sum) {
	if b != nil {
		b.sum.Add(sum)
	}
}

// single puts in one message, and returns it as one chunk.
func (b *body) single(m *hub.Message) []byte {
	chunk, sum := b.chunk(m)
	b.add(sum)
	return chunk
}

// own puts in what is meant for this stream alone.
func (b *body) own(p []byte) []byte {
	if b == nil {
		return p
	}
	var dst []byte
	if !b.begun {
		b.begun = true
		dst = append(dst, deflate.GzipHeader...)
	}
	b.sum.Add(deflate.SumOf(p))
	return deflate.AppendStored(dst, p)
}

// last puts in what ends the stream.
func (b *body) last(p []byte) []byte {
	p = b.own(p)
	if b != nil {
		p = b.sum.AppendTrailer(p)
	}
	return p
}

// setHeaders sets the headers that say so.
func (b *body) setHeaders(h http.Header) {
	if b != nil {
		h.Set("Content-Encoding", "gzip")
	}
}

// newBody returns the body for a request: compressed if the handler does that, the
// client has asked for it and no middleware has said that it will.
func (h *handler) newBody(w http.ResponseWriter, r *http.Request) *body {
	if !h.compress {
		return nil
	}
	w.Header().Add("Vary", "Accept-Encoding")
	if w.Header().Get("Content-Encoding") != "" || !acceptsGzip(r.Header.Values("Accept-Encoding")) {
		return nil
	}
	return &body{}
}

// acceptsGzip reports whether Accept-Encoding headers name gzip (RFC 9110, section
// 12.5.3). A "*" does not count: whoever sends it may know none that there is.
func acceptsGzip(headers []string) bool {
	for part := range strings.SplitSeq(strings.ToLower(strings.Join(headers, ",")), ",") {
		coding, params, _ := strings.Cut(part, ";")
		if coding = strings.TrimSpace(coding); coding == "gzip" || coding == "x-gzip" {
			return !zeroWeight(params)
		}
	}
	return false
}
