// Package transporttest checks that a transport keeps the promises of package
// hub all the way to its clients. Every transport of this module passes it;
// one that is written elsewhere is tested in a few lines:
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
// Everything runs in testing/synctest bubbles, over connections in memory and
// with a clock of its own: the tests take no time, whatever they wait for, and
// a goroutine that a transport leaves behind fails them (as "deadlock: main
// bubble goroutine has exited but blocked goroutines remain", with its stack).
// A transport must therefore not share goroutines or channels among handlers.
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
	// Handler makes the handler under test. It is to use a
	// [transport.Acceptor] for the request, or do all that one does.
	Handler func(h *hub.Hub, auth transport.Authenticator, o *transport.Options) http.Handler
	// Open does what a client of this transport does: it opens a stream over
	// a connection of its own, to a server that has the handler, and returns a
	// function that reads the next frame. The request is a GET with what the
	// tests need in its URL and headers; Open adds what the protocol wants.
	// If the server answers with something else than a stream, the error is a
	// [*Refused].
	//
	// The client must read from conn only when the next frame is asked for,
	// apart from what a buffer takes in: some tests want it to stall.
	Open func(conn net.Conn, r *http.Request) (next func() (Frame, error), err error)
	// RefusesOverload says that the handler answers a request that cannot be
	// served now with status 503 and Retry-After, see
	// [transport.Stream.RefuseWithStatus]. Without it, the handler must open a
	// stream that says so and ends.
	RefusesOverload bool
}

// A Frame is one message as a client sees it: an event, or one of the stream's
// own. ID is empty if it has none, as an ephemeral event.
type Frame struct {
	ID    string
	Event string
	Data  json.RawMessage
}

// A Refused is a server's answer in place of a stream.
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

// Run tests a transport. Each of its subtests is named for what it checks, and
// fails with a sentence that says what a client would have seen.
func Run(t *testing.T, tr Transport) {
	if tr.Handler == nil || tr.Open == nil {
		t.Fatal("transporttest: a Transport needs both Handler and Open")
	}
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.run(&suite{T: t, tr: tr}) })
		})
	}
}

// checks are all that Run checks, in the order of a stream's life.
var checks = []struct {
	name string
	run  func(*suite)
}{
	{"opens with a cursor", opensWithCursor},
	{"delivers events in order", deliversInOrder},
	{"delivers a large event whole", deliversLargeEvent},
	{"sends no id with an ephemeral event", ephemeralHasNoID},
	{"resumes from an event", resumesFromEvent},
	{"resumes from a cursor", resumesFromCursor},
	{"loses nothing when cut anywhere", losesNothingWhenCut},
	{"tells of evicted events", tellsOfEvicted},
	{"tells a client that fell behind", tellsOfOverrun},
	{"tells of an unknown id", tellsOfUnknownID},
	{"tells of an unknown id again if cut before", tellsAgainIfCut},
	{"filters", filters},
	{"never widens a session", neverWidens},
	{"refuses before the stream", refuses},
	{"sheds overload", sheds},
	{"moves the cursor by heartbeats", heartbeatMovesCursor},
	{"lets traffic stand for heartbeats", trafficStandsForHeartbeat},
	{"is never silent for longer than a heartbeat", neverSilent},
	{"ends when revoked", endsWhenRevoked},
	{"ends when expired", endsWhenExpired},
	{"ends at shutdown", endsAtShutdown},
	{"lets nobody wait for a stalled client", stalledHoldsNobody},
	{"aborts a stalled client at shutdown", abortsAtShutdown},
	{"notices that a client is gone", noticesGone},
}
