// Package transporttest checks that a transport keeps the promises of package
// hub all the way to its clients. Every transport of this module passes it. To
// test your own:
//
//	func TestConformance(t *testing.T) {
//		transporttest.Run(t, transporttest.Transport{
//			Handler: func(h *hub.Hub, auth transport.Authenticator, o *transport.Options) http.Handler {
//				return mine.NewHandler(h, auth, o)
//			},
//			Open: transporttest.HTTP(readFrame),
//		})
//	}
//
// The example of [transport.Acceptor] is a complete transport of JSON lines that
// passes. A transport that answers each request and ends, as long-polling does, sets
// [Transport.Answers].
//
// The checks run in testing/synctest bubbles, over in-memory connections and with
// a fake clock: they take no time, whatever they wait for. A goroutine that a
// transport leaves behind fails them ("deadlock: main bubble goroutine has exited
// but blocked goroutines remain", with its stack), so a transport must not share
// goroutines or channels among handlers.
package transporttest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
)

// A Transport is what Run tests: a server's half and a client's. Handler and
// Open are required.
type Transport struct {
	// Handler makes the handler under test. The handler must use a
	// [transport.Acceptor] or do everything that one does.
	Handler func(h *hub.Hub, auth transport.Authenticator, o *transport.Options) http.Handler
	// Open opens a stream as a client of this transport does, over a connection
	// to a server with the handler, and returns a function that reads the next
	// frame. The request is a GET whose URL and headers say what the check
	// needs; Open adds what the protocol needs. If the server answers with
	// anything but a stream, Open must return a [*Refused].
	//
	// The client must read from conn only when next is called, except for what
	// fits into a buffer: some checks need a client that does not read.
	Open func(conn net.Conn, r *http.Request) (next func() (Frame, error), err error)
	// RefusesOverload says that the handler answers a request that cannot be
	// served now with status 503 and Retry-After, see
	// [transport.Stream.RefuseWithStatus]. Without it, the handler must open a
	// stream that says so and ends.
	RefusesOverload bool
	// Answers says that the handler ends each stream once it has answered the
	// request, as in long-polling. Then the client that Open returns must send
	// the next request as soon as it has read an answer; it may use conn for all
	// requests. It must turn an answer without events into a frame of type
	// stream.cursor. A client that resumes gets no opening frame. Checks that
	// need a client that does not read are left out.
	Answers bool
}

// A Frame is one message as a client reads it: an event, or one of the hub's own
// messages. ID is empty if the message has none, as for ephemeral events.
type Frame struct {
	ID    string
	Event string
	Data  json.RawMessage
}

// A Refused is a response that is not a stream.
type Refused struct {
	Status int
	Header http.Header
	Body   []byte
}

func (r *Refused) Error() string {
	return fmt.Sprintf("refused with status %d: %.200s", r.Status, r.Body)
}

// HTTP returns a [Transport].Open for transports whose stream is the body of
// an ordinary response, given a function that reads one frame of it.
func HTTP(read func(*bufio.Reader) (Frame, error)) func(net.Conn, *http.Request) (func() (Frame, error), error) {
	return func(conn net.Conn, r *http.Request) (func() (Frame, error), error) {
		if err := r.Write(conn); err != nil {
			return nil, err
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), r)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode != http.StatusOK {
			body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
			if err != nil {
				return nil, fmt.Errorf("the body of an answer with status %d: %w", resp.StatusCode, err)
			}
			return nil, &Refused{resp.StatusCode, resp.Header, body}
		}
		body := bufio.NewReader(resp.Body)
		return func() (Frame, error) { return read(body) }, nil
	}
}

// Run tests a transport. Each subtest is named after what it checks. If it fails,
// it says what a client would have seen.
func Run(t *testing.T, tr Transport) {
	if tr.Handler == nil || tr.Open == nil {
		t.Fatal("transporttest: a Transport needs both Handler and Open")
	}
	for _, c := range checks {
		if tr.Answers && c.stalls {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.run(&suite{T: t, tr: tr}) })
		})
	}
}

// checks are the subtests of Run, in the order of a stream's life.
var checks = []struct {
	name   string
	run    func(*suite)
	stalls bool // needs a client that does not read
}{
	{name: "opens with a cursor", run: opensWithCursor},
	{name: "delivers events in order", run: deliversInOrder},
	{name: "delivers a large event whole", run: deliversLargeEvent},
	{name: "sends no id with an ephemeral event", run: ephemeralHasNoID},
	{name: "resumes from an event", run: resumesFromEvent},
	{name: "resumes from a cursor", run: resumesFromCursor},
	{name: "loses nothing when cut anywhere", run: losesNothingWhenCut},
	{name: "tells of evicted events", run: tellsOfEvicted},
	{name: "tells a client that fell behind", run: tellsOfOverrun},
	{name: "tells of an unknown id", run: tellsOfUnknownID},
	{name: "tells of an unknown id again if cut before", run: tellsAgainIfCut},
	{name: "filters", run: filters},
	{name: "never widens a session", run: neverWidens},
	{name: "refuses before the stream", run: refuses},
	{name: "sheds overload", run: sheds},
	{name: "moves the cursor by heartbeats", run: heartbeatMovesCursor},
	{name: "lets traffic stand for heartbeats", run: trafficStandsForHeartbeat},
	{name: "is never silent for longer than a heartbeat", run: neverSilent},
	{name: "ends when revoked", run: endsWhenRevoked},
	{name: "ends when expired", run: endsWhenExpired},
	{name: "ends at shutdown", run: endsAtShutdown},
	{name: "is not delayed by a stalled client", run: stalledHoldsNobody, stalls: true},
	{name: "aborts a stalled client at shutdown", run: abortsAtShutdown, stalls: true},
	{name: "notices that a client is gone", run: noticesGone},
}
