package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A client is a program or a library by others that reads a stream.
type client struct {
	name string
	// stream is "events", "lean" or "ws".
	stream string
	// start opens a stream at this address and reports what comes of it until
	// stop is called. stop ends the client as a user does that closes a tab.
	start func(ctx context.Context, address string, report func(report)) (stop func(), err error)
	// needs says what is missing on this machine, if something is.
	needs  func() error
	engine *engine // the browser, if it runs in one
	short  bool    // takes part in the short form
}

// address returns the address of a client's stream behind a proxy.
func (c *client) address(host string, user string) string {
	u := url.URL{Scheme: "http", Host: host, Path: "/events", RawQuery: "user=" + user}
	switch c.stream {
	case "lean":
		u.RawQuery += "&lean=1"
	case "ws":
		u.Scheme, u.Path = "ws", "/ws"
	}
	return u.String()
}

// process makes a client of a program that reports on its standard output. The
// address is its last argument.
func process(name, stream string, short bool, program string, args ...string) client {
	return client{
		name: name, stream: stream, short: short,
		needs: func() error { return lookFor(program, args...) },
		start: func(ctx context.Context, address string, tell func(report)) (func(), error) {
			cmd := exec.Command(program, append(args, address)...)
			cmd.Dir = "clients"
			cmd.Env = append(os.Environ(), "NO_PROXY=*", "PYTHONDONTWRITEBYTECODE=1")
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
			out, err := cmd.StdoutPipe()
			if err != nil {
				return nil, err
			}
			var stderr tail
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				return nil, err
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				readReports(out, tell)
				if err := cmd.Wait(); stderr.String() != "" || err != nil {
					tell(report{What: "gone", Text: strings.TrimSpace(fmt.Sprint(err, " ", stderr.String()))})
				}
			}()
			return func() {
				syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
				<-done
			}, nil
		},
	}
}

func readReports(r io.Reader, tell func(report)) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		var one report
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			one = report{What: "note", Text: lines.Text()}
		}
		tell(one)
	}
}

// tail is a writer that keeps the end of what is written.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-400):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}

// goClient makes a client of a Go library. run reads until its context ends,
// or until the library gives up.
func goClient(name, stream string, short bool, run func(ctx context.Context, address string, tell func(report)) error) client {
	return client{
		name: name, stream: stream, short: short,
		needs: func() error { return nil },
		start: func(ctx context.Context, address string, tell func(report)) (func(), error) {
			ctx, cancel := context.WithCancel(ctx)
			done := make(chan struct{})
			go func() {
				defer close(done)
				err := run(ctx, address, tell)
				if ctx.Err() == nil {
					tell(report{What: "gone", Text: fmt.Sprint(err)})
				}
			}()
			return func() {
				cancel()
				select {
				case <-done:
				case <-time.After(5 * time.Second):
				}
			}, nil
		},
	}
}

// handOut turns an event into a report. Every client calls it for each event
// that its library hands out.
func handOut(tell func(report), name string, data []byte) {
	switch name {
	case "wild.counted":
		var p payload
		if err := json.Unmarshal(data, &p); err != nil {
			tell(report{What: "note", Text: fmt.Sprintf("%v in %q", err, data)})
			return
		}
		if p.Text != text {
			tell(report{What: "blank", Text: p.Text})
		}
		tell(report{What: "event", N: p.N})
	case "stream.cursor":
		tell(report{What: "cursor"})
	case "stream.gap", "stream.end":
		tell(report{What: strings.TrimPrefix(name, "stream."), Text: string(data)})
	case "", "message":
		tell(report{What: "blank"})
	default:
		tell(report{What: "note", Text: "unknown event " + name})
	}
}

// A missing program is named with Debian's package of it.
type missing struct{ what, how string }

func (m missing) Error() string { return fmt.Sprintf("%s is missing (%s)", m.what, m.how) }

// debian names the packages of the programs that the bench runs; debian-packages
// has them all.
var debian = map[string]string{
	"node": "nodejs", "npm": "npm", "/usr/bin/python3": "python3", "curl": "curl", "bash": "bash",
	"chromium": "chromium", "firefox-esr": "firefox-esr", "WebKitWebDriver": "webkit2gtk-driver", "Xvfb": "xvfb",
	"nginx": "nginx-light", "haproxy": "haproxy", "apache2": "apache2-bin", "caddy": "caddy",
	"varnishd": "varnish", "lighttpd": "lighttpd",
}

// lookFor returns an error that names what a client lacks: its program, or the
// library that its script imports.
func lookFor(program string, args ...string) error {
	if _, err := exec.LookPath(program); err != nil {
		return missing{program, "Debian's package " + debian[program]}
	}
	switch {
	case program == python && len(args) > 0:
		library := strings.TrimSuffix(args[0], "_client.py")
		if err := exec.Command(program, "-c", "import "+library).Run(); err != nil {
			return missing{"Python's " + library, "Debian's package python3-" + library}
		}
	case program == "node":
		if _, err := os.Stat("clients/node_modules"); errors.Is(err, os.ErrNotExist) {
			return missing{"what clients/package.json lists", "npm ci in proof/wild/clients"}
		}
	}
	return nil
}
