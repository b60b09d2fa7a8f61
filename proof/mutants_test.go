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
		name: "resume off by one: an event is doubled",
		file: "hub/cursor.go",
		old:  "if p, ok := r.Find(l.id); ok {\n\t\t\treturn start{after: p}", new: "if p, ok := r.Find(l.id); ok {\n\t\t\treturn start{after: p - 1}",
		pkg: "./hub", run: "TestModel", notices: "doubled, out of order|false gap",
	},
	{
		name: "the law: resume off by one",
		file: "hub/cursor.go",
		old:  "if p, ok := r.Find(l.id); ok {\n\t\t\treturn start{after: p}", new: "if p, ok := r.Find(l.id); ok {\n\t\t\treturn start{after: p + 1}",
		pkg: "./proof", run: "TestLaw", notices: `lost [1-9]`,
	},
	{
		name: "the law: a gap is not told",
		file: "hub/internal/eventlog/read.go",
		old:  "case held && sources.lossy(wanted):", new: "case held && sources.lossy(wanted) && false:",
		pkg: "./proof", run: "TestLaw", notices: `lost [1-9]`,
	},
	{
		name: "a client holds the head before it was told of an unknown gap",
		file: "hub/subscription.go",
		old:  "if s.start.unknown {", new: "if false {",
		pkg: "./hub", run: "TestUnknownGapIsToldAgainAfterACut|TestModel", notices: "FAIL",
	},
	{
		name: "the law: a revoked stream goes on",
		file: "hub/revoke.go",
		old:  "s.endAt(ReasonRevoked, at)", new: "s.Wake()",
		pkg: "./proof", run: "TestLaw", notices: `foreign [1-9]`,
	},
	{
		name: "a revoked stream is given what is published after the revocation",
		file: "hub/subscription.go",
		old:  "min(s.hub.store.Head(), s.until)", new: "s.hub.store.Head()",
		pkg: "./hub", run: "TestModel|TestRevoke", notices: "FAIL",
	},
	{
		name: "a gap is not told",
		file: "hub/internal/eventlog/read.go",
		old:  "case held && sources.lossy(wanted):", new: "case held && sources.lossy(wanted) && false:",
		pkg: "./hub/internal/eventlog", run: "TestModel", notices: "lost without a gap|passed over",
	},
	{
		name: "gaps are not told by category",
		file: "hub/internal/eventlog/ring.go",
		old:  "lost := r.evictedAfter(p, wanted)", new: "lost := r.lost.Load()",
		pkg: "./hub/internal/eventlog", run: "TestModel", notices: "false gap",
	},
	{
		name: "a gap that was told covers categories that are wanted only later",
		file: "hub/internal/eventlog/reader.go",
		old:  "ring.evictedAfter(p, added) > 0 {", new: "ring.evictedAfter(p, added) > 0 && false {",
		pkg: "./hub/internal/eventlog", run: "TestModel", notices: "lost without a gap|passed over",
	},
	{
		name: "the floor of a new log is forgotten",
		file: "hub/internal/eventlog/directory.go",
		old:  "floor := s.kept[Retained].floor.Load()", new: "floor := Position(0)",
		pkg: "./hub/internal/eventlog", run: "TestModel", notices: "lost without a gap|passed over",
	},
	{
		name: "a log forgets at once that short-lived items are gone",
		file: "hub/internal/eventlog/retention.go",
		old:  "if l.lapsed || l == s.everyone {", new: "if true {",
		pkg: "./hub/internal/eventlog", run: "TestModel", notices: "lost without a gap|passed over",
	},
	{
		name: "the head is not looked at again before sleeping",
		file: "hub/internal/eventlog/wake.go",
		old:  "if r.store.head.Load() == head || !r.behind(head) {", new: "if true {",
		pkg: "./hub/internal/eventlog", run: "TestSleepLooks", notices: "asleep for ever",
	},
	{
		name: "the last entry is taken though it is not the only new one",
		file: "hub/internal/eventlog/read.go",
		old:  " || e.after > r.position {", new: " {",
		pkg: "./hub/internal/eventlog", run: "TestModel", notices: "lost without a gap|passed over|was returned",
	},
	{
		name: "the last entry is taken though another log has news too",
		file: "hub/internal/eventlog/read.go",
		old:  "if news != nil {\n\t\t\t\treturn nil, false\n\t\t\t}", new: "",
		pkg: "./hub/internal/eventlog", run: "TestModel", notices: "lost without a gap|passed over",
	},
	{
		name: "the last append is taken though others were made before it",
		file: "hub/internal/eventlog/read.go",
		old:  " && head == r.position+1 {", new: " {",
		pkg: "./hub/internal/eventlog", run: "TestModel", notices: "lost without a gap|passed over",
	},
	{
		name: "the last append stands for a log that was made anew",
		file: "hub/internal/eventlog/retention.go",
		old:  "s.last.CompareAndSwap(e, nil)", new: "",
		pkg: "./hub", run: "TestModel", notices: "lost without a word",
	},
	{
		name: "the last entry is taken from before the reader followed the log",
		file: "hub/internal/eventlog/read.go",
		old:  "f.from[Ephemeral]) <= r.position", new: "f.from[Ephemeral]) <= r.position || true",
		pkg: "./hub/internal/eventlog", run: "TestModel", notices: "not wanted|FAIL",
	},
	{
		name: "what is evicted while it is read without a lock is passed over",
		file: "hub/internal/eventlog/read.go",
		old:  "c.ring.lost.Load() <= c.from && ", new: "",
		pkg: "./hub", run: "TestReadsWhileEvicting", notices: "a gap was told: false|invalid memory",
	},
	{
		name: "two heads, and one item",
		file: "hub/internal/eventlog/read.go",
		old:  "e.position > head || ", new: "",
		pkg: "./hub/internal/eventlog", run: "TestReadStopsAtTheHead", notices: "beyond the head",
	},
	{
		name: "two heads",
		file: "hub/internal/eventlog/read.go",
		old:  "if c == nil || e != nil && e.position > head {", new: "if c == nil {",
		pkg: "./hub/internal/eventlog", run: "TestReadStopsAtTheHead", notices: "beyond the head",
	},
	{
		name: "an item that is in two logs is read twice",
		file: "hub/internal/eventlog/read.go",
		old:  " && e.position > r.position {", new: " {",
		pkg: "./hub/internal/eventlog", run: "TestModel", notices: "doubled|passed over",
	},
	{
		name: "the head moves before the logs",
		file: "hub/internal/eventlog/store.go",
		old:  "\tmade := Millis(item.ID)\n", new: "\tmade := Millis(item.ID)\n\ts.head.Store(p)\n",
		pkg: "./hub/internal/eventlog", run: "TestHeadFollowsTheLogs", notices: "before the log is",
	},
	{
		name: "a reader that was found awake never marks itself again",
		file: "hub/internal/eventlog/index.go",
		old:  "f.inBitmap.Store(false)", new: "",
		pkg: "./hub/internal/eventlog", run: "TestSleepWhileBitIsCleared", notices: "asleep for ever",
	},
	{
		name: "a reader that goes to sleep while its bit is cleared is not woken",
		file: "hub/internal/eventlog/index.go",
		old:  "f.inBitmap.Store(false)\n\t\t\tif f.reader.wakeSleeping() {", new: "f.inBitmap.Store(false)\n\t\t\tif false {",
		pkg: "./hub/internal/eventlog", run: "TestSleepWhileBitIsCleared", notices: "asleep for ever",
	},
	{
		name: "readers that sleep are forgotten when a log gets many",
		file: "hub/internal/eventlog/waiters.go",
		old:  "x.set(f) // it may be asleep already", new: "",
		pkg: "./hub/internal/eventlog", run: "TestManyReadersAreAllWoken", notices: "was not woken",
	},
	{
		name: "a superseded item is still delivered",
		file: "hub/internal/eventlog/retention.go",
		old:  "r.supersede(old)\n\tt.remove(old)", new: "t.remove(old)",
		pkg: "./hub/internal/eventlog", run: "TestModel", notices: "FAIL",
	},
	{
		name: "the id of a superseded item is forgotten",
		file: "hub/internal/eventlog/ring.go",
		old:  "(e.item == nil || e.item.ID == id)", new: "e.item != nil && e.item.ID == id",
		pkg: "./hub/internal/eventlog", run: "TestFindSuperseded", notices: "not found",
	},
	{
		name: "a revocation is checked before the stream can be found",
		file: "hub/subscribe.go",
		old:  "\tif err := h.admit(ctx, s, h.parseLastID(r.After), topics); err != nil {\n\t\treturn nil, err\n\t}\n",
		new:  "\tearly := h.revocations.check(r.Session, r.Authenticated, now)\n\tif err := h.admit(ctx, s, h.parseLastID(r.After), topics); err != nil {\n\t\treturn nil, err\n\t}\n\tif early == \"\" {\n\t\treturn s, nil\n\t}\n",
		pkg:  "./hub", run: "TestRevokeWhileSubscribing", notices: "goes on after the revocation",
	},
	{
		name: "a client widens its filter",
		file: "hub/subscription.go",
		old:  "set &= s.allowed", new: "_ = s.allowed",
		pkg: "./hub", run: "TestModel|TestSetFilter", notices: "not meant for this stream|not allowed",
	},
	{
		name: "an id is looked up in everybody's logs",
		file: "hub/internal/eventlog/reader.go",
		old:  "\tfor _, f := range r.follows {\n\t\tif at, found := f.log.find(id); found {", new: "\tr.store.directory.mu.RLock()\n\tdefer r.store.directory.mu.RUnlock()\n\tfor _, l := range r.store.directory.logs {\n\t\tif at, found := l.find(id); found {",
		pkg: "./hub", run: "TestResume", notices: "another_user",
	},
	{
		name: "a process judges an id before it has caught up",
		file: "hub/subscribe.go",
		old:  "if at.unknown && h.cluster != nil &&", new: "if at.unknown && h.cluster != nil && false &&",
		pkg: "./hub", run: "TestCluster", notices: "seed|got|FAIL",
	},
	{
		name: "a record that is repeated is applied again",
		file: "hub/cluster.go",
		old:  "r.Record.ID == uuid.Nil || !c.seen.add(r.Record.ID)", new: "r.Record.ID == uuid.Nil",
		pkg: "./hub", run: "TestCluster", notices: "seed",
	},
	{
		name: "an epoch is not compared",
		file: "hub/cluster.go",
		old:  "case epoch != tail.Epoch || tail.Last < applied || rewritten:", new: "case rewritten:",
		pkg: "./hub", run: "TestCluster", notices: "seed|got",
	},
	{
		name: "the record at the last applied position is not compared",
		file: "hub/cluster.go",
		old:  "return errRewritten", new: "continue",
		pkg: "./hub", run: "TestClusterRewritten", notices: "got",
	},
	{
		name: "records that were removed before they were applied are passed over",
		file: "hub/cluster.go",
		old:  "case tail.First > applied+1:", new: "case false:",
		pkg: "./hub", run: "TestClusterOvertaken", notices: "got",
	},
	{
		name: "a new epoch replays what streams have had",
		file: "hub/cluster.go",
		old:  "\t\ts.reader.Skip(end)\n", new: "",
		pkg: "./hub", run: "TestCluster", notices: "twice|got",
	},
	{
		name: "an ephemeral item evicts a retained one",
		file: "hub/filter.go",
		old:  "k.class = eventlog.Ephemeral", new: "_ = eventlog.Ephemeral",
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
