package conformance_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/crier-go/crier/conformance"
)

var (
	rule     = regexp.MustCompile(`^\| (MUST|SHOULD|MAY) \| .+ \| ([^|]+) \|$`)
	caseName = regexp.MustCompile("`([^`]+)`")
	word     = regexp.MustCompile(`\b(MUST|SHOULD|MAY)\b`)
)

// Every rule of PROTOCOL.md names cases of its level, and every case belongs to
// a rule.
func TestProtocolNamesCases(t *testing.T) {
	text, err := os.ReadFile("../PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	cases, err := conformance.Cases()
	if err != nil {
		t.Fatal(err)
	}
	levels := map[string]conformance.Level{}
	for _, c := range cases {
		levels[c.Name] = c.Level
	}
	var named []string
	for n, line := range strings.Split(string(text), "\n") {
		m := rule.FindStringSubmatch(line)
		if m == nil {
			if word.MatchString(line) && !strings.Contains(line, "RFC 2119") && !strings.Contains(line, "EventSource") {
				t.Errorf("line %d is a rule without cases: %s", n+1, line)
			}
			continue
		}
		names := caseName.FindAllStringSubmatch(m[2], -1)
		if len(names) == 0 {
			t.Errorf("line %d names no case: %s", n+1, line)
		}
		for _, name := range names {
			named = append(named, name[1])
			if level := levels[name[1]]; string(level) != strings.ToLower(m[1]) {
				t.Errorf("line %d says %s for the case %s, whose level is %q", n+1, m[1], name[1], level)
			}
		}
	}
	for name := range levels {
		if !slices.Contains(named, name) {
			t.Errorf("PROTOCOL.md does not name the case %s", name)
		}
	}
}
