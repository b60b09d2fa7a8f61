//go:build unix

package cluster

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/nats"
	"github.com/crier-go/crier/backplane/nats/natsembedded"
	backplane "github.com/crier-go/crier/backplane/redis"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

var registry event.Registry

var note = event.Define[string](&registry, "notes", "note.added", "A note.")

// payload makes an event of the size that the other benchmarks have, too.
var payload = strings.Repeat("x", 150)

const users = 1000

var userIDs = func() (ids [users]uuid.UUID) {
	for i := range ids {
		ids[i] = uuid.New()
	}
	return ids
}()

// newEvent returns the n-th event: in turn for each user.
func newEvent(b testing.TB, n int) *event.Event {
	e, err := note.New(userIDs[n%users], payload)
	if err != nil {
		b.Fatal(err)
	}
	return e
}

// open opens a hub that is shut down after the benchmark.
func open(b testing.TB, bp hub.Backplane) *hub.Hub {
	h, err := hub.Open(context.Background(), &registry, &hub.Options{
		Backplane: bp,
		Logger:    slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { h.Shutdown(context.Background()) })
	return h
}

// applied waits until a hub has applied position n.
func applied(b testing.TB, h *hub.Hub, n uint64) {
	for deadline := time.Now().Add(time.Minute); h.Stats().Backplane.Applied < n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("%d of %d records are applied", h.Stats().Backplane.Applied, n)
		}
	}
}

// cpu returns the processor time that this process has used.
func cpu(b testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// An engine is one that hubs can connect to.
type engine struct {
	connect func(b testing.TB) hub.Backplane // for one hub
}

var names atomic.Int32

// engines starts the engines that this machine has, and calls f for each.
func engines(b *testing.B, f func(b *testing.B, start func(b *testing.B) engine)) {
	b.Run("nats-embedded", func(b *testing.B) {
		f(b, func(b *testing.B) engine {
			s, err := natsembedded.Open(b.TempDir(), &natsembedded.Options{Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { s.Close() })
			return engine{connect: func(b testing.TB) hub.Backplane {
				nc, err := s.Connect()
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(nc.Close)
				return nats.New(nc, nil)
			}}
		})
	})
	b.Run("redis", func(b *testing.B) {
		program, err := exec.LookPath("redis-server")
		switch {
		case err == nil:
		case os.Getenv("CI") != "" || os.Getenv("REQUIRE") != "":
			b.Fatal("redis-server is missing (Debian's package redis-server)")
		default:
			b.Skip("not run here: redis-server is missing (Debian's package redis-server)")
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		addr := l.Addr().String()
		_, port, _ := net.SplitHostPort(addr)
		l.Close()
		cmd := exec.Command(program, "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", b.TempDir())
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		defer func() { cmd.Process.Kill(); cmd.Wait() }()
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			c, err := net.Dial("tcp", addr)
			if err == nil {
				c.Close()
				break
			}
			if time.Now().After(deadline) {
				b.Fatal(err)
			}
		}
		f(b, func(b *testing.B) engine {
			name := fmt.Sprint("crier", names.Add(1))
			return engine{connect: func(b testing.TB) hub.Backplane {
				c := redis.NewClient(&redis.Options{Addr: addr})
				b.Cleanup(func() { c.Close() })
				return backplane.New(c, &backplane.Options{Stream: name})
			}}
		})
	})
}
