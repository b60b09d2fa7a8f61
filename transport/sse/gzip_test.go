package sse_test

import (
	"bufio"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/crier-go/crier/internal/memnet"
	"github.com/crier-go/crier/transport/internal/fixture"
	"github.com/crier-go/crier/transport/sse"
	"github.com/crier-go/crier/transport/transporttest"
)

// decompressed returns a response's body. What was asked for must have come.
func decompressed(t *testing.T, resp *http.Response) io.Reader {
	t.Helper()
	want := resp.Request.Header.Get("Accept-Encoding")
	if got := resp.Header.Get("Content-Encoding"); got != want {
		t.Errorf("Content-Encoding is %q, want %q", got, want)
	}
	if want == "" {
		return resp.Body
	}
	r, err := gzip.NewReader(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// openGzip is transporttest's Open for a stream that is compressed. Go's gzip.Reader
// ends with io.EOF only if the checksum and the length at the end are right.
func openGzip(conn net.Conn, r *http.Request) (func() (transporttest.Frame, error), error) {
	r.Header.Set("Accept-Encoding", "gzip")
	if err := r.Write(conn); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		return nil, &transporttest.Refused{Status: resp.StatusCode, Header: resp.Header, Body: body}
	}
	// The header comes with the first event, which may be late.
	var body *bufio.Reader
	return func() (transporttest.Frame, error) {
		if body == nil {
			z, err := gzip.NewReader(resp.Body)
			if err != nil {
				return transporttest.Frame{}, err
			}
			body = bufio.NewReader(z)
		}
		return readFrame(body)
	}, nil
}

func TestGzipIsNegotiated(t *testing.T) {
	for accepted, want := range map[string]string{
		"":                          "",
		"gzip":                      "gzip",
		"x-gzip":                    "gzip",
		"GZIP":                      "gzip",
		"gzip, deflate, br, zstd":   "gzip",
		"br;q=1.0, gzip;q=0.8, *":   "gzip",
		"identity, gzip ;q=0.001":   "gzip",
		"gzip;q=0":                  "",
		"gzip; q=0.000, deflate":    "",
		"deflate, br":               "",
		"*":                         "",
		"gzipped":                   "",
		"identity;q=1, *;q=0":       "",
		"nothing\t;;,, ,gzip;level": "gzip",
	} {
		for _, o := range []sse.Options{{Compress: true}, {Compress: true, Lean: true}} {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				synctest.Test(t, func(t *testing.T) {
					f := fixture.New(t, nil)
					conn := memnet.Serve(t, sse.NewHandler(f.Hub, f.Auth, &o)).Dial()
					r := fixture.Request("/")
					r.Method = method
					if accepted != "" {
						r.Header.Set("Accept-Encoding", accepted)
					}
					fixture.Send(t, conn, r)
					resp, err := http.ReadResponse(bufio.NewReader(conn), r)
					if err != nil {
						t.Fatal(err)
					}
					if got := resp.Header.Get("Content-Encoding"); got != want {
						t.Errorf("%s, Accept-Encoding %q: Content-Encoding is %q, want %q", method, accepted, got, want)
					}
					if got := resp.Header.Get("Vary"); got != "Accept-Encoding" {
						t.Errorf("Vary is %q", got)
					}
				})
			}
		}
	}
}

// A middleware that has announced an encoding of its own is left alone.
func TestGzipBehindMiddleware(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture.New(t, nil)
		h := sse.NewHandler(f.Hub, f.Auth, &sse.Options{Compress: true})
		conn := memnet.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			h.ServeHTTP(w, r)
		})).Dial()
		r := fixture.Request("/", "Accept-Encoding", "gzip, br")
		fixture.Send(t, conn, r)
		resp, err := http.ReadResponse(bufio.NewReader(conn), r)
		if err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(resp.Body).ReadString('\n')
		if resp.Header.Get("Content-Encoding") != "br" || !strings.HasPrefix(line, "retry: ") {
			t.Errorf("Content-Encoding %q, then %q, %v", resp.Header.Get("Content-Encoding"), line, err)
		}
	})
}
