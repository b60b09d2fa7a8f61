package crier_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// logged finds what the hub and the transports log: the beginning of the message.
var logged = regexp.MustCompile(`(?:Logger\.(?:Error|Warn|Info|Debug)\("crier: |h\.(?:warn|log)\((?:slog\.\w+, )?"|warnOnce\(w, ")([^":]+)`)

// listed finds the messages that docs/logs.md lists.
var listed = regexp.MustCompile(`(?m)^\| (?:error|warn|info|debug) \| (.*?) \|`)

func TestLogLinesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("docs/logs.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, row := range listed.FindAllStringSubmatch(string(page), -1) {
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			documented = append(documented, m[1])
		}
	}
	var source strings.Builder
	for _, dir := range []string{"hub", "transport"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "transporttest") {
				return err
			}
			text, err := os.ReadFile(path)
			source.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	found := logged.FindAllStringSubmatch(source.String(), -1)
	if len(found) < 20 {
		t.Fatalf("found %d log lines in the source", len(found))
	}
	for _, m := range found {
		ok := false
		for _, d := range documented {
			ok = ok || strings.HasPrefix(m[1], d) || strings.HasPrefix(d, m[1])
		}
		if !ok {
			t.Errorf("docs/logs.md does not list %q", m[1])
		}
	}
	for _, d := range documented {
		// What is put together of two parts is there up to its last word.
		if begins := d[:strings.LastIndex(d, " ")+1]; d != "crier" && !strings.Contains(source.String(), d) && !strings.Contains(source.String(), begins) {
			t.Errorf("docs/logs.md lists %q, which is not in the source", d)
		}
	}
}
