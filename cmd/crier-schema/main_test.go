package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/schema"
)

type before struct {
	From string `json:"from"`
	Text string `json:"text"`
}

type after struct {
	From string  `json:"from"`
	Mood *string `json:"mood,omitempty"`
}

// file writes the contract of one type to a file.
func file[T any](t *testing.T, name string) string {
	t.Helper()
	var r event.Registry
	event.Define[T](&r, "chat", "chat.message.posted", "Somebody wrote a message.")
	path := filepath.Join(t.TempDir(), name)
	if err := schema.Write(&r, schema.Files{Contract: path}, nil); err != nil {
		t.Fatal(err)
	}
	return path
}

// A result is what the command did.
type result struct {
	code           int
	stdout, stderr string
}

func crierSchema(stdin string, args ...string) result {
	var out, problems bytes.Buffer
	code := run(args, strings.NewReader(stdin), &out, &problems)
	return result{code, out.String(), problems.String()}
}

func TestDiffPrintsLines(t *testing.T) {
	old, current := file[before](t, "old.json"), file[after](t, "new.json")
	want := result{1, "BREAKING  chat.message.posted: data.text was removed\n" +
		"ok        chat.message.posted: data.mood is new and optional\n" +
		"breaking changes: 1, others: 1\n", ""}
	if got := crierSchema("", "diff", old, current); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	want = result{0, "breaking changes: 0, others: 0\n", ""}
	if got := crierSchema("", "diff", old, old); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestDiffPrintsJSON(t *testing.T) {
	old, current := file[before](t, "old.json"), file[after](t, "new.json")
	got := crierSchema("", "diff", "-json", old, current)
	const want = `{
  "breaking": 1,
  "changes": [
    {
      "breaking": true,
      "change": "field_removed",
      "type": "chat.message.posted",
      "path": "data.text",
      "text": "chat.message.posted: data.text was removed"
    },
    {
      "breaking": false,
      "change": "optional_field_added",
      "type": "chat.message.posted",
      "path": "data.mood",
      "text": "chat.message.posted: data.mood is new and optional"
    }
  ]
}
`
	if got != (result{1, want, ""}) {
		t.Errorf("got  %+v\nwant %s", got, want)
	}
	got = crierSchema("", "diff", "-json", old, old)
	if !json.Valid([]byte(got.stdout)) || !strings.Contains(got.stdout, `"changes": []`) || got.code != 0 {
		t.Errorf("no change: %+v", got)
	}
}

func TestDiffReadsStandardInput(t *testing.T) {
	old, current := file[before](t, "old.json"), file[after](t, "new.json")
	b, err := os.ReadFile(old)
	if err != nil {
		t.Fatal(err)
	}
	if got := crierSchema(string(b), "diff", "-", current); got.code != 1 || got.stderr != "" {
		t.Errorf("as the old one: %+v", got)
	}
	if got := crierSchema(string(b), "diff", old, "-"); got.code != 0 || got.stderr != "" {
		t.Errorf("as the new one: %+v", got)
	}
}

func TestMisuseExitsWith2(t *testing.T) {
	good := file[before](t, "good.json")
	for _, tt := range []struct {
		name  string
		stdin string
		args  []string
		want  string // in stderr
	}{
		{"no command", "", nil, "usage:"},
		{"another command", "", []string{"patch", good, good}, "usage:"},
		{"one file", "", []string{"diff", good}, "usage:"},
		{"three files", "", []string{"diff", good, good, good}, "usage:"},
		{"standard input twice", "", []string{"diff", "-", "-"}, "usage:"},
		{"another flag", "", []string{"diff", "-xml", good, good}, "usage:"},
		{"a flag behind the files", "", []string{"diff", good, good, "-json"}, "usage:"},
		{"no such file", "", []string{"diff", good, good + ".no"}, "good.json.no"},
		{"a directory", "", []string{"diff", filepath.Dir(good), good}, "is a directory"},
		{"not JSON", "<html>", []string{"diff", good, "-"}, "standard input: schema: not a contract file: it is not JSON"},
		{"nothing", "", []string{"diff", "-", good}, "standard input: schema: not a contract file: it is empty"},
		{"another JSON", `{"name":"app"}`, []string{"diff", "-", good}, "not a contract file"},
		{"too large", strings.Repeat(" ", maxFile+1), []string{"diff", "-", good}, "standard input: larger than"},
	} {
		got := crierSchema(tt.stdin, tt.args...)
		if got.code != 2 || got.stdout != "" || !strings.Contains(got.stderr, tt.want) {
			t.Errorf("%s: got %+v, want 2 and %q", tt.name, got, tt.want)
		}
	}
}

func TestHelpExitsWith0(t *testing.T) {
	for _, args := range [][]string{{"-h"}, {"--help"}, {"help"}} {
		if got := crierSchema("", args...); got != (result{0, usage, ""}) {
			t.Errorf("%s: %+v", args, got)
		}
	}
	if got := crierSchema("", "diff", "-h"); got.code != 0 {
		t.Errorf("diff -h: %+v", got)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

// A report that nobody could read is not a success.
func TestFailedWriteExitsWith2(t *testing.T) {
	f := file[before](t, "old.json")
	for _, args := range [][]string{{"diff", f, f}, {"diff", "-json", f, f}} {
		var problems bytes.Buffer
		if code := run(args, strings.NewReader(""), full{}, &problems); code != 2 {
			t.Errorf("%s: %d, %s", args, code, &problems)
		}
	}
}
