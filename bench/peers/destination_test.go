package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/crier-go/crier/bench/internal/section"
)

const testDocument = "# A\n## B\n<!-- peers: x -->\nold\n<!-- /peers -->\nprose\n"

// writeDocument returns the name of a new document.
func writeDocument(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "DOC.md")
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestReportIntoDocument(t *testing.T) {
	file := writeDocument(t, testDocument)
	picture := filepath.Join(filepath.Dir(file), "bench", "peers.svg")
	to := destination{section.Section{File: file, Name: "peers"}, picture}
	rep := &report{testEnvironment(), []result{testResult()}}
	contents := func() string {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}

	var stdout, stderr bytes.Buffer
	broken := errors.New("broken")
	if err := to.write(rep, broken, &stdout, &stderr); !errors.Is(err, broken) || !strings.Contains(err.Error(), file) {
		t.Errorf("of a failed measurement: %v", err)
	}
	if got := contents(); got != testDocument {
		t.Errorf("after a failed measurement the document is\n%s", got)
	}
	if _, err := os.Stat(picture); !os.IsNotExist(err) {
		t.Errorf("after a failed measurement there is a picture, or: %v", err)
	}
	if !strings.HasPrefix(stdout.String(), "# Crier") || !strings.Contains(stdout.String(), "\n## A <scenario>\n") {
		t.Errorf("printed:\n%s", &stdout)
	}

	stdout.Reset()
	if err := to.write(rep, nil, &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	text := contents()
	for _, want := range []string{"# A\n## B\n<!-- peers: x -->\n", "\n### A <scenario>\n", "](bench/peers.svg)", "\n<!-- /peers -->\nprose\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing from:\n%s", want, text)
		}
	}
	if svg, err := os.ReadFile(picture); err != nil || !bytes.HasPrefix(svg, []byte("<svg")) {
		t.Errorf("the picture: %.20q, %v", svg, err)
	}
	if stdout.Len() > 0 {
		t.Errorf("printed:\n%s", &stdout)
	}
}

// What cannot be written in the end is refused before anything is measured.
func TestRefusesBeforeMeasuring(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // what is not refused must not run for a quarter of an hour
	fit, unfit := writeDocument(t, testDocument), writeDocument(t, "# A\n")
	for want, args := range map[string][]string{
		"all scenarios":                    {"-into", fit, "-scenarios", "encode,fanout"},
		"and all peers":                    {"-into", fit, "-peers", "crier,gws"},
		`there is no section "peers"`:      {"-into", unfit},
		"no such file":                     {"-into", unfit + ".none"},
		"must be positive":                 {"-rounds", "0"},
		"\"more\" is not a flag":           {"more"},
		`unknown scenario "smoke"`:         {"-scenarios", "smoke"},
		`unknown peer "smoke"; the peers`:  {"-peers", "smoke"},
		"flag provided but not defined: -": {"-smoke"},
	} {
		var stdout, stderr bytes.Buffer
		err := run(ctx, args, &stdout, &stderr)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want an error with %q", args, err, want)
		}
		if strings.Contains(stderr.String(), "[1/") || stdout.Len() > 0 {
			t.Errorf("%q: something was measured:\n%s%s", args, &stderr, &stdout)
		}
	}
	if text, err := os.ReadFile(fit); err != nil || string(text) != testDocument {
		t.Errorf("the document has become %q, %v", text, err)
	}
}

// The document of this repository is fit.
func TestBenchmarks(t *testing.T) {
	doc := section.Section{File: filepath.Join("..", "..", "BENCHMARKS.md"), Name: "peers"}
	if err := doc.Check(); err != nil {
		t.Error(err)
	}
}
