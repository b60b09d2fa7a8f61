package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/crier-go/crier/backplane/nats/natsembedded"
)

// restartAfter is how long a process that was killed stays away.
const restartAfter = 5 * time.Second

// show runs several processes, an engine if none is given, and a proxy, until ctx
// is over.
func show(ctx context.Context, front string, n int, engine string) (err error) {
	if n < 1 {
		return fmt.Errorf("-processes is %d; at least 1 is needed", n)
	}
	addrs, err := addresses(front, n)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", front)
	if err != nil {
		return err
	}
	defer listener.Close()
	for _, addr := range addrs {
		// If something else listened there, it would be taken for the process.
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		l.Close()
	}
	dir, err := os.MkdirTemp("", "crier-cluster-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if engine == "" {
		server, serr := natsembedded.Open(filepath.Join(dir, "nats"), &natsembedded.Options{Listen: "127.0.0.1:0"})
		if serr != nil {
			return serr
		}
		defer func() { err = errors.Join(err, server.Close()) }()
		engine = server.URL()
	}

	ctx, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait() // before the engine is closed
	defer stop()
	started := make(chan error, n)
	for _, addr := range addrs {
		all.Go(func() { keepRunning(ctx, addr, filepath.Join(dir, "key"), engine, started) })
	}
	for range addrs {
		if err := <-started; err != nil {
			return err
		}
	}

	srv := &http.Server{
		Addr:              front,
		Handler:           newProxy(addrs, slog.Default()),
		ReadHeaderTimeout: 5 * time.Second,
	}
	context.AfterFunc(ctx, func() { srv.Close() })
	fmt.Print(whatToTry(front, addrs, engine))
	if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// addresses returns those of the processes: the ports behind the proxy's.
func addresses(front string, n int) (addrs []string, err error) {
	host, port, err := net.SplitHostPort(front)
	if err != nil {
		return nil, err
	}
	first, err := strconv.Atoi(port)
	if err != nil || first < 1 || first+n > 65535 {
		return nil, fmt.Errorf("-front %s needs a port that leaves room for %d more", front, n)
	}
	for i := range n {
		addrs = append(addrs, net.JoinHostPort(host, strconv.Itoa(first+1+i)))
	}
	return addrs, nil
}

func whatToTry(front string, addrs []string, engine string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nOne chat, %d processes: http://%s\n\n", len(addrs), front)
	fmt.Fprintf(&b, "  Behind the proxy are http://%s, over %s.\n", strings.Join(addrs, " and http://"), engine)
	b.WriteString("\nWhat to try:\n\n")
	fmt.Fprintf(&b, "  - Open the chat in two windows, enter as two people, and talk. Each request\n    and each stream goes to another process.\n")
	fmt.Fprintf(&b, "  - Kill a process with SIGKILL (its pid is above) and go on talking. Its streams\n    reconnect to another process and resume; no message is lost or doubled.\n    It is started again after %v, and knows everything.\n", restartAfter)
	fmt.Fprintf(&b, "  - Compare: curl -s http://%s/stats; curl -s http://%s/stats\n", addrs[0], addrs[len(addrs)-1])
	b.WriteString("  - Ctrl-C ends everything.\n\n")
	return b.String()
}

// keepRunning runs a process, again and again, until ctx is over. It tells once on
// started whether the process serves.
func keepRunning(ctx context.Context, addr, key, engine string, started chan<- error) {
	for first := true; ; first = false {
		program, err := os.Executable()
		if err == nil {
			err = runOnce(ctx, program, []string{"-addr", addr, "-key", key, "-backplane", engine}, func(pid int, err error) {
				if err == nil {
					slog.Info("a chat process serves", "addr", addr, "pid", pid, "kill", fmt.Sprintf("kill -9 %d", pid))
				}
				if first {
					started <- err
				}
			}, addr)
		} else if first {
			started <- err
		}
		if ctx.Err() != nil {
			return
		}
		slog.Warn("a chat process is gone", "addr", addr, "error", err, "again after", restartAfter)
		select {
		case <-time.After(restartAfter):
		case <-ctx.Done():
			return
		}
	}
}

// runOnce runs a process to its end. It calls serving once: when the process
// accepts connections, or has ended before.
func runOnce(ctx context.Context, program string, args []string, serving func(pid int, err error), addr string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	detach(cmd)
	if err := cmd.Start(); err != nil {
		serving(0, err)
		return err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case err := <-done:
			serving(0, fmt.Errorf("the process on %s has ended: %w", addr, err))
			return err
		case <-time.After(20 * time.Millisecond):
		}
		if answers(addr) {
			serving(cmd.Process.Pid, nil)
			return <-done
		}
	}
}

func answers(addr string) bool {
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get("http://" + addr + "/healthz")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
