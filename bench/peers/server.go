package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A target is a peer that has been set up to serve one transport.
type target struct {
	handler http.Handler
	prepare func(item) any // makes the peer's own type of event, which publish finds in item.made; nil if it has none
	publish func(item)     // to everyone who is connected; called from one goroutine
	path    string         // the path and query of a client's request; empty for "/"
	hello   []byte         // a message that the client sends once it is connected, where the peer's protocol has one
}

type protocol string

const (
	sse protocol = "sse"
	ws  protocol = "ws"
)

// request is what a client of this transport sends first: what a browser would, without its ballast.
func (t *target) request(tr protocol) string {
	path := t.path
	if path == "" {
		path = "/"
	}
	head := "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
	if tr == ws {
		return head + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	}
	return head + "Accept: text/event-stream\r\n\r\n"
}

// runServer is the process under test: one peer, one transport, or one measurement in memory.
func runServer(args []string) error {
	// Libraries that log to standard output would garble the replies.
	replies := os.Stdout
	os.Stdout = os.Stderr
	log.SetOutput(io.Discard) // a peer that logs each dropped event would be measured logging

	fs := newFlagSet("server")
	peerName := fs.String("peer", "", "the peer to run")
	tr := fs.String("transport", "", "sse or ws; empty for a measurement in memory")
	scenarioName := fs.String("scenario", "", "the measurement in memory to make")
	seconds := fs.Float64("seconds", 1, "how long to measure")
	if err := fs.Parse(args); err != nil {
		return err
	}
	p, err := findPeer(*peerName)
	if err != nil {
		return err
	}
	out := json.NewEncoder(replies)
	commands := obey()
	if *tr == "" {
		r, err := measureInMemory(p, *scenarioName, time.Duration(*seconds*float64(time.Second)))
		if err != nil {
			r = reply{Error: err.Error()}
		}
		return out.Encode(r)
	}

	if err := raiseFileLimit(); err != nil {
		return err
	}
	b, err := openBoard(boardFD)
	if err != nil {
		return err
	}
	setup := p.setup(protocol(*tr))
	if setup == nil {
		return fmt.Errorf("%s does not speak %s", p.title, *tr)
	}
	t, err := setup()
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	srv := &http.Server{Handler: t.handler, ErrorLog: log.Default()}
	go srv.Serve(ln) //nolint:errcheck // ends with the process

	connect := clientConfig{Addr: ln.Addr().String(), Request: t.request(protocol(*tr)), Hello: t.hello}
	if err := out.Encode(reply{Event: "listening", Connect: connect}); err != nil {
		return err
	}
	pub := &publisher{board: b, target: t}
	for c := range commands {
		r, err := pub.do(c)
		if err != nil {
			r = reply{Error: err.Error()}
		}
		if err := out.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// cpuTime is what this process has used so far, user and system together.
func cpuTime() time.Duration {
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &ru); err != nil {
		panic(err) // cannot fail for RUSAGE_SELF
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// settledMemory returns this process's resident memory after everything that is garbage has gone back to the system.
func settledMemory() (uint64, error) {
	// Twice, and a pause between: finalizers and pools need a second collection, and goroutines that end because the
	// work is done need a moment to do so.
	for range 2 {
		runtime.GC()
		debug.FreeOSMemory()
		time.Sleep(200 * time.Millisecond)
	}
	status, err := os.ReadFile(filepath.Join("/proc", "self", "status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("no VmRSS in /proc/self/status")
}
