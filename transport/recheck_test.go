package transport_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/fixture"
)

// The authenticator is called again for an open stream, which ends if it is
// refused.
func TestRecheckEndsRefusedStream(t *testing.T) {
	for name, answer := range map[string]struct {
		hub.Session
		error
	}{
		"no longer valid": {error: transport.ErrUnauthenticated},
		"may no longer":   {error: transport.ErrForbidden},
		"somebody else":   {Session: hub.Session{User: uuid.Max, Allowed: hub.Everything()}},
	} {
		t.Run(name, func(t *testing.T) {
			everyHandler(t, func(t *testing.T, f *fixture.Fixture, ask asking) {
				resp := ask(fixture.Request("/"), &transport.Options{Recheck: time.Minute, Heartbeat: time.Hour})
				readUntil(t, resp, "stream.cursor")
				began := time.Now()
				f.Authenticate(func(r *http.Request) (hub.Session, error) { return answer.Session, answer.error })
				readUntil(t, resp, "revoked")
				if took := time.Since(began); took > time.Minute {
					t.Errorf("ended after %v", took)
				}
				resp.Body.Close()
				time.Sleep(2 * time.Second)
				if f.Ended(hub.ReasonRevoked) != 1 {
					t.Errorf("ended: %v", f.Hub.Stats().Ended)
				}
			})
		})
	}
}

// A recheck moves when the stream expires, to later and to earlier.
func TestRecheckRenewsSession(t *testing.T) {
	everyHandler(t, func(t *testing.T, f *fixture.Fixture, ask asking) {
		began := time.Now()
		var expires atomic.Value
		f.Authenticate(func(r *http.Request) (hub.Session, error) {
			session, _ := fixture.Known(r)
			session.Expires = began.Add(90 * time.Second)
			if open, ok := transport.OpenSession(r); ok {
				if transport.ResponseHeader(r) != nil {
					t.Error("a recheck has the header of a response that was sent")
				}
				if old := expires.Swap(open.Expires); old != nil && open.User != fixture.Alice {
					t.Errorf("asked about %v", open)
				}
				session.Expires = began.Add(10 * time.Minute)
				if time.Since(began) > 4*time.Minute {
					session.Expires = began.Add(5*time.Minute + 30*time.Second)
				}
			}
			return session, nil
		})
		resp := ask(fixture.Request("/"), &transport.Options{Recheck: time.Minute, Heartbeat: time.Hour})
		readUntil(t, resp, "stream.cursor")
		time.Sleep(3 * time.Minute)
		f.Publish("still here")
		readUntil(t, resp, "still here")
		readUntil(t, resp, "expired")
		if ended := time.Since(began); ended < 5*time.Minute+29*time.Second || ended > 5*time.Minute+31*time.Second {
			t.Errorf("ended after %v", ended)
		}
		if got, want := expires.Load().(time.Time), began.Add(10*time.Minute); !got.Equal(want) {
			t.Errorf("the last recheck saw a session that expires at %v, want %v", got, want)
		}
		resp.Body.Close()
		time.Sleep(2 * time.Second)
	})
}

// A failure of the authenticator is logged and ends no stream. It is called
// with the original request for as long as the stream is open.
func TestRecheckFailureKeepsStream(t *testing.T) {
	everyHandler(t, func(t *testing.T, f *fixture.Fixture, ask asking) {
		resp := ask(fixture.Request("/?x=y", "Cookie", "session=1"), &transport.Options{Recheck: time.Second, Heartbeat: time.Hour})
		readUntil(t, resp, "stream.cursor")
		var asked atomic.Int64
		f.Authenticate(func(r *http.Request) (hub.Session, error) {
			if asked.Add(1); r.Header.Get("Cookie") != "session=1" || r.URL.RawQuery != "x=y" || r.Context().Err() != nil {
				t.Errorf("asked with another request: %v, %v", r, r.Context().Err())
			}
			if asked.Load() == 3 {
				panic("away")
			}
			return hub.Session{}, errors.New("away")
		})
		time.Sleep(10*time.Second + time.Millisecond)
		f.Publish("still here")
		readUntil(t, resp, "still here")
		if n := asked.Load(); n != 10 {
			t.Errorf("asked %d times in 10 s", n)
		}
		if log := f.Log.String(); !strings.Contains(log, "away") || !strings.Contains(log, "stream=1 session=") {
			t.Error("nothing was logged")
		}
		f.Hub.RevokeUser(context.Background(), fixture.Alice)
		io.Copy(io.Discard, resp.Body)
		time.Sleep(2 * time.Second)
		n := asked.Load()
		time.Sleep(time.Minute)
		if asked.Load() != n {
			t.Error("asked again after the stream had ended")
		}
	})
}

// A slow authenticator is not called twice at once, and does not delay the end
// of its stream.
func TestRecheckRunsOneAtATime(t *testing.T) {
	everyHandler(t, func(t *testing.T, f *fixture.Fixture, ask asking) {
		resp := ask(fixture.Request("/"), &transport.Options{Recheck: time.Second, Heartbeat: time.Hour})
		readUntil(t, resp, "stream.cursor")
		var asking, most atomic.Int64
		f.Authenticate(func(r *http.Request) (hub.Session, error) {
			most.Store(max(most.Load(), asking.Add(1)))
			time.Sleep(10 * time.Second)
			asking.Add(-1)
			return fixture.Known(r)
		})
		time.Sleep(30*time.Second + time.Millisecond)
		if most.Load() != 1 {
			t.Errorf("asked %d times at once", most.Load())
		}
		f.Hub.RevokeUser(context.Background(), fixture.Alice)
		readUntil(t, resp, "revoked")
		resp.Body.Close()
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if asking.Load() != 0 {
			t.Error("asked again after the stream had ended")
		}
	})
}
