package proof

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A mutant is a library that is broken in one place. It exists only while its
// test is compiled, by way of go test's -overlay.
type mutant struct {
	name     string
	file     string // below the module's root
	old, new string // old stands in the file exactly once
	pkg, run string // the test that must notice
	notices  string // and how, a regular expression over its output
}

var mutants = []mutant{
	{
		name: "resume off by one: an event is lost",
		file: "hub/cursor.go",
		old:  "if p, ok := l.find(id); ok {\n\t\t\treturn start{after: p}", new: "if p, ok := l.find(id); ok {\n\t\t\treturn start{after: p + 1}",
		pkg: "./hub", run: "TestModel", notices: "lost without a word",
	},
	{
		name: "resume off by one: an event is doubled",
		file: "hub/cursor.go",
		old:  "if p, ok := l.find(id); ok {\n\t\t\treturn start{after: p}", new: "if p, ok := l.find(id); ok {\n\t\t\treturn start{after: p - 1}",
		pkg: "./hub", run: "TestModel", notices: "doubled, out of order|false gap",
	},
	{
		name: "the law: resume off by one",
		file: "hub/cursor.go",
		old:  "if p, ok := l.find(id); ok {\n\t\t\treturn start{after: p}", new: "if p, ok := l.find(id); ok {\n\t\t\treturn start{after: p + 1}",
		pkg: "./proof", run: "TestLaw", notices: `lost [1-9]`,
	},
	{
		name: "the law: a gap is not told",
		file: "hub/read.go",
		old:  "case held && sources.lossy(hears):", new: "case held && sources.lossy(hears) && false:",
		pkg: "./proof", run: "TestLaw", notices: `lost [1-9]`,
	},
	{
		name: "a client holds the head before it was told of an unknown gap",
		file: "hub/subscription.go",
		old:  "if s.start.unknown {", new: "if false {",
		pkg: "./hub", run: "TestUnknownIsToldAgain|TestModel", notices: "FAIL",
	},
	{
		name: "the law: a revoked stream goes on",
		file: "hub/revoke.go",
		old:  "s.End(ReasonRevoked)", new: "s.Wake()",
		pkg: "./proof", run: "TestLaw", notices: `foreign [1-9]`,
	},
	{
		name: "a gap is not told",
		file: "hub/read.go",
		old:  "case held && sources.lossy(hears):", new: "case held && sources.lossy(hears) && false:",
		pkg: "./hub", run: "TestModel", notices: "lost without a word",
	},
	{
		name: "gaps are not told by category",
		file: "hub/ring.go",
		old:  "for set := wanted; set != 0", new: "lost = max(lost, r.lost.Load())\n\tfor set := wanted; set != 0",
		pkg: "./hub", run: "TestModel", notices: "false gap",
	},
	{
		name: "the floor of a new log is forgotten",
		file: "hub/users.go",
		old:  "l.retained.floor = h.floor.Load()", new: "l.retained.floor = 0",
		pkg: "./hub", run: "TestModel", notices: "lost without a word",
	},
	{
		name: "the head is not looked at again before sleeping",
		file: "hub/subscription.go",
		old:  "if s.hub.head.Load() == head || !s.behind(head) {", new: "if true {",
		pkg: "./hub", run: "TestLooksOnceMore", notices: "asleep for ever",
	},
	{
		name: "the last entry is taken though it is not the only new one",
		file: "hub/read.go",
		old:  " || e.after > s.position {", new: " {",
		pkg: "./hub", run: "TestModel", notices: "lost without a word|which was not taken",
	},
	{
		name: "the last entry is taken though the other log has news too",
		file: "hub/read.go",
		old:  "case s.hub.everyone.newest.Load() <= s.position:", new: "case true:",
		pkg: "./hub", run: "TestModel", notices: "lost without a word",
	},
	{
		name: "an event to everyone is taken though others were published before it",
		file: "hub/read.go",
		old:  " && head == s.position+1:", new: ":",
		pkg: "./hub", run: "TestModel", notices: "lost without a word",
	},
	{
		name: "the last entry is taken again",
		file: "hub/read.go",
		old:  "e.position <= s.position || ", new: "",
		pkg: "./hub", run: "TestModel", notices: "doubled, out of order",
	},
	{
		name: "the last entry is taken from before the stream began",
		file: "hub/read.go",
		old:  "if slices.Max(s.from[:]) > s.position {", new: "if slices.Max(s.from[:]) > s.position && false {",
		pkg: "./hub", run: "TestModel", notices: "not meant for this stream|doubled, out of order|FAIL",
	},
	{
		name: "what is evicted while it is read without a lock is passed over",
		file: "hub/read.go",
		old:  "c.ring.lost.Load() <= c.from && ", new: "",
		pkg: "./hub", run: "TestReadsWhileEvicting", notices: "a gap was told: false|invalid memory",
	},
	{
		name: "two heads, and one event",
		file: "hub/read.go",
		old:  "e.position > head || ", new: "",
		pkg: "./hub", run: "TestReadsNoFurther", notices: "beyond the head",
	},
	{
		name: "two heads",
		file: "hub/read.go",
		old:  "if first == nil || e != nil && e.position > head {", new: "if first == nil {",
		pkg: "./hub", run: "TestReadsNoFurther", notices: "beyond the head",
	},
	{
		name: "the head moves before the log",
		file: "hub/publish.go",
		old:  "\th.append(h.everyone, p, m)\n\th.head.Store(p)\n", new: "\th.head.Store(p)\n\th.append(h.everyone, p, m)\n",
		pkg: "./hub", run: "TestHeadFollowsTheLogs", notices: "before the log is",
	},
	{
		name: "who was found awake never puts itself back",
		file: "hub/index.go",
		old:  "s.listed.Store(false)", new: "_ = s",
		pkg: "./hub", run: "TestModel", notices: "was to be: true",
	},
	{
		name: "who lies down while it is taken out of the bitmap is not woken",
		file: "hub/index.go",
		old:  "s.listed.Store(false)\n\t\t\tif s.wakeUp() {", new: "s.listed.Store(false)\n\t\t\tif false {",
		pkg: "./hub", run: "TestLiesDownWhileUnlisted", notices: "asleep for ever",
	},
	{
		name: "a revocation is checked before the stream can be found",
		file: "hub/subscribe.go",
		old:  "\tif err := h.admit(s, r.After); err != nil {\n\t\treturn nil, err\n\t}\n",
		new:  "\tearly := h.revocations.check(r.Session, r.Authenticated, now)\n\tif err := h.admit(s, r.After); err != nil {\n\t\treturn nil, err\n\t}\n\tif early == \"\" {\n\t\treturn s, nil\n\t}\n",
		pkg:  "./hub", run: "TestRevokeWhileSubscribing", notices: "goes on after the revocation",
	},
	{
		name: "a client widens its filter",
		file: "hub/subscription.go",
		old:  "set &= s.allowed", new: "_ = s.allowed",
		pkg: "./hub", run: "TestModel|TestSetFilter", notices: "not meant for this stream|not allowed",
	},
	{
		name: "an id is looked up in somebody else's log",
		file: "hub/cursor.go",
		old:  "if p, ok := h.everyone.find(id); ok {", new: "for _, other := range h.users.logs {\n\t\t\tif p, ok := other.find(id); ok {\n\t\t\t\treturn start{after: p}\n\t\t\t}\n\t\t}\n\t\tif p, ok := h.everyone.find(id); ok {",
		pkg: "./hub", run: "TestResume", notices: "another_user",
	},
	{
		name: "an ephemeral event pushes out a retained one",
		file: "hub/log.go",
		old:  "if !ephemeral {\n\t\treturn &l.retained", new: "if true {\n\t\treturn &l.retained",
		pkg: "./hub", run: "TestEphemeral|TestModel", notices: "FAIL",
	},
}

// TestMutants breaks the library in one place after the other, and expects the
// test that is there for it to fail, and to say why.
func TestMutants(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			file := filepath.Join(root, m.file)
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(source), m.old); n != 1 {
				t.Fatalf("%s has the place to break %d times; this mutant needs to be written anew", m.file, n)
			}
			dir := t.TempDir()
			broken := filepath.Join(dir, "broken.go")
			write(t, broken, []byte(strings.Replace(string(source), m.old, m.new, 1)))
			overlay, err := json.Marshal(map[string]map[string]string{"Replace": {file: broken}})
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "overlay.json"), overlay)

			cmd := exec.CommandContext(t.Context(), "go", "test", "-overlay", filepath.Join(dir, "overlay.json"), "-count=1", "-timeout=60s", "-run", m.run, m.pkg)
			cmd.Dir = root
			out, err := cmd.CombinedOutput()
			switch {
			case err == nil:
				t.Errorf("%s %s does not notice", m.pkg, m.run)
			case strings.Contains(string(out), "[build failed]"):
				t.Errorf("the mutant does not compile:\n%s", out)
			case !regexp.MustCompile(m.notices).Match(out):
				t.Errorf("it fails, but not with %q:\n%s", m.notices, out)
			}
		})
	}
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
