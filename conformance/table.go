package conformance

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Failed returns the results of a level that have not passed.
func Failed(results []Result, level Level) []Result {
	return slices.DeleteFunc(slices.Clone(results), func(r Result) bool { return r.Case.Level != level || r.Passed() })
}

// WriteTable writes a line for each result, with the pauses between attempts,
// then what was wrong, then how many cases of each level have passed.
func WriteTable(w io.Writer, results []Result) error {
	var b strings.Builder
	wide := 0
	for _, r := range results {
		wide = max(wide, len(r.Case.Name))
	}
	for _, r := range results {
		verdict := "pass"
		if !r.Passed() {
			verdict = "FAIL"
		}
		fmt.Fprintf(&b, "%s  %-6s  %-3s  %-*s  %s\n", verdict, r.Case.Level, r.Transport, wide, r.Case.Name, pauses(r.Pauses))
		for _, fault := range r.Faults {
			fmt.Fprintf(&b, "      %s\n", fault)
		}
		if !r.Passed() && r.Stderr != "" {
			fmt.Fprintf(&b, "      stderr: %s\n", strings.ReplaceAll(strings.TrimSpace(r.Stderr), "\n", "\n      "))
		}
	}
	for _, level := range []Level{Must, Should, May} {
		n := 0
		for _, r := range results {
			if r.Case.Level == level {
				n++
			}
		}
		if n > 0 {
			fmt.Fprintf(&b, "%s: %d of %d passed\n", level, n-len(Failed(results, level)), n)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// pauses says when the attempts came.
func pauses(all []time.Duration) string {
	const most = 8
	var b strings.Builder
	for i, p := range all {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(all)-most)
			break
		}
		fmt.Fprintf(&b, " +%d ms", p.Milliseconds())
	}
	return strings.TrimSpace(b.String())
}
