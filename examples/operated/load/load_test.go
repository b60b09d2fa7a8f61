package load

import (
	"context"
	"log/slog"
	"net"
	"testing"

	"go.uber.org/goleak"
)

// With nobody to talk to, people say so, try again, and leave when they are told.
func TestNoServer(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log := &counter{limit: 10, reached: cancel}
	Run(ctx, Options{URL: "http://" + l.Addr().String(), People: 3, Speed: 1000, Logger: slog.New(slog.NewTextHandler(log, nil))})
}

// A counter calls reached at the limit's line.
type counter struct {
	limit   int
	reached func()
}

func (c *counter) Write(b []byte) (int, error) { // one at a time: slog's handler locks
	if c.limit--; c.limit == 0 {
		c.reached()
	}
	return len(b), nil
}

func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for i := range 200 {
		seen[nameOf(i)] = true
	}
	if len(seen) != 200 || !seen["Ada"] || !seen["Ada 2"] {
		t.Errorf("200 people have %d names", len(seen))
	}
}
