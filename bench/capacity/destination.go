package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/crier-go/crier/bench/internal/section"
)

// A destination is where a report goes, besides being printed.
type destination struct {
	doc     section.Section // if it names a file, the report is written into it
	picture string          // a file; empty for none
}

// settle makes one of the flags that have been read. What could not be written
// when all is measured is refused.
func (d *destination) settle(flags *flag.FlagSet, allTransports bool) error {
	d.doc.Name = "capacity"
	if d.doc.File == "" {
		return nil
	}
	if !allTransports {
		return errors.New("-into is for all transports, or else the document would lose the others; without -into the report is printed")
	}
	asked := false
	flags.Visit(func(f *flag.Flag) { asked = asked || f.Name == "svg" })
	if !asked {
		d.picture = filepath.Join(filepath.Dir(d.doc.File), "bench", "capacity.svg")
	}
	if d.picture == "" {
		return errors.New("-into wants a picture, which the document shows")
	}
	return d.doc.Check()
}

// write prints the report and writes what is to be written. A document and its
// picture stay as they are if the measurement failed, whose error is returned.
func (d *destination) write(r *report, failed error, stdout, stderr io.Writer) error {
	if _, err := io.WriteString(stdout, r.text()); err != nil {
		return err
	}
	switch {
	case d.doc.File != "" && failed != nil:
		return fmt.Errorf("%w. %s is as it was", failed, d.doc.File)
	case d.doc.File != "":
		if err := d.doc.Replace(section.Picture{File: d.picture, Content: r.svg()}, r.markdown); err != nil {
			return fmt.Errorf("writing the report: %w", err)
		}
		fmt.Fprintf(stderr, "the report is in %s, the picture in %s\n", d.doc.File, d.picture)
	case d.picture != "":
		if err := write(d.picture, r.svg()); err != nil {
			return fmt.Errorf("writing the picture: %w", err)
		}
		fmt.Fprintf(stderr, "the picture is in %s\n", d.picture)
	}
	return failed
}

func write(file string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	return os.WriteFile(file, content, 0o666)
}
