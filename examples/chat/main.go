// Command chat is Crier at work: a lobby, rooms, direct messages, who is online and
// who is typing, in one program with one page.
//
//	go run ./examples/chat            # http://localhost:8080
//	go run ./examples/chat -addr 127.0.0.1:9000
//
// Stop it with Ctrl-C and start it again: its people, rooms and messages are there, and
// pages that were open go on without a gap. They are kept in a file, see -state. After
// a crash there is no such file: the chat is empty, and pages are told of a gap.
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
	stateFile := flag.String("state", "", "the `file` that keeps the chat's state while it does not run; \"none\" keeps none (default the key's file name with \".state\")")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	if err := chat.Run(ctx, chat.Options{Addr: *addr, KeyFile: *keyFile, StateFile: *stateFile}); err != nil {
		slog.Error("the chat stopped", "error", err)
		os.Exit(1)
	}
}
