package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// print prints the table, then the story of every cell that is not ok, and the
// note that expected.txt has on it.
func (b *book) print(w io.Writer, rows []row) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(tw, "proxy\tclient")
	for _, p := range phases {
		fmt.Fprint(tw, "\t", p.name)
	}
	fmt.Fprintln(tw)
	for _, r := range rows {
		fmt.Fprint(tw, r.proxy, "\t", r.client)
		for _, c := range r.cells {
			fmt.Fprint(tw, "\t", c)
		}
		fmt.Fprintln(tw)
	}
	tw.Flush()
	fmt.Fprintln(w)
	for _, r := range rows {
		for i, c := range r.cells {
			if c.verdict != ok && c.verdict != notRun && c.story != "" {
				fmt.Fprintf(w, "%s, %s, %s: %s: %s\n", r.proxy, r.client, phases[i].name, c.verdict, c.story)
			}
		}
		if line := b.line(r); line != nil && line.note != "" {
			fmt.Fprintf(w, "%s, %s: %s\n", r.proxy, r.client, line.note)
		}
	}
}

// String shows a verdict, and how long it took if that is long.
func (c cell) String() string {
	if seconds := c.took.Seconds(); c.verdict == ok && seconds >= 2 {
		return fmt.Sprintf("ok %.0fs", seconds)
	}
	return c.verdict
}
