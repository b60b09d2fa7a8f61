package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/crier-go/crier/bench/internal/child"
	"github.com/crier-go/crier/bench/internal/machine"
	"github.com/crier-go/crier/bench/internal/rig"
	"github.com/crier-go/crier/bench/internal/swarm"
)

func TestMain(m *testing.M) {
	child.Main(map[string]child.Role{rig.RoleName: rig.Role, swarm.RoleName: swarm.Role})
	os.Exit(m.Run())
}

// One step, in earnest: what is read must fit together, however quick or slow
// this machine is.
func TestStep(t *testing.T) {
	for _, transport := range rig.Transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			p, err := start(t.Context(), transport, 2)
			if err != nil {
				t.Fatal(err)
			}
			defer p.stop()
			each, err := p.idle(1000) // so many that what a process gains or loses by itself does not matter
			if err != nil {
				t.Fatal(err)
			}
			if each < 100 || each > 1<<20 {
				t.Errorf("an idle client takes %v bytes", each)
			}
			r, err := p.step(load{users: 100, rate: 500, size: 200, warm: 100 * time.Millisecond, len: 200 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			if r.Clients != 200 || r.Closed != 0 || r.Gaps != 0 {
				t.Errorf("reading: %+v", r)
			}
			if r.Missing+r.Unpublished == 0 && (r.P50 == 0 || r.P99 < r.P50 || r.Deliveries == 0) {
				t.Errorf("nothing was lost, but: %+v", r)
			}
			if r.Server < 0 || r.Swarm < 0 || r.Memory == 0 {
				t.Errorf("reading: %+v", r)
			}
		})
	}
}

// When it is interrupted, capacity reports what it has, and leaves no child.
func TestRunInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	picture := filepath.Join(t.TempDir(), "new", "capacity.svg")
	var stdout bytes.Buffer
	progress := &interrupter{at: "clients", interrupt: cancel}
	err := run(ctx, []string{"-for", "20s", "-transports", "lean", "-svg", picture}, &stdout, progress)
	if err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("run returned %v", err)
	}
	if !strings.Contains(stdout.String(), "This machine holds") {
		t.Errorf("there is no report: %s", &stdout)
	}
	if svg, err := os.ReadFile(picture); err != nil || !bytes.HasPrefix(svg, []byte("<svg")) {
		t.Errorf("there is no picture: %v", err)
	}
}

// An interrupter calls a function when something is written.
type interrupter struct {
	at        string
	interrupt func()
}

func (w *interrupter) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.at) {
		w.interrupt()
	}
	return len(p), nil
}

func TestParse(t *testing.T) {
	c, to, err := parse([]string{"-tabs", "3", "-rate", "0.5", "-size", "1000", "-for", "1m", "-transports", "ws,sse"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if c.tabs != 3 || c.rate != 0.5 || c.size != 1000 || c.budget != time.Minute || strings.Join(c.transports, " ") != "ws sse" {
		t.Errorf("parsed %+v", c)
	}
	if to.picture != filepath.Join("out", "capacity.svg") || to.doc.File != "" {
		t.Errorf("the picture goes to %q, the report to %q", to.picture, to.doc.File)
	}
	for _, wrong := range [][]string{
		{"-tabs", "0"}, {"-rate", "0"}, {"-rate", "NaN"}, {"-size", "1"}, {"-for", "1s"},
		{"-transports", "smoke"}, {"-transports", ""}, {"more"}, {"-what"},
	} {
		if _, _, err := parse(wrong, io.Discard); err == nil {
			t.Errorf("%q was accepted", wrong)
		}
	}
}

func TestMostClients(t *testing.T) {
	c := campaign{files: 1024}
	if most, why := c.mostClients(0); most != 824 || !strings.Contains(why, "1,024 open files") {
		t.Errorf("with 1024 files: %d clients, since %s", most, why)
	}
	c.files = 1 << 40
	if _, err := machine.Available(); err == nil {
		if most, why := c.mostClients(1 << 30); most > 1000 || !strings.Contains(why, "memory") {
			t.Errorf("a gigabyte each: %d clients, since %s", most, why)
		}
	}
}
