// Command cluster is the chat of examples/chat on several processes.
//
// Without -addr, it shows how that works: it starts two chat processes on
// 127.0.0.1:8081 and 127.0.0.1:8082, the NATS server that they share, and a proxy
// in front of them on 127.0.0.1:8080. A process that is killed is started again
// after a while. Ctrl-C ends it all.
//
//	go run .
//
// With -addr, it is one chat process. All that share a key and a backplane serve
// one chat:
//
//	go run . -addr 127.0.0.1:8081 -key FILE -backplane nats://127.0.0.1:4222
//	go run . -addr 127.0.0.1:8081 -key FILE -backplane redis://127.0.0.1:6379/0
//	go run . -addr 127.0.0.1:8081 -key FILE -backplane postgres://user@127.0.0.1/database
//
// Read it from backplane.go: that is all that a program needs to run on several
// processes.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/crier-go/crier/examples/chat/chat"
)

func main() {
	addr := flag.String("addr", "", "the `address` of this process; empty shows several")
	keyFile := flag.String("key", "", "the `file` that keeps the key for session cookies (default \"crier-chat/key\" in the user's configuration directory)")
	engine := flag.String("backplane", "", "the `URL` of the engine that the processes share: nats, redis, rediss or postgres (default: this process is alone)")
	front := flag.String("front", "127.0.0.1:8080", "without -addr, the `address` of the proxy; the processes have the next ports")
	processes := flag.Int("processes", 2, "without -addr, the `number` of processes")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	err := func() error {
		if *addr == "" {
			return show(ctx, *front, *processes, *engine)
		}
		return serve(ctx, *addr, *keyFile, *engine)
	}()
	if err != nil {
		slog.Error("the cluster stopped", "error", err)
		os.Exit(1)
	}
}

// serve is one chat process.
func serve(ctx context.Context, addr, keyFile, engine string) error {
	backplane, release, err := connect(engine)
	if err != nil {
		return fmt.Errorf("-backplane: %w", err)
	}
	defer release()
	return chat.Run(ctx, chat.Options{
		Addr:      addr,
		KeyFile:   keyFile,
		Backplane: backplane,
		Logger:    slog.Default().With("process", addr),
	})
}
