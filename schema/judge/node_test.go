package judge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/event/catalog"
	"github.com/crier-go/crier/schema"
	"github.com/crier-go/crier/schema/internal/sample"
)

// missing ends a test that cannot run here: it fails where everything has to be
// there, and else says what is not.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" || os.Getenv("REQUIRE") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// node returns a command that runs a script of a package in npm.
func node(t *testing.T, npm string, script ...string) *exec.Cmd {
	t.Helper()
	program, err := exec.LookPath("node")
	if err != nil {
		missing(t, "there is no Node.js: install version 20 or later (Debian: apt install nodejs npm)")
	}
	if _, err := os.Stat(filepath.Join("npm", "node_modules", npm, "package.json")); err != nil {
		missing(t, "the npm package %s is not installed: run npm ci in schema/judge/npm", npm)
	}
	return exec.CommandContext(t.Context(), program, script...)
}

// A diagnostic is a complaint of the AsyncAPI parser.
type diagnostic struct {
	Severity int
	Message  string
	Path     []any
}

// parseAsyncAPI returns the diagnostics of each document.
func parseAsyncAPI(t *testing.T, documents []string) [][]diagnostic {
	t.Helper()
	in, err := json.Marshal(documents)
	if err != nil {
		t.Fatal(err)
	}
	cmd := node(t, "@asyncapi/parser", filepath.Join("npm", "asyncapi.js"))
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	var all [][]diagnostic
	if err := json.Unmarshal(out, &all); err != nil || len(all) != len(documents) {
		t.Fatalf("%v: %s", err, out)
	}
	return all
}

func TestAsyncAPIParserHasNoComplaint(t *testing.T) {
	contracts := []*schema.Contract{
		contract(t, &sample.Registry, &sample.Options),
		contract(t, &catalog.Registry, nil),
		contract(t, new(event.Registry), nil),
		contract(t, &catalog.Registry, &schema.Options{WebSocket: "-"}),
		contract(t, &catalog.Registry, &schema.Options{SSE: "-", WebSocket: "/a/ws", Host: "example.com:8080"}),
	}
	var documents []string
	for _, c := range contracts {
		document, err := c.AsyncAPI()
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, string(document))
	}
	for i, diagnostics := range parseAsyncAPI(t, documents) {
		for _, d := range diagnostics {
			t.Errorf("document %d: severity %d: %s at %v", i, d.Severity, d.Message, d.Path)
		}
	}
}

// The parser can fail: what is not AsyncAPI is refused.
func TestAsyncAPIParserComplains(t *testing.T) {
	document, err := contract(t, &sample.Registry, &sample.Options).AsyncAPI()
	if err != nil {
		t.Fatal(err)
	}
	var broken []string
	edits := [][2]string{
		{`"action": "send"`, `"action": "shout"`},
		{`"$ref": "#/components/schemas/Scalars"`, `"$ref": "#/components/schemas/None"`},
		{`"type": "boolean"`, `"type": "bool"`},
	}
	for _, e := range edits {
		if !strings.Contains(string(document), e[0]) {
			t.Errorf("the document has no %s", e[0])
		}
		broken = append(broken, strings.Replace(string(document), e[0], e[1], 1))
	}
	for i, diagnostics := range parseAsyncAPI(t, broken) {
		if len(diagnostics) == 0 {
			t.Errorf("no complaint about %s", edits[i][1])
		}
	}
}

// tsc compiles files of TypeScript in a directory of their own, strictly, and
// returns the lines that are wrong: "file.ts:7".
func tsc(t *testing.T, files map[string]string) (wrong []string, output string) {
	t.Helper()
	bin, err := filepath.Abs(filepath.Join("npm", "node_modules", "typescript", "bin", "tsc"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := node(t, "typescript", bin, "--noEmit", "--pretty", "false", "--strict", "--exactOptionalPropertyTypes",
		"--noUncheckedIndexedAccess", "--noImplicitReturns", "--verbatimModuleSyntax",
		"--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler", "--types", "")
	cmd.Dir = t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(cmd.Dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd.Args = append(cmd.Args, name)
	}
	out, err := cmd.CombinedOutput()
	for _, m := range regexp.MustCompile(`(?m)^(\w+\.ts)\((\d+),\d+\): error`).FindAllStringSubmatch(string(out), -1) {
		if line := m[1] + ":" + m[2]; !slices.Contains(wrong, line) {
			wrong = append(wrong, line)
		}
	}
	if (err != nil) != (len(wrong) > 0) {
		t.Fatalf("tsc: %v\n%s", err, out)
	}
	slices.Sort(wrong)
	return wrong, string(out)
}

// Every payload that encoding/json writes compiles as a literal of its type,
// where also a property that the type does not have is an error.
func TestTypeScriptAcceptsWhatIsWritten(t *testing.T) {
	for name, of := range map[string]struct {
		registry *event.Registry
		options  *schema.Options
	}{"sample": {&sample.Registry, &sample.Options}, "catalog": {&catalog.Registry, nil}} {
		var b strings.Builder
		b.WriteString("import type { AnyEvent, Events } from \"./events\";\n")
		i := 0
		for info := range of.registry.All() {
			all, err := payloads(info.Payload, 60)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "export const v%d: Events[%q][] = [\n%s];\n", i, info.Type, bytes.Join(all, []byte(",\n")))
			fmt.Fprintf(&b, "export const e%d: AnyEvent = { type: %q, id: \"1\", data: %s };\n", i, info.Type, all[0])
			i++
		}
		files := map[string]string{"events.ts": string(contract(t, of.registry, of.options).TypeScript()), "values.ts": b.String()}
		if wrong, output := tsc(t, files); len(wrong) > 0 {
			t.Errorf("%s: %d lines do not compile:\n%.4000s", name, len(wrong), output)
		}
	}
}

// What a page writes compiles, and a wrong payload does not: each line of
// page.ts with the comment "wrong" is an error, and no other.
func TestTypeScriptRefusesWrongPayloads(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("testdata", "page.ts"))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	line := 0
	for text := range strings.Lines(string(page)) {
		line++
		if strings.Contains(text, "// wrong") {
			want = append(want, fmt.Sprintf("page.ts:%d", line))
		}
	}
	slices.Sort(want)
	files := map[string]string{"events.ts": string(contract(t, &sample.Registry, &sample.Options).TypeScript()), "page.ts": string(page)}
	got, output := tsc(t, files)
	if !slices.Equal(got, want) {
		t.Errorf("wrong lines:\ngot  %s\nwant %s\n%s", got, want, output)
	}
}
