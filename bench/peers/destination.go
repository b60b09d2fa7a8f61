package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/crier-go/crier/bench/internal/section"
)

// A destination is where a report goes.
type destination struct {
	doc     section.Section // written anew; if it names no file, the report is printed
	picture string          // a file; empty for none, when the report is printed
}

// destination makes one of the flags -into and -svg. What could not be written after a quarter of an hour is refused.
func (c *campaign) destination(into, svg string) (destination, error) {
	d := destination{doc: section.Section{File: into, Name: "peers"}, picture: svg}
	if into == "" {
		return d, nil
	}
	if len(c.scenarios) < len(scenarios) || len(c.peers) < len(peers) {
		return d, errors.New("-into is for a run of all scenarios and all peers, or else the document would lose what is " +
			"left out; without -into the report is printed")
	}
	if svg == "" {
		d.picture = filepath.Join(filepath.Dir(into), "bench", "peers.svg")
	}
	return d, d.doc.Check()
}

// write writes the report there. A document is not touched if the measurement failed: then the report, which took a
// quarter of an hour, is printed, and nothing else is done. The error of the measurement is returned.
func (d destination) write(r *report, failed error, stdout, stderr io.Writer) error {
	if d.doc.File != "" && failed == nil {
		picture := section.Picture{File: d.picture, Content: drawSVG(r.env, r.results)}
		if err := d.doc.Replace(picture, r.markdown); err != nil {
			return fmt.Errorf("writing the report: %w", err)
		}
		fmt.Fprintf(stderr, "the report is in %s, the picture in %s\n", d.doc.File, d.picture)
		return nil
	}
	if _, err := fmt.Fprintf(stdout, "# Crier beside its peers\n\n%s", r.markdown(2, "")); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if d.doc.File != "" {
		return fmt.Errorf("%w. %s is as it was, and the report is printed", failed, d.doc.File)
	}
	if d.picture != "" {
		if err := os.WriteFile(d.picture, drawSVG(r.env, r.results), 0o644); err != nil {
			return fmt.Errorf("writing the picture: %w", err)
		}
	}
	return failed
}
