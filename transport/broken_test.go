package transport_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/transporttest"
)

// A brokenConn breaks one promise of a Conn; what it does not override is done
// right.
type brokenConn struct {
	*lineConn
	open func(cursor string, retry time.Duration) error
	send func(batch []*hub.Message) error
	beat func(cursor string) error
	end  func(reason hub.Reason, cursor string, retry time.Duration) error
	mute bool // Abort does nothing
}

func (c *brokenConn) Open(cursor string, retry time.Duration) error {
	if c.open != nil {
		return c.open(cursor, retry)
	}
	return c.lineConn.Open(cursor, retry)
}

func (c *brokenConn) Send(batch []*hub.Message) error {
	if c.send != nil {
		return c.send(batch)
	}
	return c.lineConn.Send(batch)
}

func (c *brokenConn) Beat(cursor string) error {
	if c.beat != nil {
		return c.beat(cursor)
	}
	return c.lineConn.Beat(cursor)
}

func (c *brokenConn) End(reason hub.Reason, cursor string, retry time.Duration) error {
	if c.end != nil {
		return c.end(reason, cursor, retry)
	}
	return c.lineConn.End(reason, cursor, retry)
}

func (c *brokenConn) Abort() {
	if !c.mute {
		c.lineConn.Abort()
	}
}

// breakages are transports that break one promise each, and what the suite is
// to say of them.
var breakages = map[string]struct {
	conn    func(*brokenConn)                        // breaks a connection
	request func(*transport.Acceptor, *http.Request) // or the handling of a request
	check   string                                   // the suite's, that notices
	says    string
}{
	"no opening": {
		conn:  func(c *brokenConn) { c.open = func(string, time.Duration) error { return nil } },
		check: "opens with a cursor",
		says:  "got no stream: nothing came for",
	},
	"opening out of place": {
		conn: func(c *brokenConn) {
			c.open = func(_ string, retry time.Duration) error {
				return c.lineConn.Open("01234567-89ab-8def-8123-456789abcdef", retry)
			}
		},
		check: "opens with a cursor",
		says:  "must be where the stream starts",
	},
	"batches backwards": {
		conn: func(c *brokenConn) {
			c.send = func(batch []*hub.Message) error {
				batch = slices.Clone(batch)
				slices.Reverse(batch)
				return c.lineConn.Send(batch)
			}
		},
		check: "resumes from an event",
		says:  "a client must read",
	},
	"loses the last of a batch": {
		conn: func(c *brokenConn) {
			c.send = func(batch []*hub.Message) error {
				return c.lineConn.Send(batch[:max(1, len(batch)-1)])
			}
		},
		check: "loses nothing when cut anywhere",
		says:  "after cut number",
	},
	"doubles": {
		conn: func(c *brokenConn) {
			c.send = func(batch []*hub.Message) error { return c.lineConn.Send(append(batch, batch...)) }
		},
		check: "delivers events in order",
		says:  "a client must read",
	},
	"hides gaps": {
		conn: func(c *brokenConn) {
			c.send = func(batch []*hub.Message) error {
				return c.lineConn.Send(slices.DeleteFunc(slices.Clone(batch), func(m *hub.Message) bool { return m.Event() == nil }))
			}
		},
		check: "tells of evicted events",
		says:  "stream.gap evicted",
	},
	"ends without a word": {
		conn:  func(c *brokenConn) { c.end = func(hub.Reason, string, time.Duration) error { return nil } },
		check: "ends when revoked",
		says:  "waiting for stream.end, after Revoke",
	},
	"ends without a reason": {
		conn: func(c *brokenConn) {
			c.end = func(_ hub.Reason, cursor string, retry time.Duration) error {
				return c.lineConn.End(hub.ReasonGone, cursor, retry)
			}
		},
		check: "ends when expired",
		says:  `a client must read "stream.end expired"`,
	},
	"no heartbeats": {
		conn:  func(c *brokenConn) { c.beat = func(string) error { return nil } },
		check: "moves the cursor by heartbeats",
		says:  "nothing came for",
	},
	"heartbeats that stand still": {
		conn: func(c *brokenConn) {
			first := ""
			c.open = func(cursor string, retry time.Duration) error {
				first = cursor
				return c.lineConn.Open(cursor, retry)
			}
			c.beat = func(string) error { return c.lineConn.Beat(first) }
		},
		check: "moves the cursor by heartbeats",
		says:  "a heartbeat must move the cursor",
	},
	"no deadlines": {
		conn:  func(c *brokenConn) { c.timeout = 24 * time.Hour },
		check: "is not delayed by a stalled client",
		says:  "must have ended as slow",
	},
	"no abort": {
		conn:  func(c *brokenConn) { c.mute = true },
		check: "aborts a stalled client at shutdown",
		says:  "Conn.Abort must unblock a write",
	},
	"leaves a stream open": {
		request: func(a *transport.Acceptor, r *http.Request) { a.Accept(httptest.NewRecorder(), r) },
		check:   "opens with a cursor",
		says:    "the caller of Accept must call the Stream's Serve, Start or Close",
	},
	"leaves a goroutine": {
		request: func(*transport.Acceptor, *http.Request) { go func() { select {} }() },
		check:   "opens with a cursor",
		says:    "blocked goroutines remain",
	},
}

// brokenTransport is the one of ExampleAcceptor, with one breakage.
func brokenTransport(name string) transporttest.Transport {
	b := breakages[name]
	return transporttest.Transport{
		Open: transporttest.HTTP(readLine),
		Handler: func(h *hub.Hub, auth transport.Authenticator, o *transport.Options) http.Handler {
			a := transport.NewAcceptor(h, auth, "broken", o)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if b.request != nil {
					b.request(a, r)
				}
				stream := a.Accept(w, r)
				if stream == nil {
					return
				}
				c := &brokenConn{lineConn: &lineConn{w, http.NewResponseController(w), a.Options().WriteTimeout}}
				if b.conn != nil {
					b.conn(c)
				}
				stream.Serve(r.Context(), c)
			})
		},
	}
}

// The conformance suite fails for a broken transport, and says what is wrong. A
// test that must fail needs a process of its own.
func TestSuiteReportsBrokenTransport(t *testing.T) {
	const env = "CRIER_BROKEN_TRANSPORT"
	if name := os.Getenv(env); name != "" {
		transporttest.Run(t, brokenTransport(name))
		return
	}
	for name, b := range breakages {
		t.Run(name, func(t *testing.T) {
			check := "^" + strings.ReplaceAll(b.check, " ", "_") + "$"
			cmd := exec.Command(os.Args[0], "-test.run", "^TestSuiteReportsBrokenTransport$/"+check)
			cmd.Env = append(os.Environ(), env+"="+name)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), b.says) {
				t.Errorf("the check %q must fail and say %q; it says (%v)\n%s", b.check, b.says, err, out)
			}
		})
	}
}
