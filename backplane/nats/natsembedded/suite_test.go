package natsembedded_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	backplane "github.com/crier-go/crier/backplane/nats"
	"github.com/crier-go/crier/backplane/nats/natsembedded"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/hub/backplanetest"
)

// A server's max_payload, without the headers of a record.
const limit = 1<<20 - 128

var streams atomic.Int64

// newStream returns options with a stream of their own.
func newStream(replicas int) *backplane.Options {
	return &backplane.Options{Stream: fmt.Sprintf("test%d", streams.Add(1)), Replicas: replicas}
}

// engineOn returns what can be done to a stream on any server.
func engineOn(nc *nats.Conn, o *backplane.Options, connect func(testing.TB) *nats.Conn) backplanetest.Engine {
	stream := func(t testing.TB) (context.Context, jetstream.JetStream) {
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		t.Cleanup(cancel)
		return ctx, js
	}
	return backplanetest.Engine{
		Connect: func(t testing.TB) hub.Backplane { return backplane.New(connect(t), o) },
		Limit:   limit,
		Retain: func(t testing.TB, n int) {
			ctx, js := stream(t)
			s, err := js.Stream(ctx, o.Stream)
			if err == nil {
				err = s.Purge(ctx, jetstream.WithPurgeKeep(uint64(n)))
			}
			if err != nil {
				t.Fatal(err)
			}
		},
		Lose: func(t testing.TB) {
			ctx, js := stream(t)
			if err := js.DeleteStream(ctx, o.Stream); err != nil {
				t.Fatal(err)
			}
		},
	}
}

func TestServer(t *testing.T) {
	s := startServer(t)
	backplanetest.Run(t, func(t testing.TB) backplanetest.Engine {
		proxy, err := backplanetest.NewProxy(strings.TrimPrefix(s.URL, "nats://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { proxy.Close() })
		e := engineOn(connect(t, s.URL), newStream(0), func(t testing.TB) *nats.Conn { return connect(t, "nats://"+proxy.Addr()) })
		e.Restart = s.restart
		e.Cut, e.SetAway, e.SetSilent = proxy.Cut, proxy.SetAway, proxy.SetSilent
		return e
	})
}

func TestEmbedded(t *testing.T) {
	s, err := natsembedded.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	backplanetest.Run(t, func(t testing.TB) backplanetest.Engine {
		e := engineOn(s.Conn(), newStream(0), func(t testing.TB) *nats.Conn {
			nc, err := s.Connect()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(nc.Close)
			return nc
		})
		e.Limit = 2<<20 - 128
		return e
	})
}
