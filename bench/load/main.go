// Command load measures Crier under load, in two ways: peers compares it with what people use in its place, and
// capacity finds out how many users this machine holds. Each has flags, which -h lists. It needs Linux.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/crier-go/crier/bench/internal/child"
	"github.com/crier-go/crier/bench/load/capacity"
	"github.com/crier-go/crier/bench/load/compare"
	"github.com/crier-go/crier/bench/load/internal/rig"
)

func main() {
	child.Main(map[string]child.Role{
		rig.RoleClients:     rig.NewClients,
		compare.RoleServer:  func() (any, error) { return compare.Server{}, nil },
		capacity.RoleServer: func() (any, error) { return &capacity.Server{}, nil },
	})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	commands := map[string]func(context.Context, []string, io.Writer, io.Writer) error{"peers": compare.Run, "capacity": capacity.Run}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: load peers [flags], or load capacity [flags]")
		os.Exit(2)
	}
	err := commands[os.Args[1]](ctx, os.Args[2:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
