package proof

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/crier-go/crier/proof/interleave"
)

// TestInterleaved runs the tests of package stress on a hub that yields at random
// after every atomic operation and every lock.
func TestInterleaved(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	files, err := interleave.Files(root)
	if err != nil {
		t.Fatal(err)
	}
	binary := compile(t, t.TempDir(), root, files, "./proof/interleave/stress")
	playFor := "1s" // for each of nine shapes
	if *soak {
		playFor = "10m"
	}
	out, err := runTest(t, root, binary, "./proof/interleave/stress", "", "-test.v", "-yields", "-for", playFor, "-test.timeout", "1h")
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// compile compiles the tests of a package with these files, by path below root,
// in the place of those that are there.
func compile(t testing.TB, dir, root string, files map[string][]byte, pkg string) (binary string) {
	t.Helper()
	replace := map[string]string{}
	for name, source := range files {
		copied := filepath.Join(dir, filepath.FromSlash(name))
		write(t, copied, source)
		replace[filepath.Join(root, name)] = copied
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "overlay.json"), overlay)
	binary = filepath.Join(dir, "package.test")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", filepath.Join(dir, "overlay.json"), "-o", binary, pkg)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the copy of the hub does not compile: %v\n%s", err, out)
	}
	return binary
}

// runTest runs a test binary as go test would.
func runTest(t testing.TB, root, binary, pkg, mutant string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Dir = filepath.Join(root, pkg)
	cmd.Env = append(cmd.Environ(), "CRIER_MUTANT="+mutant)
	return cmd.CombinedOutput()
}
