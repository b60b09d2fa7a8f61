package ws_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crier-go/crier/internal/memnet"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/fixture"
	"github.com/crier-go/crier/transport/ws"
)

// RFC 7692, section 7.1: what is offered is accepted as it is, or not at all.
func TestDeflateIsNegotiated(t *testing.T) {
	const accepted = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	for offer, want := range map[string]string{
		"":                   "",
		"permessage-deflate": accepted,
		"permessage-deflate; client_max_window_bits":                                 accepted, // Chromium
		"permessage-deflate; client_max_window_bits; server_max_window_bits=15":      accepted,
		"PerMessage-Deflate ; client_no_context_takeover;server_no_context_takeover": accepted,
		`permessage-deflate; client_max_window_bits="10"`:                            accepted,
		"permessage-deflate; server_max_window_bits=10, permessage-deflate":          accepted, // the second
		"x-webkit-deflate-frame, permessage-deflate":                                 accepted,
		"permessage-deflate; server_max_window_bits=10":                              "",
		"permessage-deflate; server_max_window_bits":                                 "",
		"permessage-deflate; client_max_window_bits=16":                              "",
		"permessage-deflate; client_max_window_bits=08":                              "",
		"permessage-deflate; server_no_context_takeover=1":                           "",
		"permessage-deflate; server_no_context_takeover; server_no_context_takeover": "",
		"permessage-deflate; something_new":                                          "",
		"x-webkit-deflate-frame":                                                     "",
	} {
		for _, on := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				f := fixture.New(t, nil)
				_, resp := connectDeflate(t, f, &ws.Options{Compress: on}, offer)
				want := want
				if !on {
					want = ""
				}
				if got := resp.Header.Get("Sec-WebSocket-Extensions"); got != want {
					t.Errorf("%q, Compress %t: the answer is %q, want %q", offer, on, got, want)
				}
			})
		}
	}
}

// connectDeflate opens a WebSocket that offers extensions.
func connectDeflate(t *testing.T, f *fixture.Fixture, o *ws.Options, offer string) (*raw, *http.Response) {
	t.Helper()
	o.Common = transport.Options{Heartbeat: time.Hour, Logger: f.Logger()}
	c := &raw{t: t, Conn: memnet.Serve(t, ws.NewHandler(f.Hub, f.Auth, o)).Dial()}
	c.reader = bufio.NewReader(c.Conn)
	r := fixture.Upgrade(fixture.Request("/"))
	if offer != "" {
		r.Header.Set("Sec-WebSocket-Extensions", offer)
	}
	fixture.Send(t, c, r)
	resp, err := http.ReadResponse(c.reader, r)
	if err != nil {
		t.Fatal(err)
	}
	return c, resp
}

// deflating runs a test with a connection that has agreed on compression and is open.
func deflating(t *testing.T, o ws.Options, test func(t *testing.T, f *fixture.Fixture, c *raw)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := fixture.New(t, nil)
		o.Compress = true
		c, _ := connectDeflate(t, f, &o, "permessage-deflate")
		c.want(opening)
		test(t, f, c)
	})
}

// deflated compresses a client's message.
func deflated(s string) string {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		panic(err)
	}
	io.WriteString(w, s)
	w.Flush()
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

func TestDeflate(t *testing.T) {
	deflating(t, ws.Options{}, func(t *testing.T, f *fixture.Fixture, c *raw) {
		long := strings.Repeat("to be or not to be, ", 200)
		f.Publish("a") // is too short
		c.want(note("a"))
		for range 2 { // each stands alone
			f.Publish(long)
			payload := c.receiveDeflated()
			if len(payload) > len(long)/10 {
				t.Errorf("%d bytes of %d", len(payload), len(long))
			}
			got, err := io.ReadAll(flate.NewReader(strings.NewReader(payload + "\x00\x00\xff\xff\x01\x00\x00\xff\xff")))
			if want := note(long); err != nil || anyID.ReplaceAllString(string(got), "ID") != want {
				t.Errorf("got %.200q, %v", got, err)
			}
		}
		// Random text does not get smaller either.
		random := make([]byte, 1000)
		source := rand.New(rand.NewPCG(1, 2))
		for i := range random {
			random[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[source.IntN(64)]
		}
		f.Publish(string(random))
		if payload := c.receiveDeflated(); len(payload) > 1000 {
			t.Errorf("%d bytes of 1000", len(payload))
		}
		// A client may compress, and need not.
		c.send(frame(fin|rsv1|opText, deflated(`{"categories":["alerts"]}`)), text(`{"categories":["notes"]}`))
		c.want(`{"id":"ID","event":"stream.filter","data":{"categories":["alerts"]}}`)
		c.want(`{"id":"ID","event":"stream.filter","data":{"categories":["notes"]}}`)
	})
}

// receiveDeflated reads a frame that is compressed, and returns its payload.
func (c *raw) receiveDeflated() string {
	c.t.Helper()
	first, err := c.reader.ReadByte()
	if err != nil || first != fin|rsv1|opText {
		c.t.Fatalf("a frame begins with %x, %v; want a compressed text", first, err)
	}
	rest := &raw{t: c.t, Conn: c.Conn, reader: bufio.NewReader(io.MultiReader(bytes.NewReader([]byte{fin | opText}), c.reader))}
	_, payload, err := rest.receive()
	if err != nil {
		c.t.Fatal(err)
	}
	c.reader = rest.reader
	return payload
}

// What a client sends is limited as it is when it is decompressed.
func TestDeflateBomb(t *testing.T) {
	deflating(t, ws.Options{ReadLimit: 1000}, func(t *testing.T, f *fixture.Fixture, c *raw) {
		c.send(frame(fin|rsv1|opText, deflated(strings.Repeat(" ", 1000-25)+`{"categories":["alerts"]}`)))
		c.want(`{"id":"ID","event":"stream.filter","data":{"categories":["alerts"]}}`)
		bomb := deflated(strings.Repeat(" ", 200_000))
		if len(bomb) > 1000 {
			t.Fatalf("the bomb has %d bytes", len(bomb))
		}
		c.send(frame(fin|rsv1|opText, bomb))
		c.wantClose(1009, "")
	})
}

func TestDeflateCorrupt(t *testing.T) {
	for _, payload := range []string{"\xff\xff\xff", "\x07", strings.Repeat("\xfe", 100)} {
		deflating(t, ws.Options{}, func(t *testing.T, f *fixture.Fixture, c *raw) {
			c.send(frame(fin|rsv1|opText, payload))
			c.wantClose(1007, "this is not DEFLATE")
		})
	}
}
