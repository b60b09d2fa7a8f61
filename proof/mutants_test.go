package proof

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/crier-go/crier/proof/interleave"
)

// A mutant is a library that is broken in one place. It exists only in a test
// binary that is compiled by way of go test's -overlay.
type mutant struct {
	name     string
	file     string // below the module's root
	old, new string // old stands in the file exactly once
	pkg, run string // the test that must notice
	notices  string // and how, a regular expression over its output
}

// stress is the package whose tests run on a hub with yields, and wrong is what
// they say of a hub that breaks its promises. A reader that looks at an entry
// which is gone may also panic.
const (
	stress = "./proof/interleave/stress"
	wrong  = "lost without a gap|asleep for ever|doubled|late:|foreign:|different orders|nothing is missing|panic:"
)

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
		name: "the law: a stream that left a topic goes on with it",
		file: "hub/topics.go",
		old:  "s.reader.Unfollow(eventlog.Key{Name: topic})", new: "_ = topic",
		pkg: "./proof", run: "TestLaw", notices: `foreign [1-9]`,
	},
	{
		name: "the law: a stream is not let join",
		file: "hub/topics.go",
		old:  "\t\ts.changeTopics(append(topics, topic), nil, nil)", new: "",
		pkg: "./proof", run: "TestLaw", notices: `late [1-9]`,
	},
	{
		name: "the law: everybody may follow everything",
		file: "hub/topics.go",
		old:  "forbidden = forbidden.forbid(topic, err)", new: "",
		pkg: "./proof", run: "TestLaw", notices: `foreign [1-9]`,
	},
	{
		name: "two changes of topics are told as one",
		file: "hub/topics.go",
		old:  "s.announceFilter(false, ref)", new: "s.announceFilter(true, ref)",
		pkg: "./hub", run: "TestSeveralChangesBetweenTwoTakes", notices: "FAIL",
	},
	{
		name: "a filter is set behind what was skipped",
		file: "hub/topics.go",
		old:  "if !s.announcing() {\n\t\t\ts.skip() // what", new: "if true {\n\t\t\ts.skip() // what",
		pkg: "./hub", run: "TestSeveralChangesBetweenTwoTakes", notices: "is in force from",
	},
	{
		name: "changes of a stream that is never taken pile up",
		file: "hub/subscription.go",
		old:  "len(s.pending) >= mostPending", new: "false",
		pkg: "./hub", run: "TestManyChangesBetweenTwoTakes", notices: "messages",
	},
	{
		name: "the law: an item that reaches a reader by two logs comes twice",
		file: "hub/internal/eventlog/read.go",
		old:  " && e.position > r.position {", new: " {",
		pkg: "./proof", run: "TestLaw", notices: `doubled [1-9]`,
	},
	{
		name: "the law: ephemeral items are replayed",
		file: "hub/internal/eventlog/reader.go",
		old:  "f.from[Ephemeral] = r.store.head.Load()", new: "f.from[Ephemeral] = 0",
		pkg: "./proof", run: "TestLaw", notices: `foreign [1-9]`,
	},
	{
		name: "the law: ephemeral events have an id",
		file: "event/encode.go",
		old:  "if !e.Ephemeral() {", new: "if true {",
		pkg: "./proof", run: "TestLaw", notices: `wrong [1-9]`,
	},
	{
		name: "the law: values of different keys supersede each other",
		file: "hub/message.go",
		old:  " + e.Key()", new: "",
		pkg: "./proof", run: "TestLaw", notices: `lost [1-9]|late [1-9]`,
	},
	{
		name: "the law: a revoked stream is given no last words",
		file: "hub/subscription.go",
		old:  "s.finish(reason, true, at)", new: "s.finish(reason, false, at)",
		pkg: "./proof", run: "TestLaw", notices: `lost [1-9]|late [1-9]`,
	},
	{
		name: "the law: a restored hub has forgotten what it had lost",
		file: "hub/internal/eventlog/snapshot.go",
		old:  "r.lost.Store(lost.Lost)", new: "",
		pkg: "./proof", run: "TestLaw", notices: `lost [1-9]`,
	},
	{
		name: "the law: a restored hub takes another identity",
		file: "hub/save.go",
		old:  "\th.cursors.Store(next)\n", new: "\t_ = next\n",
		pkg: "./proof", run: "TestLaw", notices: `lost [1-9]`,
	},
	{
		name: "a state that is restored twice gives out the same positions",
		file: "hub/cursor.go",
		old:  "until := head + 1<<32 + binary.BigEndian.Uint64(b[:])>>20", new: "until := head",
		pkg: "./hub", run: "TestRestoringTwiceIsAGap", notices: `got \["c"\]`,
	},
	{
		name: "the law: a gap is told where nothing is missing",
		file: "hub/cursor.go",
		old:  "if p, ok := r.Find(l.id); ok {\n\t\t\treturn start{after: p}", new: "if p, ok := r.Find(l.id); ok && p == 0 {\n\t\t\treturn start{after: p}",
		pkg: "./proof", run: "TestLaw", notices: `false gaps [1-9]`,
	},
	{
		name: "the law: an append to a topic wakes nobody",
		file: "hub/internal/eventlog/store.go",
		old:  "\t\t\twoken += l.readers.wake(item.mask())\n", new: "\t\t\tif l.key.Name == \"\" {\n\t\t\t\twoken += l.readers.wake(item.mask())\n\t\t\t}\n",
		pkg: "./proof", run: "TestLaw", notices: `late [1-9]`,
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
		old:  "if s.last.Load() == e {", new: "if false {",
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
		pkg: "./hub/internal/eventlog", run: "TestModel", notices: "invalid memory",
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
		old:  "\tif err := h.admit(ctx, s, after, r.FromOldest, topics); err != nil {\n\t\treturn nil, err\n\t}\n",
		new:  "\tearly := h.revocations.check(r.Session, r.Authenticated, now)\n\tif err := h.admit(ctx, s, after, r.FromOldest, topics); err != nil {\n\t\treturn nil, err\n\t}\n\tif early == \"\" {\n\t\treturn s, nil\n\t}\n",
		pkg:  "./hub", run: "TestRevokeWhileSubscribing", notices: "goes on after the revocation",
	},
	{
		name: "a client widens its filter",
		file: "hub/topics.go",
		old:  "set &= s.allowed", new: "_ = s.allowed",
		pkg: "./hub", run: "TestModel|TestSetFilter|TestFilterAndTopicsAtOnce", notices: "not meant for this stream|not allowed",
	},
	{
		name: "an answer to a change of filter lacks its ref",
		file: "hub/subscription.go",
		old:  "m.control.ref = ref", new: "",
		pkg: "./hub", run: "TestChangeIsAnsweredWithItsRef", notices: "FAIL",
	},
	{
		name: "of several topics only the last forbidden one is named",
		file: "hub/audience.go",
		old:  "e.Topics = append(e.Topics, topic)", new: "e.Topics = []string{topic}",
		pkg: "./transport", run: "TestTopicsInTheQuery", notices: "names the topics",
	},
	{
		name: "an id is looked up in everybody's logs",
		file: "hub/internal/eventlog/reader.go",
		old:  "\tfor _, f := range r.follows {\n\t\tif at, found := f.log.find(id); found {", new: "\tr.store.directory.mu.RLock()\n\tdefer r.store.directory.mu.RUnlock()\n\tfor l := range r.store.directory.all {\n\t\tif at, found := l.find(id); found {",
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
		file: "hub/apply.go",
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
		file: "hub/apply.go",
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
	// What only schedules with yields show, see package interleave.
	{
		name: "intact does not look at first",
		file: "hub/internal/eventlog/read.go",
		old:  " && c.ring.first.Load() <= c.start &&", new: " &&",
		pkg: stress, run: "TestOracle/evicting", notices: wrong,
	},
	{
		name: "intact does not look at compactions",
		file: "hub/internal/eventlog/read.go",
		old:  "c.rebuilt&1 == 0 && c.ring.rebuilt.Load() == c.rebuilt", new: "true",
		pkg: stress, run: "TestOracle/latest", notices: wrong,
	},
	{
		name: "an id is not looked up again after a compaction",
		file: "hub/internal/eventlog/ring.go",
		old:  "before&1 == 0 && r.rebuilt.Load() == before {", new: "before == before {",
		pkg: stress, run: "TestOracle/latest", notices: wrong,
	},
	{
		name: "a publish goes to a log that was dropped",
		file: "hub/internal/eventlog/store.go",
		old:  "case l.dropped:", new: "case false:",
		pkg: stress, run: "TestLogsComeAndGo", notices: wrong,
	},
	{
		name: "a reader follows a log that was dropped",
		file: "hub/internal/eventlog/reader.go",
		old:  "\ts.mu.Lock()\n\tdefer s.mu.Unlock()\n\tfor _, key := range keys {\n\t\tr.followLocked(key)\n\t}\n",
		new:  "\tfor _, key := range keys {\n\t\tr.followLocked(key)\n\t}\n",
		pkg:  stress, run: "TestLogsComeAndGo", notices: wrong,
	},
	{
		name: "a log that is followed is dropped",
		file: "hub/internal/eventlog/directory.go",
		old:  " || l.readers.count.Load() > 0", new: "",
		pkg: stress, run: "TestLogsComeAndGo", notices: wrong,
	},
	{
		name: "Wake does not look a second time",
		file: "hub/internal/eventlog/wake.go",
		old:  "r.wakeRequested.Store(true)\n\tr.wakeSleeping()", new: "r.wakeRequested.Store(true)",
		pkg: stress, run: "TestSleepers/^list", notices: "asleep for ever",
	},
	{
		name: "two who wake a reader both signal it",
		file: "hub/internal/eventlog/wake.go",
		old:  "if s.asleep.Load() && s.asleep.CompareAndSwap(true, false) {", new: "if s.asleep.Load() {\n\t\ts.asleep.Store(false)",
		pkg: stress, run: "TestSleepers/^list", notices: "although it was awake",
	},
	{
		name: "a reader that wakes by itself is signalled, too",
		file: "hub/internal/eventlog/wake.go",
		old:  "return !r.asleep.CompareAndSwap(true, false)", new: "r.asleep.Store(false)\n\treturn false",
		pkg: stress, run: "TestSleepers/^list", notices: "although it was awake",
	},
	{
		name: "the summary bit is not restored",
		file: "hub/internal/eventlog/index.go",
		old:  "if g.words[w].Load() != 0 { // another", new: "if false { // another",
		pkg: stress, run: "TestSleepers/nearly_empty_index", notices: wrong,
	},
	{
		name: "inBitmap is set after the bit",
		file: "hub/internal/eventlog/index.go",
		old:  "f.inBitmap.Store(true) // before the bit: whoever clears that clears this\n\tx.set(f)", new: "x.set(f)\n\tf.inBitmap.Store(true)",
		pkg: stress, run: "TestSleepers/nearly_empty_index", notices: wrong,
	},
	{
		name: "inBitmap is cleared before the bit",
		file: "hub/internal/eventlog/index.go",
		old:  "\tif g.words[w].And(^awake) == awake { // that was all of the word\n",
		new:  "\tfor set := awake; set != 0; set &= set - 1 {\n\t\tif f := g.slots[w*64+bits.TrailingZeros64(set)].Load(); f != nil {\n\t\t\tf.inBitmap.Store(false)\n\t\t\tif f.reader.wakeSleeping() {\n\t\t\t\twoken++\n\t\t\t}\n\t\t}\n\t}\n\tif prior := awake; g.words[w].And(^prior) == prior {\n\t\tawake = 0\n",
		pkg:  stress, run: "TestSleepers/nearly_empty_index", notices: wrong,
	},
	{
		name: "wanted is not looked at again",
		file: "hub/internal/eventlog/index.go",
		old:  "for x.wanted.Load() != 0 && x.waking.CompareAndSwap(false, true) {", new: "if x.waking.CompareAndSwap(false, true) {",
		pkg: stress, run: "TestSleepers/nearly_empty_index", notices: wrong,
	},
	{
		name: "an index that was made meanwhile is not looked at",
		file: "hub/internal/eventlog/waiters.go",
		old:  "x != nil { // made meanwhile", new: "x != nil && false {",
		pkg: stress, run: "TestSleepers/from_list_to_index", notices: wrong,
	},
	{
		name: "the head moves when the lock is given back",
		file: "hub/internal/eventlog/store.go",
		old:  "s.head.Store(p) // after the logs\n\ts.mu.Unlock()", new: "s.mu.Unlock()\n\ts.head.Store(p)",
		pkg: stress, run: "TestOracle/list", notices: wrong,
	},
	{
		name: "a ring shows its new array before it is filled",
		file: "hub/internal/eventlog/ring.go",
		old:  "\tfor i := r.first.Load(); i < r.next.Load(); i++ {\n\t\tto.at(i).Store(r.at(i))\n\t}\n\tr.slots.Store(to)",
		new:  "\told := r.slots.Load()\n\tr.slots.Store(to)\n\tfor i := r.first.Load(); i < r.next.Load(); i++ {\n\t\tto.at(i).Store(old.at(i).Load())\n\t}",
		pkg:  stress, run: "TestOracle/list", notices: wrong,
	},

	// What a test of one thing shows.
	{
		name: "a Wake of a reader that is awake is forgotten",
		file: "hub/internal/eventlog/wake.go",
		old:  "if r.wakeRequested.Load() && ", new: "if false && ",
		pkg: "./hub", run: "TestWakeOnlySleepersThatWantIt", notices: "was lost",
	},
	{
		name: "Explain judges by the present filter",
		file: "hub/trail.go",
		old:  "if p <= e.until {", new: "if false {",
		pkg: "./hub", run: "TestExplain", notices: "and it took the event",
	},
	{
		name: "a gap that another log hides is not remembered",
		file: "hub/subscription.go",
		old:  "s.noteGap(min(before, p), p)", new: "if p > before {\n\t\t\t\t\ts.noteGap(before, p)\n\t\t\t\t}",
		pkg: "./hub", run: "TestExplain", notices: "and it took the event",
	},
	{
		name: "Explain takes what a stream's start missed for seen",
		file: "hub/verdict.go",
		old:  "case e.after < x.trail.from || x.until < e.upTo:", new: "case x.until < e.upTo:",
		pkg: "./hub", run: "TestExplain", notices: "and it took the event",
	},
	{
		name: "of two kinds that age, the timer is set for the first",
		file: "hub/internal/eventlog/retention.go",
		old:  "if next == 0 || at < next {", new: "if next == 0 {",
		pkg: "./hub/internal/eventlog", run: "TestEachClassAges", notices: "too old",
	},
	{
		name: "a timer that is set is not set earlier",
		file: "hub/internal/eventlog/retention.go",
		old:  "if s.ageingAt != 0 && s.ageingAt <= at {", new: "if s.ageingAt != 0 {",
		pkg: "./hub/internal/eventlog", run: "TestEachClassAges", notices: "too old",
	},
	{
		name: "a shared message is paid for by each log",
		file: "hub/internal/eventlog/retention.go",
		old:  "if e.item.refs == 0 {\n\t\tt.bytes += e.item.Cost\n\t}", new: "t.bytes += e.item.Cost",
		pkg: "./hub", run: "TestSharedMessageCostsOnce", notices: "bytes, not",
	},
	{
		name: "a shared message is given back by each log",
		file: "hub/internal/eventlog/retention.go",
		old:  "if e.item.refs == 0 {\n\t\tt.bytes -= e.item.Cost\n\t}", new: "t.bytes -= e.item.Cost",
		pkg: "./hub", run: "TestSharedMessageCostsOnce", notices: "bytes are left",
	},
	{
		name: "an append to several logs passes for one to the last of them",
		file: "hub/internal/eventlog/store.go",
		old:  "if len(keys) > 1 {\n\t\tlast = nil\n\t}", new: "",
		pkg: "./hub/internal/eventlog", run: "TestModel", notices: "lost without a gap|passed over",
	},
	{
		name: "a large item evicts itself",
		file: "hub/internal/eventlog/retention.go",
		old:  "t.oldest.Load() != e {", new: "t.oldest.Load() != nil {",
		pkg: "./hub/internal/eventlog", run: "TestLargeItem", notices: "reads",
	},
	{
		name: "a lapse that was renewed is forgotten",
		file: "hub/internal/eventlog/retention.go",
		old:  "r.len() == 0 && r.lost.Load() > oldest.lost {", new: "r.len() < 0 {",
		pkg: "./hub/internal/eventlog", run: "TestLapseIsRenewed", notices: "lost without a gap",
	},
	{
		name: "an item that was appended late is not found",
		file: "hub/internal/eventlog/ring.go",
		old:  "latest := made + r.disorder.Load()", new: "latest := made",
		pkg: "./hub/internal/eventlog", run: "TestModel", notices: "FAIL",
	},
	{
		name: "a stream that is slow while it drains goes on",
		file: "hub/subscription.go",
		old:  "case s.draining && !drain: // more", new: "case false: // more",
		pkg: "./hub", run: "TestEndWhileDraining", notices: "got",
	},
	{
		name: "a shutdown gives a revoked stream more",
		file: "hub/subscription.go",
		old:  "case s.over == \"\":\n\t\ts.over, s.draining, s.until", new: "case s.over == \"\" || s.draining:\n\t\ts.over, s.draining, s.until",
		pkg: "./hub", run: "TestEndWhileDraining", notices: "got",
	},
	{
		name: "the timer of an expiry goes on after Close",
		file: "hub/subscription.go",
		old:  "s.expiry.Stop()", new: "",
		pkg: "./hub", run: "TestClosedStreamIsCollected", notices: "is held",
	},
	{
		name: "revocations are forgotten after one generation",
		file: "hub/revoke.go",
		old:  "r.now, r.past, r.turned = nil, r.now, at", new: "r.now, r.past, r.turned = nil, nil, at",
		pkg: "./hub", run: "TestSubscribeRefusedWhenRevoked", notices: "before the revocation",
	},
	{
		name: "a revocation at the moment of the authentication is passed over",
		file: "hub/revoke.go",
		old:  "!revoked.Before(authenticated)", new: "revoked.After(authenticated)",
		pkg: "./hub", run: "TestSubscribeRefusedWhenRevoked", notices: "before the revocation",
	},
	{
		name: "a stream that is refused as revoked never leaves",
		file: "hub/subscribe.go",
		old:  "s.reader.Close()\n\ts.hub.leave()", new: "s.reader.Close()",
		pkg: "./hub", run: "TestRefusedStreamsLeave", notices: "shut down",
	},
	{
		name: "a stream that is refused as revoked stays in its logs",
		file: "hub/subscribe.go",
		old:  "s.reader.Close()\n\ts.hub.leave()", new: "s.hub.leave()",
		pkg: "./hub", run: "TestRefusedStreamsLeave", notices: "logs",
	},
	{
		name: "a stream that is refused its topic never leaves",
		file: "hub/subscribe.go",
		old:  "s.withdraw(ReasonGone)", new: "s.End(ReasonGone)\n\t\t\ts.reader.Close()",
		pkg: "./hub", run: "TestRefusedStreamsLeave", notices: "shut down",
	},
	{
		name: "a topic that was left keeps its log",
		file: "hub/internal/eventlog/reader.go",
		old:  "\tr.leave(f)\n\treturn true", new: "\t_ = f\n\treturn true",
		pkg: "./hub/internal/eventlog", run: "TestModel", notices: "FAIL",
	},
	{
		name: "a hub passes over records that its backplane removed meanwhile",
		file: "hub/apply.go",
		old:  "if c.beginning && r.Position", new: "if false && r.Position",
		pkg: "./hub", run: "TestClusterOvertakenBetweenTailAndFollow", notices: `got \["8"`,
	},
	{
		name: "a crew: what follows the first piece of a batch is dropped",
		file: "transport/turn.go",
		old:  "if err == nil && len(u.rest) > 0 {", new: "if err == nil && false {",
		pkg: "./transport", run: "TestCrewIsolatesStreams", notices: `got \d+ texts of`,
	},
	{
		name: "a crew: the rest of a write is dropped",
		file: "transport/turn.go",
		old:  "if w.N < len(w.P) {", new: "if w.N < 0 {",
		pkg: "./transport", run: "TestCrewIsolatesStreams", notices: `got \d+ texts of`,
	},
	{
		name: "a crew: all streams wait for the application",
		file: "transport/crew.go",
		old:  "if c.taken == c.seen {", new: "if false {",
		pkg: "./transport", run: "TestCrewWorksAroundABlockedObserver", notices: `got \d+ texts of`,
	},
	{
		name: "a crew: a stream that always has more keeps its worker",
		file: "transport/turn.go",
		old:  "\tif last {", new: "\tif false {",
		pkg: "./transport", run: "TestCrewStarvesNobody", notices: "the others got nothing",
	},
	{
		name: "a crew: the streams of an abandoned worker are forgotten",
		file: "transport/crew.go",
		old:  "go s.resume(t.handOver(nil, nil))", new: "_ = s",
		pkg: "./transport", run: "TestCrewOutlivesAnObserver", notices: `got \d+ texts of`,
	},
	{
		name: "a crew: frames are written into other frames",
		file: "transport/ws/conn.go",
		old:  "if !c.tryBegin() {", new: "if c.tryBegin(); false {",
		pkg: "./transport", run: "TestCrewFramesDoNotInterleave", notices: "no frame|other",
	},
	{
		name: "a ring that fails keeps connections from being closed",
		file: "transport/internal/reactor/ring_linux.go",
		old:  "c.release(&c.out, true)", new: "_ = c",
		pkg: "./transport/internal/reactor", run: "TestRingThatFails", notices: `users, ready`,
	},
}

