package conformance_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/crier-go/crier/conformance"
)

// parallel is how many cases are tried at a time: they mostly wait.
const parallel = 12

// try tries a client with all cases and logs the table.
func try(t *testing.T, command ...string) []conformance.Result {
	t.Helper()
	cases, err := conformance.Cases()
	if err != nil {
		t.Fatal(err)
	}
	results, err := conformance.Run(t.Context(), command, cases, parallel)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	conformance.WriteTable(&table, results)
	t.Logf("%s:\n%s", filepath.Base(command[0]), &table)
	return results
}

// failed returns the names of the cases of some levels that have not passed.
func failed(results []conformance.Result, levels ...conformance.Level) (names []string) {
	for _, r := range results {
		if slices.Contains(levels, r.Case.Level) && !r.Passed() && !slices.Contains(names, r.Case.Name) {
			names = append(names, r.Case.Name)
		}
	}
	return names
}

// alone runs the cases that have not passed once more, one at a time: a case with
// bounds of time is judged wrongly where a busy machine delays the client's
// connections. A client that does something wrong fails again.
func alone(t *testing.T, results []conformance.Result, command ...string) []conformance.Result {
	t.Helper()
	for i, r := range results {
		if r.Passed() || r.Case.Level == conformance.May {
			continue
		}
		t.Logf("%s over %s once more, alone; it failed with %q", r.Case.Name, r.Transport, r.Faults)
		again, err := conformance.Run(t.Context(), command, []conformance.Case{r.Case}, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range again {
			if a.Transport == r.Transport {
				results[i] = a
			}
		}
	}
	return results
}

// missing ends a test that cannot run here: it fails where everything has to be
// there, and else says what is not.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" || os.Getenv("REQUIRE") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf("not run here: "+format, args...)
}

func node(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		missing(t, "node is missing (Debian's package nodejs)")
	}
	return path
}

// The Go client does everything.
func TestGoClient(t *testing.T) {
	t.Parallel()
	adapter := filepath.Join(t.TempDir(), "goclient")
	if out, err := exec.Command("go", "build", "-o", adapter, "./adapters/goclient").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	if names := failed(alone(t, try(t, adapter), adapter), conformance.Must, conformance.Should, conformance.May); names != nil {
		t.Errorf("failed: %q", names)
	}
}

// The TypeScript client does everything that a script can.
func TestJSClient(t *testing.T) {
	t.Parallel()
	program := node(t)
	module := filepath.Join("..", "clients", "js", "dist", "crier.js")
	if _, err := os.Stat(module); err != nil {
		missing(t, "%v", err)
	}
	ws := filepath.Join("..", "clients", "js", "node_modules", "ws", "wrapper.mjs")
	if _, err := os.Stat(ws); err != nil {
		missing(t, "%v: run npm ci in clients/js", err)
	}
	command := []string{program, "adapters/js/adapter.js", module, ws}
	results := alone(t, try(t, command...), command...)
	if names := failed(results, conformance.Must, conformance.Should); names != nil {
		t.Errorf("failed: %q", names)
	}
}

// npm's eventsource, which is what a browser's EventSource is, does everything
// that it must, and this much less than it should.
func TestEventSource(t *testing.T) {
	t.Parallel()
	program := node(t)
	if _, err := os.Stat("adapters/eventsource/node_modules/eventsource/package.json"); err != nil {
		missing(t, "npm's eventsource is not installed: run npm ci in conformance/adapters/eventsource")
	}
	results := try(t, program, "adapters/eventsource/adapter.js")
	if names := failed(results, conformance.Must); names != nil {
		t.Errorf("failed: %q", names)
	}
	want := []string{ // where the machine is slow, a tight loop may not be one
		"id-alone", "content-type-case", // its parser
		"end-stays-open", "silence", "silence-half-frame", // it has no timer
		"retry-after", "proxy-page", // any status but 200 is final
		"no-tight-loop-empty", "no-tight-loop-opening", "no-tight-loop-end", // it takes a retry of 0 at its word
		"token-renewed", "token-renewed-403", "token-expired", "filter-reconnect", "topics-taken", // it can do nothing of the kind
	}
	for _, name := range failed(results, conformance.Should) {
		if !slices.Contains(want, name) {
			t.Errorf("it should pass %s", name)
		}
	}
}
