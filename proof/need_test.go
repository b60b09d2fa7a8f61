package proof

import (
	"os"
	"os/exec"
	"testing"
)

// need returns where a program is that a test cannot do without. Where it is
// missing, the test says so, and in CI that is a failure.
func need(t *testing.T, program, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	if os.Getenv("CI") != "" || os.Getenv("REQUIRE") != "" {
		t.Fatalf("%s is missing (Debian's package %s)", program, debianPackage)
	}
	t.Skipf("not run here: %s is missing (Debian's package %s)", program, debianPackage)
	return ""
}
