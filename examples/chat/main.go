// Command chat is Crier at work: a lobby, rooms, direct messages, who is online and
// who is typing, in one program with one page.
//
//	go run ./examples/chat            # http://localhost:8080
//	go run ./examples/chat -addr 127.0.0.1:9000
//
// The Go code is in the package chat; read it from chat/kinds.go. The page is in
// static: app.js joins what it shows to live.js, which listens.
package main

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/crier-go/crier/examples/chat/chat"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "the `address` to listen on")
	keyFile := flag.String("key", "", "the `file` that keeps the key for session cookies (default \"crier-chat/key\" in the user's configuration directory)")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	if err := chat.Run(ctx, chat.Options{Addr: *addr, KeyFile: *keyFile}); err != nil {
		slog.Error("the chat stopped", "error", err)
		os.Exit(1)
	}
}
