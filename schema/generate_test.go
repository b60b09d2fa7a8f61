package schema_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// An application of package main writes its own files in go generate.
func TestGoGenerateReadsRegistryOfMain(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	// A module of its own, as an application is.
	dir := t.TempDir()
	mod := "module example.com/app\n\ngo 1.26.0\n\nrequire github.com/crier-go/crier v0.0.0\n\n" +
		"replace github.com/crier-go/crier => " + strconv.Quote(root) + "\n"
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, source := range map[string]string{
		"main.go": filepath.Join("testdata", "app", "main.go"),
		"go.sum":  filepath.Join(root, "go.sum"),
	} {
		b, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "generate", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod") // fills in what go.mod leaves out
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go generate: %v\n%s", err, out)
	}
	if got, want := filesIn(t, dir), []string{"contract.json", "go.mod", "go.sum", "main.go", "web/events.ts"}; !slices.Equal(got, want) {
		t.Errorf("files: got %s, want %s", got, want)
	}
	for path, name := range map[string]string{"contract.json": "app.contract.json", "web/events.ts": "app.events.ts"} {
		b, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, b)
	}
}
