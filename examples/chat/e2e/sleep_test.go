package e2e

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"
)

// A machine sleeps: every process of the browser stands still, and what others write
// waits in the network, or is lost with it. The page catches up all the same.
func TestSleep(t *testing.T) {
	t.Parallel()
	for name, lineBreaks := range map[string]bool{"the line holds": false, "the line breaks meanwhile": true} {
		t.Run(name, func(t *testing.T) {
			bothTransports(t, func(t *testing.T, transport string) {
				c := startChat(t)
				line := newLine(t, c.addr)
				ada := c.script("Ada")
				browser := ownBrowser(t)
				grace := newTab(t, "Grace", browser.ctx)
				grace.logIn(line.url(), "Grace")
				grace.use(transport)
				ids := []string{ada.post("", "before")}
				grace.sees("before")
				// Ticks show whether the page really stood still.
				eval[bool](grace, `(() => {
					let last = performance.now();
					window.stoodStill = 0;
					setInterval(() => {
						stoodStill = Math.max(stoodStill, performance.now() - last);
						last = performance.now();
					}, 50);
					return true;
				})()`)

				browser.signal(syscall.SIGSTOP)
				for _, text := range texts("asleep", 1, 20) {
					ids = append(ids, ada.post("", text))
				}
				if lineBreaks {
					line.cut()
					line.mend()
				}
				time.Sleep(3 * time.Second)
				browser.signal(syscall.SIGCONT)

				ids = append(ids, ada.post("", "after"))
				grace.sees(append(append([]string{"before"}, texts("asleep", 1, 20)...), "after")...)
				grace.heardOnce(ids)
				grace.noGap()
				if ms := eval[float64](grace, `stoodStill`); ms < 2500 {
					t.Errorf("the page stood still for %.0f ms, and should have for 3 s", ms)
				}
			})
		})
	}
}

// An own is a browser that one test has for itself.
type own struct {
	t   *testing.T
	ctx context.Context
	dir string
}

func ownBrowser(t *testing.T) *own {
	t.Helper()
	browser(t) // finds the program, or says that there is none
	o := &own{t: t, dir: emptyDir(t)}
	var err error
	if o.ctx, err = launch(shared.program, o.dir); err != nil {
		t.Fatalf("the browser does not start: %v", err)
	}
	t.Cleanup(func() {
		o.signal(syscall.SIGCONT) // if the test has failed between
		if err := end(o.ctx, o.dir); err != nil {
			t.Error(err)
		}
	})
	return o
}

// signal sends a signal to all processes of the browser.
func (o *own) signal(s os.Signal) {
	o.t.Helper()
	processes := processesOf(o.dir)
	if len(processes) == 0 {
		o.t.Fatal("the browser's processes cannot be found")
	}
	for _, p := range processes {
		if err := p.Signal(s); err != nil && err != os.ErrProcessDone {
			o.t.Fatal(err)
		}
	}
}
