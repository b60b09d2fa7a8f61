// Command operated is the chat of examples/chat as it runs in production: with
// metrics for Prometheus, metrics and traces of OpenTelemetry, and the debug page.
//
//	go run .                                # http://localhost:8080
//	go run . -addr 127.0.0.1:9000 -load 0
//	go run . >telemetry.json
//
// It serves
//
//	/                 the chat
//	/metrics          for Prometheus
//	/debug/crier/     the debug page, for this machine only; JSON with ?format=json
//
// OpenTelemetry's metrics and spans go to the standard output, one JSON object on
// each line. Logs go to the standard error. A real program exports both by OTLP.
// prometheus.yml is for a Prometheus that scrapes the program.
//
// Simulated people use the chat, and some of them have bad connections, so that
// every graph has something to show. They are clients like any other: see the
// package load. The bounds of the hub are lower than the defaults for the same
// reason.
//
// Read it from operated.go: that is all that a program needs to be operated.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "the `address` to listen on")
	keyFile := flag.String("key", "", "the `file` that keeps the key for session cookies (default \"crier-chat/key\" in the user's configuration directory)")
	people := flag.Int("load", 40, "the `number` of simulated people; 0 means none")
	sampled := flag.Float64("traces", 0.01, "the `share` of traces to print, from 0 to 1")
	every := flag.Duration("metrics", time.Minute, "how `often` to print the metrics of OpenTelemetry")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	err := func() error {
		if *people < 0 || !(*sampled >= 0 && *sampled <= 1) || *every < time.Second {
			return fmt.Errorf("-load is at least 0, -traces from 0 to 1, -metrics at least 1s")
		}
		listener, err := net.Listen("tcp", *addr)
		if err != nil {
			return err
		}
		return run(ctx, options{
			listener: listener, keyFile: *keyFile, people: *people, speed: 1,
			telemetry: os.Stdout, sampled: *sampled, every: *every,
			announce: printURLs, log: slog.Default(),
		})
	}()
	if err != nil {
		slog.Error("the program stopped", "error", err)
		os.Exit(1)
	}
}

// printURLs says where to look. The standard output is for telemetry.
func printURLs(url string) {
	io.WriteString(os.Stderr, fmt.Sprintf(`
  the chat        %[1]s/
  for Prometheus  %[1]s/metrics
  the debug page  %[1]s/debug/crier/

`, url))
}
