package main

import (
	"bytes"
	"context"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/crier-go/crier/bench/internal/child"
	"github.com/crier-go/crier/bench/load/internal/rig"
)

func TestMain(m *testing.M) {
	child.Main(map[string]child.Role{
		roleServer:      func() (any, error) { return &Server{}, nil },
		rig.RoleClients: rig.NewClients,
	})
	os.Exit(m.Run())
}

// One step between processes: the numbers must fit together, however fast or
// slow this machine is.
func TestStep(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport.Name, func(t *testing.T) {
			t.Parallel()
			c := &campaign{tabs: 2}
			server, err := c.serve(t.Context(), transport)
			if err != nil {
				t.Fatal(err)
			}
			defer server.Stop()
			var each float64
			// So many that what a process gains or loses by itself does not matter.
			if err := server.Call(time.Minute, "Idle", 1000, &each); err != nil {
				t.Fatal(err)
			}
			if each < 100 || each > 1<<20 {
				t.Errorf("an idle client takes %v bytes", each)
			}
			var r Reading
			if err := server.Call(time.Minute, "Step", Load{Users: 100, Rate: 500, Size: 200}, &r); err != nil {
				t.Fatal(err)
			}
			if r.Clients != 200 || r.Closed != 0 || r.Gaps != 0 {
				t.Errorf("reading: %+v", r)
			}
			if r.Missing+r.Unpublished == 0 && (r.P99 == 0 || math.Abs(r.Deliveries/1000-1) > 0.5) {
				t.Errorf("nothing was lost of 1000 deliveries/s, but: %+v", r)
			}
			if r.Server <= 0 || r.Swarm <= 0 || r.Memory == 0 {
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
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, "This machine holds none over SSE, lean") {
		t.Errorf("the last line is %q", last)
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
	if c.tabs != 3 || c.rate != 0.5 || c.size != 1000 || c.budget != time.Minute || len(c.transports) != 2 || c.transports[0].Name != "ws" {
		t.Errorf("parsed %+v", c)
	}
	if to.Picture != filepath.Join("out", "capacity.svg") || to.Document != "" {
		t.Errorf("the picture goes to %q, the report to %q", to.Picture, to.Document)
	}
	document := filepath.Join(t.TempDir(), "DOC.md")
	if err := os.WriteFile(document, []byte("<!-- capacity: x -->\n<!-- /capacity -->\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range [][]string{
		{"-tabs", "0"}, {"-rate", "0"}, {"-rate", "NaN"}, {"-size", "1"}, {"-for", "1s"},
		{"-transports", "smoke"}, {"-transports", ""}, {"more"}, {"-what"}, {"-into", document, "-transports", "sse,ws"}, {"-into", document + ".none"},
	} {
		if _, _, err := parse(wrong, io.Discard); err == nil {
			t.Errorf("%q was accepted", wrong)
		}
	}
	if _, _, err := parse([]string{"-into", document}, io.Discard); err != nil {
		t.Error(err)
	}
}

func TestMostClients(t *testing.T) {
	c := campaign{files: 1024}
	if most, why := c.mostClients(0); most != 824 || !strings.Contains(why, "1,024 open files") {
		t.Errorf("with 1024 files: %d clients, since %s", most, why)
	}
	c.files = 1 << 40
	if most, why := c.mostClients(1 << 30); most > 1000 || !strings.Contains(why, "memory") {
		t.Errorf("a gigabyte each: %d clients, since %s", most, why)
	}
}
