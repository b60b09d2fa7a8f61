package schema_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/schema"
	"github.com/crier-go/crier/schema/internal/sample"
)

// filesIn returns the files below a directory.
func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(dir, path)
			all = append(all, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestWriteMakesEveryFile(t *testing.T) {
	dir := t.TempDir()
	files := schema.Files{
		TypeScript: filepath.Join(dir, "web", "src", "events.ts"),
		Contract:   filepath.Join(dir, "contract.json"),
		AsyncAPI:   filepath.Join(dir, "docs", "asyncapi.json"),
		JSONSchema: filepath.Join(dir, "docs", "schemas"),
	}
	if err := schema.Write(&sample.Registry, files, &sample.Options); err != nil {
		t.Fatal(err)
	}
	want := []string{"contract.json", "docs/asyncapi.json"}
	for info := range sample.Registry.All() {
		want = append(want, "docs/schemas/"+string(info.Type)+".json")
	}
	slices.Sort(want)
	want = append(want, "web/src/events.ts")
	if got := filesIn(t, dir); !slices.Equal(got, want) {
		t.Errorf("files:\ngot  %s\nwant %s", got, want)
	}
	for name, path := range map[string]string{
		"events.ts": files.TypeScript, "contract.json": files.Contract, "asyncapi.json": files.AsyncAPI,
		"named.tree.json": filepath.Join(files.JSONSchema, "named.tree.json"),
	} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, b)
	}
}

func TestWriteReplacesOnlyWhatChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.ts")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	write := func() {
		t.Helper()
		if err := schema.Write(&sample.Registry, schema.Files{TypeScript: path}, &sample.Options); err != nil {
			t.Fatal(err)
		}
	}
	write()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "events.ts", b)

	long := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	if err := os.Chtimes(path, long, long); err != nil {
		t.Fatal(err)
	}
	write()
	if info, err := os.Stat(path); err != nil || !info.ModTime().Equal(long) {
		t.Errorf("a file that is the same was written again: %v, %v", info, err)
	}
	if got := filesIn(t, filepath.Dir(path)); len(got) != 1 {
		t.Errorf("something was left: %s", got)
	}
}

func TestWriteRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	var bad event.Registry
	event.Define[chan int](&bad, "c", "t", "D.")
	for _, tt := range []struct {
		name     string
		registry *event.Registry
		files    schema.Files
		want     string
	}{
		{"no path", &sample.Registry, schema.Files{}, "Files has no path"},
		{"a payload that is none", &bad, schema.Files{TypeScript: file}, "payload of t"},
		{"one path twice", &sample.Registry, schema.Files{TypeScript: file, Contract: file}, "two files have this path"},
		{"a directory", &sample.Registry, schema.Files{TypeScript: dir}, dir},
		{"below a file", &sample.Registry, schema.Files{TypeScript: filepath.Join(file, "events.ts")}, file},
	} {
		err := schema.Write(tt.registry, tt.files, &sample.Options)
		if err == nil || !strings.HasPrefix(err.Error(), "schema: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want an error with %s", tt.name, err, tt.want)
		}
	}
	if b, err := os.ReadFile(file); err != nil || !bytes.Equal(b, []byte("mine")) {
		t.Errorf("the file is now %q, %v", b, err)
	}
	if got := filesIn(t, dir); len(got) != 1 {
		t.Errorf("something was left: %s", got)
	}
}

func TestJSONSchemaOfUnknownType(t *testing.T) {
	_, err := sampleContract(t).JSONSchema("no.such.type")
	if !errors.Is(err, event.ErrUnknownType) {
		t.Errorf("got %v, want ErrUnknownType", err)
	}
}
