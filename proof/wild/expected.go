package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
)

// A book is expected.txt: which verdicts must hold, and why those that are not
// ok are accepted. Its head explains the format.
type book struct {
	file  string
	head  []string // the comment that it begins with
	lines []*line
}

// A line is the expectation of one client behind one proxy.
type line struct {
	proxy, client string
	cells         [phaseCount]expected
	note          string
}

// expected is what a cell may be besides ok.
type expected struct {
	accepted []string // empty: it must be ok
	mended   bool     // a fault of Crier's own, which a mended one will not show
}

func parseExpected(s string) (e expected) {
	s, e.mended = strings.CutSuffix(s, "*")
	if s != ok {
		e.accepted = strings.Split(s, "|")
	}
	return e
}

func (e expected) String() string {
	s := ok
	if len(e.accepted) > 0 {
		s = strings.Join(e.accepted, "|")
	}
	if e.mended {
		s += "*"
	}
	return s
}

func readBook(file string) (*book, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	b := &book{file: file}
	for n, text := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(text, "#") && len(b.lines) == 0 {
			b.head = append(b.head, text)
			continue
		}
		if strings.TrimSpace(text) == "" || strings.HasPrefix(text, "proxy ") {
			continue
		}
		l, err := parseLine(text)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, n+1, err)
		}
		b.lines = append(b.lines, l)
	}
	return b, nil
}

func parseLine(text string) (*line, error) {
	text, note, _ := strings.Cut(text, "#")
	var fields []string
	for field := range strings.SplitSeq(text, "  ") {
		if field = strings.TrimSpace(field); field != "" {
			fields = append(fields, field)
		}
	}
	if len(fields) != 2+phaseCount {
		return nil, fmt.Errorf("%d columns, want %d, two spaces apart", len(fields), 2+phaseCount)
	}
	l := &line{proxy: fields[0], client: fields[1], note: strings.TrimSpace(note)}
	for i, field := range fields[2:] {
		l.cells[i] = parseExpected(field)
	}
	return l, nil
}

// unexplained returns an error if a cell is not ok and its line has no note.
func (b *book) unexplained() error {
	var errs []error
	for _, l := range b.lines {
		if l.note == "" && slices.ContainsFunc(l.cells[:], func(e expected) bool { return len(e.accepted) > 0 }) {
			errs = append(errs, fmt.Errorf("%s: %s, %s: what is not ok needs a # note that says why", b.file, l.proxy, l.client))
		}
	}
	return errors.Join(errs...)
}

// line returns the expectation of a row, if there is one.
func (b *book) line(r row) *line {
	for _, l := range b.lines {
		if l.proxy == r.proxy && l.client == r.client {
			return l
		}
	}
	return nil
}

// compare prints what is not as expected, and returns how many cells are not.
func (b *book) compare(w io.Writer, rows []row) (failed int) {
	for _, r := range rows {
		l := b.line(r)
		if l == nil {
			fmt.Fprintf(w, "NEW: %s, %s is not in %s\n", r.proxy, r.client, b.file)
			failed++
			continue
		}
		for i, c := range r.cells {
			at := fmt.Sprintf("%s, %s, %s", r.proxy, r.client, phases[i].name)
			want := l.cells[i]
			switch {
			case slices.Contains(want.accepted, c.verdict):
			case c.verdict != ok:
				fmt.Fprintf(w, "WORSE: %s is %s, must be %s (%s)\n", at, c.verdict, want, c.story)
				failed++
			case len(want.accepted) > 0 && !slices.Contains(want.accepted, ok):
				fmt.Fprintf(w, "BETTER: %s is ok; %s has %s\n", at, b.file, want)
			}
		}
	}
	return failed
}

// again returns the rows that are worse than expected only in what a busy
// machine can cause: something did not happen in time. What was lost, doubled or
// disordered is never tried again.
func (b *book) again(rows []row) (slow []row) {
	inTime := []string{refused, late, stops, byBeat, ghost, notRun}
	for _, r := range rows {
		l := b.line(r)
		if l == nil {
			continue
		}
		worse, lasting := false, false
		for i, c := range r.cells {
			if c.verdict == ok || slices.Contains(l.cells[i].accepted, c.verdict) {
				continue
			}
			worse = true
			lasting = lasting || !slices.Contains(inTime, c.verdict)
		}
		if worse && !lasting {
			slow = append(slow, r)
		}
	}
	return slow
}

// update writes what came out into the file. Notes stay as they are, but where
// all is ok now.
func (b *book) update(rows []row) error {
	for _, r := range rows {
		l := b.line(r)
		if l == nil {
			l = &line{proxy: r.proxy, client: r.client}
			b.insert(l)
		}
		for i, c := range r.cells {
			if old := l.cells[i]; !slices.Contains(old.accepted, c.verdict) {
				l.cells[i] = parseExpected(c.verdict)
			}
		}
		if !slices.ContainsFunc(l.cells[:], func(e expected) bool { return len(e.accepted) > 0 }) {
			l.note = ""
		}
	}
	var out bytes.Buffer
	for _, h := range b.head {
		fmt.Fprintln(&out, h)
	}
	tw := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	last := ""
	for _, l := range b.lines {
		if l.proxy != last {
			fmt.Fprint(tw, "\nproxy\tclient")
			for _, p := range phases {
				fmt.Fprint(tw, "\t", p.name)
			}
			fmt.Fprintln(tw, "\t")
		}
		last = l.proxy
		fmt.Fprint(tw, l.proxy, "\t", l.client)
		for _, e := range l.cells {
			fmt.Fprint(tw, "\t", e)
		}
		fmt.Fprint(tw, "\t")
		if l.note != "" {
			fmt.Fprint(tw, "# ", l.note)
		}
		fmt.Fprintln(tw)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	text := regexp.MustCompile(`(?m) +$`).ReplaceAll(out.Bytes(), nil)
	return os.WriteFile(b.file, text, 0o666)
}

// insert adds a line behind the others of its proxy.
func (b *book) insert(l *line) {
	at := len(b.lines)
	for i, other := range b.lines {
		if other.proxy == l.proxy {
			at = i + 1
		}
	}
	b.lines = slices.Insert(b.lines, at, l)
}
