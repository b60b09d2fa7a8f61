// Command crier-schema compares two contract files, which an application writes
// with schema.Write, and says what changed between them.
//
//	crier-schema diff [-json] old new
//
// One of the files may be "-", which is the standard input:
//
//	git show origin/main:contract.json | crier-schema diff - contract.json
//
// It exits with 0 if clients of either contract can read the events of the
// other, with 1 if a change breaks that, and with 2 if it could not compare them.
// What counts as a break is documented at schema.Diff.
//
// With -json it prints one object:
//
//	{
//	  "breaking": 1,
//	  "changes": [
//	    {
//	      "breaking": true,
//	      "change": "field_removed",
//	      "type": "chat.message.posted",
//	      "path": "data.text",
//	      "text": "chat.message.posted: data.text was removed"
//	    }
//	  ]
//	}
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/crier-go/crier/schema"
)

const usage = `usage: crier-schema diff [-json] old new

Compares two contract files. "-" is the standard input.
Exits with 0 if nothing breaks, 1 if something does, 2 if it cannot compare.

  -json  print one JSON object instead of lines
`

// maxFile bounds a contract file, in bytes. A thousand types take about one MiB.
const maxFile = 16 << 20

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// The exit codes.
const (
	compatible = 0
	breaking   = 1
	failed     = 2
)

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) > 0 && (args[0] == "-h" || args[0] == "-help" || args[0] == "--help" || args[0] == "help") {
		fmt.Fprint(stdout, usage)
		return compatible
	}
	if len(args) == 0 || args[0] != "diff" {
		fmt.Fprint(stderr, usage)
		return failed
	}
	flags := flag.NewFlagSet("diff", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	asJSON := flags.Bool("json", false, "")
	switch err := flags.Parse(args[1:]); {
	case errors.Is(err, flag.ErrHelp):
		return compatible
	case err != nil:
		return failed
	case flags.NArg() != 2 || flags.Arg(0) == "-" && flags.Arg(1) == "-":
		fmt.Fprint(stderr, usage)
		return failed
	}
	changes, err := diff(flags.Arg(0), flags.Arg(1), stdin)
	if err == nil {
		if *asJSON {
			err = printJSON(stdout, changes)
		} else {
			err = print(stdout, changes)
		}
	}
	switch {
	case err != nil:
		fmt.Fprintln(stderr, "crier-schema:", err)
		return failed
	case len(schema.Breaking(changes)) > 0:
		return breaking
	}
	return compatible
}

func diff(before, after string, stdin io.Reader) ([]schema.Change, error) {
	old, err := read(before, stdin)
	if err != nil {
		return nil, err
	}
	current, err := read(after, stdin)
	if err != nil {
		return nil, err
	}
	return schema.Diff(old, current), nil
}

func read(name string, stdin io.Reader) (*schema.Contract, error) {
	in := stdin
	if name == "-" {
		name = "standard input"
	} else {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("%s: larger than %d bytes", name, maxFile)
	}
	c, err := schema.Read(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

func print(w io.Writer, changes []schema.Change) error {
	for _, c := range changes {
		verdict := "ok      "
		if c.Breaking() {
			verdict = "BREAKING"
		}
		if _, err := fmt.Fprintf(w, "%s  %s\n", verdict, c); err != nil {
			return err
		}
	}
	n := len(schema.Breaking(changes))
	_, err := fmt.Fprintf(w, "breaking changes: %d, others: %d\n", n, len(changes)-n)
	return err
}

func printJSON(w io.Writer, changes []schema.Change) error {
	type entry struct {
		Breaking bool `json:"breaking"`
		schema.Change
		Text string `json:"text"`
	}
	report := struct {
		Breaking int     `json:"breaking"`
		Changes  []entry `json:"changes"`
	}{len(schema.Breaking(changes)), []entry{}}
	for _, c := range changes {
		report.Changes = append(report.Changes, entry{c.Breaking(), c, c.String()})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(report)
}
