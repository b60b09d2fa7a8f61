// Command crier-conformance tries a client with the cases of PROTOCOL.md:
//
//	go run github.com/crier-go/crier/conformance/cmd/crier-conformance [flags] command [argument...]
//
// The command starts the client's adapter, which package conformance describes.
// A table of the results goes to the standard output. The exit status is 1 if a
// case of level "must" has failed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"

	"github.com/crier-go/crier/conformance"
)

func main() {
	run := flag.String("run", "", "try only cases whose names match this `regexp`")
	parallel := flag.Int("parallel", 8, "cases to try at a time")
	strict := flag.Bool("strict", false, "fail for cases of level should, too")
	list := flag.Bool("list", false, "list the cases and try nothing")
	flag.Parse()
	if err := try(flag.Args(), *run, *parallel, *strict, *list); err != nil {
		fmt.Fprintln(os.Stderr, "crier-conformance:", err)
		os.Exit(1)
	}
}

func try(command []string, pattern string, parallel int, strict, list bool) error {
	matches, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	cases, err := conformance.Cases()
	if err != nil {
		return err
	}
	cases = slices.DeleteFunc(cases, func(c conformance.Case) bool { return !matches.MatchString(c.Name) })
	if list {
		for _, c := range cases {
			fmt.Printf("%-6s  %s: %s\n", c.Level, c.Name, c.About)
		}
		return nil
	}
	if len(command) == 0 {
		return fmt.Errorf("which client? Name the command that starts its adapter")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	results, err := conformance.Run(ctx, command, cases, parallel)
	if err != nil {
		return err
	}
	if err := conformance.WriteTable(os.Stdout, results); err != nil {
		return err
	}
	failed := conformance.Failed(results, conformance.Must)
	if strict {
		failed = append(failed, conformance.Failed(results, conformance.Should)...)
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d cases failed", len(failed))
	}
	return nil
}
