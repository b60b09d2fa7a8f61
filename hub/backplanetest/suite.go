package backplanetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/crier-go/crier/hub"
)

// An Engine is what the suite knows about a backplane's engine: one sequence,
// empty and used by nobody else, and what can be done to it. Connect is required.
// A check that needs a func that is nil does not run, and is named with t.Log.
type Engine struct {
	// Connect returns the backplane of one more process, with a connection of
	// its own to the sequence. It registers with t.Cleanup what has to be
	// closed.
	Connect func(t testing.TB) hub.Backplane
	// Limit is the size in bytes of the largest Record.Data that the engine
	// takes. Zero means that it is not known; then only records of 64 KiB are
	// tried.
	Limit int
	// Retain removes all records from the engine but the n newest, as age or
	// count would do.
	Retain func(t testing.TB, n int)
	// Restart ends the engine and starts it again with all that it had
	// acknowledged. It returns when the engine can be reached.
	Restart func(t testing.TB)
	// Lose makes the engine lose every record, though it had acknowledged
	// them, and give their positions out again: the sequence is created
	// anew, or a replica without the records takes over. It returns when the
	// engine can be reached.
	Lose func(t testing.TB)
	// Cut breaks the connections of all processes. Each can connect again at
	// once. It may be the method of a [Proxy].
	Cut func()
	// SetAway breaks the connections of all processes and lets none connect
	// again, until SetAway(false). It may be the method of a [Proxy].
	SetAway func(bool)
	// SetSilent makes the connections of all processes half-open, also new
	// ones, until SetSilent(false). It may be the method of a [Proxy].
	SetSilent func(bool)
}

// Run runs the suite as subtests of t. Each calls open for an engine with a
// sequence of its own. They do not run in parallel, because some compare the
// number of goroutines.
//
// A hub waits until Follow has come to Tail.Last, if Tail.First is not behind it.
// An engine that removes single records may have removed the last one. Follow
// then hands over its position with a zero [hub.Record].
//
// With real engines the suite takes about a minute: it has to see that a silent
// connection lives, and that a dead one is noticed within 10 seconds.
func Run(t *testing.T, open func(t testing.TB) Engine) {
	runChecks(t, open, checks)
}

func runChecks(t *testing.T, open func(t testing.TB) Engine, checks []check) {
	for _, c := range checks {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			e := open(t)
			if missing := c.missing(e); missing != "" {
				t.Logf("not run: %s (the Engine has no %s)", c.name, missing)
				return
			}
			if err := c.run(t, e); err != nil {
				t.Error(err)
			}
		})
	}
}

// A check is one part of the suite. Its error says what the backplane did wrong.
type check struct {
	name  string
	needs []string // fields of Engine
	run   func(t testing.TB, e Engine) error
}

// checks are all parts of the suite.
var checks = []check{
	{name: "empty sequence", run: checkEmpty},
	{name: "order", run: checkOrder},
	{name: "any bytes", run: checkBytes},
	{name: "big records", run: checkBig},
	{name: "concurrent appends", run: checkConcurrent},
	{name: "follow from any position", run: checkPositions},
	{name: "resume", run: checkResume},
	{name: "slow apply", run: checkSlow},
	{name: "beyond the end", run: checkBeyond},
	{name: "cancelled contexts", run: checkCancelled},
	{name: "goroutines", run: checkGoroutines},
	{name: "life", run: checkLife},
	{name: "expired records", run: checkExpired},
	{name: "idle connection", run: checkIdle},
	{name: "retention", needs: []string{"Retain"}, run: checkRetention},
	{name: "restarted engine", needs: []string{"Restart"}, run: checkRestart},
	{name: "lost sequence", needs: []string{"Lose"}, run: checkLost},
	{name: "broken connection", needs: []string{"Cut"}, run: checkCut},
	{name: "engine away", needs: []string{"SetAway"}, run: checkAway},
	{name: "silent connection", needs: []string{"SetSilent"}, run: checkSilent},
}

// missing returns the name of a field that the check needs and e lacks.
func (c check) missing(e Engine) string {
	has := map[string]bool{
		"Retain":    e.Retain != nil,
		"Restart":   e.Restart != nil,
		"Lose":      e.Lose != nil,
		"Cut":       e.Cut != nil,
		"SetAway":   e.SetAway != nil,
		"SetSilent": e.SetSilent != nil,
	}
	for _, name := range c.needs {
		if known, ok := has[name]; !ok {
			panic(fmt.Sprintf("backplanetest: %s is no field of Engine", name))
		} else if !known {
			return name
		}
	}
	return ""
}
