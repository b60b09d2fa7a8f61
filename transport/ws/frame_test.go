package ws

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/crier-go/crier/hub"
)

// The bytes of RFC 6455, section 5.2: lengths in their shortest form.
func TestAppendHeader(t *testing.T) {
	for size, want := range map[uint64]string{
		0:       "8100",
		1:       "8101",
		125:     "817d",
		126:     "817e007e",
		127:     "817e007f",
		65535:   "817effff",
		65536:   "817f0000000000010000",
		1 << 32: "817f0000000100000000",
	} {
		if got := hex.EncodeToString(appendHeader(nil, 1, size)); got != want {
			t.Errorf("size %d: got %s, want %s", size, got, want)
		}
	}
}

func TestAppendControl(t *testing.T) {
	for name, c := range map[string]struct{ got, want []byte }{
		"ping":             {appendPing(nil), []byte{0x89, 0}},
		"close":            {appendClose(nil, 1001, "bye"), []byte("\x88\x05\x03\xe9bye")},
		"close, empty":     {appendClose(nil, 1000, ""), []byte("\x88\x02\x03\xe8")},
		"close, too long":  {appendClose(nil, 1000, strings.Repeat("x", 200)), []byte("\x88\x7d\x03\xe8" + strings.Repeat("x", 123))},
		"behind something": {appendClose([]byte("before"), 1000, "x"), []byte("before\x88\x03\x03\xe8x")},
	} {
		if string(c.got) != string(c.want) {
			t.Errorf("%s: got %q, want %q", name, c.got, c.want)
		}
	}
}

func TestCloseCode(t *testing.T) {
	for reason, code := range map[hub.Reason]int{
		hub.ReasonRevoked:     1008,
		hub.ReasonExpired:     1008,
		hub.ReasonAbusive:     1008,
		hub.ReasonShutdown:    1012,
		hub.ReasonOverloaded:  1013,
		hub.ReasonUnavailable: 1013,
		hub.ReasonGone:        1000,
		hub.ReasonSlow:        1000,
	} {
		if got := closeCode(reason); got != code {
			t.Errorf("%s: %d, want %d", string(reason), got, code)
		}
	}
}

// A message's header counts what follows it.
func TestAppendMessage(t *testing.T) {
	for name, c := range map[string]struct{ id, event, data, want string }{
		"with id":    {"1", "a.b", `{"x":1}`, "\x81\x27" + `{"id":"1","event":"a.b","data":{"x":1}}`},
		"without id": {"", "a", `null`, "\x81\x19" + `{"event":"a","data":null}`},
	} {
		got := string(appendMessage(nil, c.id, c.event, []byte(c.data)))
		if got != c.want || int(got[1]) != len(got)-2 {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
