package sse_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/internal/memnet"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/sse"
	"github.com/crier-go/crier/transport/transporttest"
)

func TestConformance(t *testing.T) {
	for name, c := range map[string]struct {
		lean bool
		over func(http.Handler) http.Handler
		open func(net.Conn, *http.Request) (func() (transporttest.Frame, error), error)
	}{
		"net/http":                     {false, plain, transporttest.HTTP(readFrame)},
		"lean":                         {true, plain, transporttest.HTTP(readFrame)},
		"lean, over the reactor":       {true, memnet.OverReactor, transporttest.HTTP(readFrame)},
		"gzip":                         {false, plain, openGzip},
		"gzip, lean":                   {true, plain, openGzip},
		"gzip, lean, over the reactor": {true, memnet.OverReactor, openGzip},
		"HTTP 2":                       {false, plain, openHTTP2},
		"HTTP 2, lean":                 {true, plain, openHTTP2}, // falls back
	} {
		t.Run(name, func(t *testing.T) {
			transporttest.Run(t, transporttest.Transport{
				Handler: func(h *hub.Hub, auth transport.Authenticator, o *transport.Options) http.Handler {
					return c.over(sse.NewHandler(h, auth, &sse.Options{Common: *o, Lean: c.lean, Compress: true}))
				},
				Open: c.open,
			})
		})
	}
}

// openHTTP2 opens a stream as the only one of an HTTP/2 connection.
func openHTTP2(conn net.Conn, r *http.Request) (func() (transporttest.Frame, error), error) {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Transport{
		Protocols:   &protocols,
		DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		HTTP2:       &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10}, // it reads ahead
	}
	resp, err := client.RoundTrip(r)
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
	body := bufio.NewReader(resp.Body)
	return func() (transporttest.Frame, error) { return readFrame(body) }, nil
}