// TestMutants breaks the library in one place after the other, and expects the
// test that is there for it to fail, and to say why.
func TestMutants(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	files := mutate(t, root, mutants)
	binaries := map[string]string{} // by package
	for _, m := range mutants {
		if binaries[m.pkg] != "" {
			continue
		}
		sources := files
		if m.pkg == stress {
			sources = yielding(t, root, files)
		}
		binaries[m.pkg] = compile(t, t.TempDir(), root, sources, m.pkg)
	}
	for i, m := range mutants {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			args := []string{"-test.run", m.run, "-test.timeout", "2m"}
			if m.pkg == stress {
				args = append(args, "-yields", "-for", "50s")
			}
			out, err := runTest(t, root, binaries[m.pkg], m.pkg, fmt.Sprint(i+1), args...)
			switch {
			case err == nil:
				t.Errorf("%s %s does not notice", m.pkg, m.run)
			case !regexp.MustCompile(m.notices).Match(out):
				t.Errorf("it fails, but not with %q:\n%s", m.notices, out)
			}
		})
	}
}

// yielding returns the sources of the hub with yields, those that mutants break
// among them.
func yielding(t *testing.T, root string, broken map[string][]byte) map[string][]byte {
	t.Helper()
	files, err := interleave.Files(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, source := range broken {
		files[name] = interleave.Source(source)
	}
	return files
}

func write(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
