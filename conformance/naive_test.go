package conformance_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crier-go/crier/conformance"
)

// TestMain makes the test binary an adapter where a test starts it as one.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "naive" {
		naive()
		return
	}
	os.Exit(m.Run())
}

// naive is the adapter of a client as one writes it in an afternoon: it does not
// know of positions, waits for nothing, hands out what a line says, and never
// gives up.
func naive() {
	var mu sync.Mutex
	say := func(report, id string, data any) {
		mu.Lock()
		defer mu.Unlock()
		json.NewEncoder(os.Stdout).Encode(map[string]any{"report": report, "id": id, "type": "note.added", "data": data, "transports": []string{"sse"}})
	}
	say("hello", "", nil)
	for commands := bufio.NewScanner(os.Stdin); commands.Scan(); {
		var c struct{ Do, SSE string }
		json.Unmarshal(commands.Bytes(), &c)
		if c.Do != "connect" {
			continue
		}
		go func() {
			for ; ; time.Sleep(10 * time.Millisecond) {
				r, err := http.Get(c.SSE)
				if err != nil {
					continue
				}
				id := ""
				for lines := bufio.NewScanner(r.Body); lines.Scan(); {
					if value, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
						id = value
					}
					if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && data != "{}" {
						say("event", id, json.RawMessage(data))
					}
				}
				r.Body.Close()
			}
		}()
	}
}

// The runner notices what a client does wrong.
func TestNaiveClientFails(t *testing.T) {
	t.Parallel()
	want := map[string]string{ // a case and what is wrong
		"events":              `want {"report":"event","id":"01980000-0000-7000-8000-000000000002","type":"alert.raised"`,
		"cursor-is-no-event":  "",
		"start-position":      `attempt 1 came with the last event id "", want`,
		"start-filter":        `with the filter ""`,
		"resume-from-event":   `attempt 2 came with the last event id "", want`,
		"half-frame-cut":      `attempt 2 came with the last event id ""`,
		"gap-evicted":         `want {"report":"gap"`,
		"retry":               "ms, want 1450 to 30000",
		"stop-401":            "attempt 2 came, and there should be 1",
		"close":               "",
		"no-tight-loop-reset": "attempts in 4000 ms, want 2 to 9",
		"token":               `with the token ""`,
		"html":                "reported more than it should have",
		"not-found":           "ms after the one before",
		"byte-order-mark":     `reported {"report":"event","id":""`,
	}
	cases, err := conformance.Cases()
	if err != nil {
		t.Fatal(err)
	}
	cases = slices.DeleteFunc(cases, func(c conformance.Case) bool { _, ok := want[c.Name]; return !ok })
	results, err := conformance.Run(t.Context(), []string{os.Args[0], "naive"}, cases, parallel)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != len(want) {
		t.Errorf("%d results, want %d", len(results), len(want))
	}
	for _, r := range results {
		if got, want := fmt.Sprintf("%q", r.Faults), want[r.Case.Name]; !strings.Contains(strings.ReplaceAll(got, `\"`, `"`), want) || r.Passed() != (want == "") {
			t.Errorf("%s: the faults are %s, want %q", r.Case.Name, got, want)
		}
	}
}

// A program that is no adapter is an error, and not a table of failures.
func TestNoAdapter(t *testing.T) {
	for _, command := range [][]string{{"/nonexistent"}, {"true"}, {"echo", `{"report":"event"}`}, {"echo", "hello"}} {
		if _, err := conformance.Run(t.Context(), command, nil, 1); err == nil {
			t.Errorf("%q is taken for an adapter", command)
		}
	}
}
