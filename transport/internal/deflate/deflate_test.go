package deflate_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/crier-go/crier/transport/internal/deflate"
)

func Example() {
	// Two pieces, made once.
	hello, world := []byte("hello, hello, hello "), []byte("world\n")
	var sent []byte
	sent = append(sent, deflate.GzipHeader...)
	var stream deflate.Gzip
	for _, piece := range [][]byte{hello, hello, world} {
		sent = deflate.Append(sent, piece)
		stream.Add(deflate.SumOf(piece))
	}
	sent = stream.AppendTrailer(sent)

	r, _ := gzip.NewReader(bytes.NewReader(sent))
	io.Copy(writer{}, r)
	// Output: hello, hello, hello hello, hello, hello world
}

type writer struct{}

func (writer) Write(p []byte) (int, error) { fmt.Print(string(p)); return len(p), nil }

// pieces returns pieces of all kinds and sizes.
func pieces() [][]byte {
	random := make([]byte, 200_000)
	chacha := rand.NewChaCha8([32]byte{})
	chacha.Read(random)
	return [][]byte{
		{}, []byte("a"), []byte(strings.Repeat("ab", 10)), []byte(strings.Repeat(`{"name":"value"},`, 5000)),
		random[:1], random[:100], random[:1<<16-1], random[:1<<16], random,
		{}, []byte(strings.Repeat("ab", 10)),
	}
}

// Whatever pieces are sent, and in whatever form, another's decompressor reads them
// and accepts the checksum.
func TestGzip(t *testing.T) {
	var want, sent []byte
	var stream deflate.Gzip
	sent = append(sent, deflate.GzipHeader...)
	for i, p := range pieces() {
		want = append(want, p...)
		if i%3 == 0 {
			sent = deflate.AppendStored(sent, p)
		} else {
			sent = deflate.Append(sent, p)
		}
		if !strings.HasSuffix(string(sent), deflate.Tail) {
			t.Errorf("piece %d does not end with an empty block", i)
		}
		stream.Add(deflate.ReadSum(deflate.SumOf(p).Append(nil)))
	}
	sent = stream.AppendTrailer(sent)
	r, err := gzip.NewReader(bytes.NewReader(sent))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v; want %d", len(got), err, len(want))
	}
}

// A piece can be decompressed as soon as it has come.
func TestPiecesComeAtOnce(t *testing.T) {
	in, out := io.Pipe()
	r := flate.NewReader(in)
	for i, p := range pieces() {
		for name, form := range map[string]func(dst, p []byte) []byte{"compressed": deflate.Append, "stored": deflate.AppendStored} {
			go out.Write(form(nil, p))
			got := make([]byte, len(p))
			if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, p) {
				t.Fatalf("piece %d, %s: %v", i, name, err)
			}
		}
	}
}

// A piece refers to nothing before it: each can be decompressed by itself.
func TestPiecesStandAlone(t *testing.T) {
	text := []byte(strings.Repeat("the same again ", 20))
	first, second := deflate.Append(nil, text), deflate.Append(nil, text)
	if !bytes.Equal(first, second) {
		t.Error("a piece depends on those before")
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(flate.NewReader(bytes.NewReader(second)), got); err != nil || !bytes.Equal(got, text) {
		t.Error(err)
	}
	if len(first) > 40 {
		t.Errorf("%d bytes of %d", len(first), len(text))
	}
}

func TestInflate(t *testing.T) {
	for i, p := range pieces() {
		packed := bytes.TrimSuffix(deflate.Append(nil, p), []byte(deflate.Tail))
		if got, err := deflate.Inflate(packed, int64(len(p))); err != nil || !bytes.Equal(got, p) {
			t.Errorf("piece %d: %d bytes, %v", i, len(got), err)
		}
		if _, err := deflate.Inflate(packed, int64(len(p))-1); len(p) > 0 && err != deflate.ErrTooLong {
			t.Errorf("piece %d is too long, and the error is %v", i, err)
		}
	}
	for _, junk := range []string{"\xff\xff\xff", "\x07", "\x06\x00"} {
		if _, err := deflate.Inflate([]byte(junk), 1000); err == nil {
			t.Errorf("%q is no DEFLATE", junk)
		}
	}
}

func FuzzInflate(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\xff\xff"))
	f.Add(deflate.Append(nil, []byte("hello, hello")))
	f.Fuzz(func(t *testing.T, p []byte) {
		if text, err := deflate.Inflate(p, 1000); err == nil && len(text) > 1000 {
			t.Fatalf("%d bytes", len(text))
		}
	})
}

func FuzzGzip(f *testing.F) {
	f.Add([]byte("a"), []byte("b"), uint8(1))
	f.Fuzz(func(t *testing.T, a, b []byte, stored uint8) {
		var stream deflate.Gzip
		sent := []byte(deflate.GzipHeader)
		for i, p := range [][]byte{a, b} {
			if stored>>i&1 != 0 {
				sent = deflate.AppendStored(sent, p)
			} else {
				sent = deflate.Append(sent, p)
			}
			stream.Add(deflate.SumOf(p))
		}
		r, err := gzip.NewReader(bytes.NewReader(stream.AppendTrailer(sent)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if want := append(a[:len(a):len(a)], b...); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%q, %v; want %q", got, err, want)
		}
	})
}
