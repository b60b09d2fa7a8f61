package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/crier-go/crier/bench/internal/section"
)

const testDocument = "# A\n## B\n<!-- capacity: x -->\nold\n<!-- /capacity -->\nprose\n"

func TestReportIntoDocument(t *testing.T) {
	dir := t.TempDir()
	file, picture := filepath.Join(dir, "DOC.md"), filepath.Join(dir, "bench", "capacity.svg")
	if err := os.WriteFile(file, []byte(testDocument), 0o666); err != nil {
		t.Fatal(err)
	}
	contents := func() string {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	_, to, err := parse([]string{"-into", file}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}

	var stdout, stderr bytes.Buffer
	broken := errors.New("broken")
	if err := to.write(sample(), broken, &stdout, &stderr); !errors.Is(err, broken) || !strings.Contains(err.Error(), file) {
		t.Errorf("of a failed measurement: %v", err)
	}
	if got := contents(); got != testDocument {
		t.Errorf("after a failed measurement the document is\n%s", got)
	}
	if _, err := os.Stat(picture); !os.IsNotExist(err) {
		t.Errorf("after a failed measurement there is a picture, or: %v", err)
	}
	if !strings.Contains(stdout.String(), "This machine holds") {
		t.Errorf("printed:\n%s", &stdout)
	}

	if err := to.write(sample(), nil, &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	text := contents()
	for _, want := range []string{
		"# A\n## B\n<!-- capacity: x -->\n\nThis machine holds", "](bench/capacity.svg)", "\n<!-- /capacity -->\nprose\n",
		"\n|  | SSE | SSE, lean | WebSocket |\n|---|---:|---:|---:|\n| clients held | 8,000 | 8,000 | - |\n",
		"\n| most deliveries/s | 32,000 | - | - |\n", "a <machine>", "Other programs used 30 %",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing from:\n%s", want, text)
		}
	}
	if svg, err := os.ReadFile(picture); err != nil || !bytes.HasPrefix(svg, []byte("<svg")) {
		t.Errorf("the picture: %.20q, %v", svg, err)
	}
}

// What cannot be written in the end is refused before anything is measured.
func TestRefusesDestinations(t *testing.T) {
	dir := t.TempDir()
	fit, unfit := filepath.Join(dir, "fit.md"), filepath.Join(dir, "unfit.md")
	for file, text := range map[string]string{fit: testDocument, unfit: "# A\n"} {
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for want, args := range map[string][]string{
		"all transports":                {"-into", fit, "-transports", "sse,ws"},
		"wants a picture":               {"-into", fit, "-svg", ""},
		`there is no section "capacity`: {"-into", unfit},
		"no such file":                  {"-into", filepath.Join(dir, "none.md")},
	} {
		if _, _, err := parse(args, os.Stderr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want an error with %q", args, err, want)
		}
	}
	other := filepath.Join(dir, "other.svg")
	if _, to, err := parse([]string{"-into", fit, "-svg", other}, os.Stderr); err != nil || to.picture != other {
		t.Errorf("-svg: %q, %v", to.picture, err)
	}
}

// The document of this repository is fit.
func TestBenchmarks(t *testing.T) {
	doc := section.Section{File: filepath.Join("..", "..", "BENCHMARKS.md"), Name: "capacity"}
	if err := doc.Check(); err != nil {
		t.Error(err)
	}
}
