package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// A browser opens pages in tabs of their own.
type browser interface {
	// open returns how to close the tab.
	open(address string) (closeTab func(), err error)
	close()
}

// An engine is a browser that is started when the first client needs it, and
// shared by all.
type engine struct {
	name  string
	needs func() error
	start func(dir string) (browser, error)

	once    sync.Once
	running browser
	err     error
	dir     string
}

var (
	chromium = &engine{name: "chromium", start: startChromium, needs: needPrograms("chromium")}
	firefox  = &engine{name: "firefox", start: startFirefox, needs: needPrograms("firefox-esr")}
	webkit   = &engine{name: "webkit", start: startWebKit, needs: needPrograms("WebKitWebDriver", "Xvfb")}

	engines = []*engine{chromium, firefox, webkit}
)

func needPrograms(programs ...string) func() error {
	return func() error {
		var errs []error
		for _, p := range append(programs, "node") {
			errs = append(errs, lookFor(p))
		}
		return errors.Join(errs...)
	}
}

// browser returns the running browser.
func (e *engine) browser() (browser, error) {
	e.once.Do(func() {
		if e.dir, e.err = os.MkdirTemp("", "crier-wild-"+e.name+"-"); e.err == nil {
			e.running, e.err = e.start(e.dir)
		}
		if e.err != nil {
			e.err = fmt.Errorf("%s: %w", e.name, e.err)
		}
	})
	return e.running, e.err
}

// startBrowsers starts what the plans need, one after the other, so that no
// client's time runs out while three browsers start.
func startBrowsers(plans []plan) error {
	for _, p := range plans {
		for _, c := range p.clients {
			if c.engine == nil {
				continue
			}
			if _, err := c.engine.browser(); err != nil {
				return err
			}
		}
	}
	return nil
}

func closeBrowsers() {
	for _, e := range engines {
		if e.running != nil {
			e.running.close()
		}
		if e.dir != "" {
			os.RemoveAll(e.dir)
		}
	}
}

// page makes a client of a script that runs in a browser: a name in
// clients/page/app.js, or another page.
func page(e *engine, script, stream string, short bool) client {
	name := e.name + " " + script
	if stream == "lean" {
		name += " lean"
	}
	return client{
		name: name, stream: stream, short: short, engine: e, needs: e.needs,
		start: func(ctx context.Context, address string, tell func(report)) (func(), error) {
			b, err := e.browser()
			if err != nil {
				return nil, err
			}
			u, err := url.Parse(address)
			if err != nil {
				return nil, err
			}
			user := u.Query().Get("user")
			deaf := shared.collector.listen(user, tell)
			query := url.Values{"client": {script}, "stream": {stream}, "user": {user}, "collector": {"ws://" + shared.collector.address}}
			closeTab, err := b.open("http://" + u.Host + "/events/page/?" + query.Encode())
			if err != nil {
				deaf()
				return nil, err
			}
			return func() { closeTab(); deaf() }, nil
		},
	}
}

// shared is what all pages of a run report to.
var shared struct{ collector *collector }

// launch starts a browser's process, in a group of its own.
func launch(output *tail, program string, args ...string) (stop func(), err error) {
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		ended := make(chan struct{})
		go func() { cmd.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(3 * time.Second):
		}
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	}, nil
}
