// Package report writes what was measured: as a section of a Markdown
// document, in words and tables, and as charts.
package report

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// A Destination is where a report and its picture go. The rest of a document
// is written by hand; a generated section stands between two lines:
//
//	<!-- name: who generates it -->
//	<!-- /name -->
type Destination struct {
	Name     string // of the section and the picture
	Document string // a Markdown file that has the section; empty to print the report
	Picture  string // an SVG file; empty for none
}

// Flags defines -into and -svg. The defaults are the fields' values.
func (d *Destination) Flags(fs *flag.FlagSet) {
	fs.StringVar(&d.Document, "into", d.Document, "write the report into the section \""+d.Name+"\" of this Markdown `file`, "+
		"and the picture to bench/"+d.Name+".svg beside it; for complete runs only")
	fs.StringVar(&d.Picture, "svg", d.Picture, "without -into, write the picture to this `file`; empty for none")
}

// Check returns an error if the report could not be written after the
// measurement. Complete says that nothing is left out of it.
func (d *Destination) Check(complete bool) error {
	if d.Document == "" {
		return nil
	}
	if !complete {
		return errors.New("-into is for complete runs, because the document would lose what is left out; without -into the report is printed")
	}
	d.Picture = filepath.Join(filepath.Dir(d.Document), "bench", d.Name+".svg")
	_, _, err := d.around()
	return err
}

// Write writes the report and the picture. If the measurement failed, the
// document stays as it is, the report is printed, and failed is returned.
func (d *Destination) Write(markdown func(picture string) string, svg []byte, failed error, stdout, stderr io.Writer) error {
	if d.Document == "" || failed != nil {
		if _, err := io.WriteString(stdout, markdown("")); err != nil {
			return err
		}
	}
	if d.Document != "" && failed != nil {
		return fmt.Errorf("%w; %s is unchanged, and the report is printed", failed, d.Document)
	}
	if d.Picture != "" {
		if err := os.MkdirAll(filepath.Dir(d.Picture), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(d.Picture, svg, 0o666); err != nil {
			return fmt.Errorf("writing the picture: %w", err)
		}
		fmt.Fprintln(stderr, "the picture is in", d.Picture)
	}
	if d.Document == "" {
		return failed
	}
	before, after, err := d.around()
	if err != nil {
		return err
	}
	text := strings.Trim(markdown("bench/"+d.Name+".svg"), "\n")
	fmt.Fprintln(stderr, "the report is in", d.Document)
	return os.WriteFile(d.Document, []byte(before+"\n"+text+"\n\n"+after), 0o666)
}

// around returns the document before and after the section. The lines that
// begin and end the section are part of it.
func (d *Destination) around() (before, after string, err error) {
	b, err := os.ReadFile(d.Document)
	if err != nil {
		return "", "", err
	}
	text := string(b)
	begin := regexp.MustCompile(`(?m)^<!-- `+d.Name+`:.*-->\s*?\n`).FindAllStringIndex(text, -1)
	end := regexp.MustCompile(`(?m)^<!-- /`+d.Name+` -->\s*?$`).FindAllStringIndex(text, -1)
	if len(begin) != 1 || len(end) != 1 || end[0][0] < begin[0][1] {
		return "", "", fmt.Errorf(`%s: the lines "<!-- %s: ... -->" and "<!-- /%s -->" must be there once, in this order`, d.Document, d.Name, d.Name)
	}
	return text[:begin[0][1]], text[end[0][0]:], nil
}
