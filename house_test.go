package crier_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/crier-go/crier"

const (
	uuid      = "github.com/google/uuid"
	websocket = "github.com/gorilla/websocket"
	errgroup  = "golang.org/x/sync/errgroup"
)

// arrows says what each package of the library may import beyond the standard
// library. The first line that fits decides; "/..." is as in go's patterns, and
// packages of this module are named from its root. What is not here does not
// exist yet: whoever adds a package decides here what it may know.
var arrows = []struct {
	from string
	to   []string
}{
	{"event", []string{uuid}},
	{"event/...", []string{uuid, "event"}},
	{"bridge", []string{uuid, "event", "hub"}},
	{"client", []string{websocket, "event"}},
	{"conformance", nil},
	{"conformance/cmd/...", []string{"conformance"}},
	{"conformance/adapters/...", []string{"event", "client"}},
	{"hub", []string{uuid, "event", "hub/internal/..."}},
	{"hub/internal/eventlog", []string{uuid, "event"}},
	{"schema", []string{uuid, "event"}},
	{"schema/internal/...", []string{uuid, "event", "schema"}},
	{"debug", []string{uuid, "event", "hub"}},
	{"cmd/crier-schema", []string{"schema"}},
	{"hub/hubtest", []string{uuid, "event", "hub"}},
	{"hub/backplanetest", []string{uuid, "hub"}},
	{"transport", []string{uuid, errgroup, "event", "hub", "transport/internal/..."}},
	{"transport/sse", []string{uuid, "event", "hub", "transport", "transport/internal/..."}},
	{"transport/ws", []string{uuid, "event", "hub", "transport", "transport/internal/..."}},
	{"transport/poll", []string{uuid, "event", "hub", "transport", "transport/internal/..."}},
	{"transport/ticket", []string{uuid, "event", "hub", "transport"}},
	{"transport/transporttest", []string{uuid, "event", "hub", "hub/hubtest", "transport", "transport/internal/...", "internal/..."}},
	{"transport/internal/...", []string{uuid, "event", "hub", "transport", "transport/internal/...", "internal/..."}},
	{"clients/js", nil},
	{"internal/...", []string{uuid, "event", "hub", "transport"}},
}

// never says what must not be in a package, however far down.
var never = []struct {
	in   string
	what []string
}{
	{"event", []string{"net/http", "testing"}},
	{"hub", []string{"net/http", "testing"}},
	{"client", []string{"testing"}},
	{"hub/internal/eventlog", []string{"net/http", "testing"}},
	{"transport/sse", []string{"testing", websocket}},
	{"transport/ws", []string{"testing", websocket}},
	{"transport/poll", []string{"testing", websocket}},
	{"transport/ticket", []string{"testing", websocket}},
}

// outside the library, anything goes.
var outside = []string{".", "examples/...", "bench/...", "proof/...", "clients/js/test/..."}

func TestArrows(t *testing.T) {
	list := list[struct {
		ImportPath string
		Standard   bool
		Imports    []string
		Deps       []string
	}](t, "-deps", "./...")
	standard := map[string]bool{"C": true}
	deps := map[string][]string{}
	for _, p := range list {
		standard[p.ImportPath] = p.Standard
		if name, ok := inModule(p.ImportPath); ok {
			deps[name] = p.Deps
		}
	}
	for _, p := range list {
		name, ok := inModule(p.ImportPath)
		if !ok || slices.ContainsFunc(outside, matches(name)) {
			continue
		}
		may, ok := allowed(name)
		if !ok {
			t.Errorf("%s is new: say in arrows what it may import", name)
			continue
		}
		for _, path := range p.Imports {
			to, _ := inModule(path)
			if !standard[path] && !slices.ContainsFunc(may, matches(to)) {
				t.Errorf("%s must not import %s", name, to)
			}
		}
	}
	for _, n := range never {
		if deps[n.in] == nil {
			t.Errorf("there is no package %s", n.in)
		}
		for _, path := range n.what {
			if slices.Contains(deps[n.in], path) {
				t.Errorf("%s must not depend on %s", n.in, path)
			}
		}
	}
}

// allowed returns what a package may import, if arrows knows it.
func allowed(name string) ([]string, bool) {
	for _, a := range arrows {
		if matches(name)(a.from) {
			return a.to, true
		}
	}
	return nil, false
}

// Whatever a user of the library gets into the module graph is listed here.
func TestRequirements(t *testing.T) {
	var got []string
	for _, m := range list[struct {
		Path    string
		Main    bool
		Replace *struct{ Path string }
	}](t, "-m", "all") {
		if m.Replace != nil {
			t.Errorf("%s is replaced by %s, which users of the library would not have", m.Path, m.Replace.Path)
		}
		if !m.Main {
			got = append(got, m.Path)
		}
	}
	if want := []string{uuid, websocket, "golang.org/x/sync"}; !slices.Equal(got, want) {
		t.Errorf("the module needs %q, want %q", got, want)
	}
}

// A nested module needs what users of the library must not get. Nothing in this
// module imports one.
func TestNestedModules(t *testing.T) {
	list := list[struct{ ImportPath string }](t, "-deps", "-test", "./...")
	for _, dir := range nested(t) {
		for _, p := range list {
			if name, ok := inModule(p.ImportPath); ok && matches(name)(dir+"/...") {
				t.Errorf("%s is of the nested module %s, and something imports it", p.ImportPath, dir)
			}
		}
	}
}

// nested returns the directories of the modules inside this one.
func nested(t *testing.T) (dirs []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && d.Name() == "node_modules" {
			return filepath.SkipDir
		}
		if err == nil && d.Name() == "go.mod" && path != "go.mod" {
			dirs = append(dirs, filepath.ToSlash(filepath.Dir(path)))
		}
		return err
	})
	if err != nil || len(dirs) == 0 {
		t.Fatalf("nested modules: %q, %v", dirs, err)
	}
	return dirs
}

// list returns what go list -json prints.
func list[T any](t *testing.T, args ...string) []T {
	t.Helper()
	lookAround(t)
	cmd := exec.Command("go", append([]string{"list", "-json"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, &stderr)
	}
	var all []T
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var one T
		if err := dec.Decode(&one); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
}

// lookAround reads the module's directories, so that go test, which caches
// results by the files that a test has opened itself, runs these tests again
// when a file changes.
func lookAround(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && (d.Name() == "node_modules" || path != "." && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// inModule returns a package's name from the root of this module, or its path
// as it is if it is not of this module.
func inModule(path string) (string, bool) {
	if path == module {
		return ".", true
	}
	return strings.CutPrefix(path, module+"/")
}

// matches returns a function that reports whether name fits a pattern.
func matches(name string) func(pattern string) bool {
	return func(pattern string) bool {
		below, ok := strings.CutSuffix(pattern, "/...")
		return name == below || ok && strings.HasPrefix(name, below+"/")
	}
}
