package e2e

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

var chromium = flag.String("chromium", "", "the browser's `program`; by default, Chromium or Chrome under one of their names")

// tempDir is for what all tests share; shots is where screenshots go.
var tempDir, shots string

func TestMain(m *testing.M) {
	flag.Parse()
	// Tests mostly wait, for servers that restart and clients that come back.
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
		parallel.Value.Set("6")
	}
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	shots = os.Getenv("CRIER_SHOTS")
	if shots == "" {
		shots = "out"
	}
	err := os.MkdirAll(shots, 0o755)
	if err == nil {
		shots, err = filepath.Abs(shots)
	}
	if err == nil {
		tempDir, err = os.MkdirTemp("", "crier-e2e-")
	}
	if err != nil {
		return fail(err)
	}
	old, _ := filepath.Glob(filepath.Join(shots, "failed-*.png"))
	for _, file := range old {
		os.Remove(file)
	}
	defer os.RemoveAll(tempDir)
	code = m.Run()
	if err := closeBrowser(); err != nil {
		return fail(err)
	}
	return code
}

// missing ends a test that cannot run here: it fails where everything has to be
// there, and else says what is not.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" || os.Getenv("REQUIRE") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
