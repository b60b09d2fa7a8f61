package redistest

import (
	"fmt"
	"os"
	"testing"
)

// An Example stands in for the test that an example function does not have. It
// panics where a test would fail.
type Example struct {
	testing.TB
	cleanups []func()
}

func (e *Example) Helper() {}

func (e *Example) Cleanup(f func()) { e.cleanups = append(e.cleanups, f) }

func (e *Example) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func (e *Example) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (e *Example) Skipf(format string, args ...any) { e.Fatalf(format, args...) }

func (e *Example) TempDir() string {
	dir, err := os.MkdirTemp("", "crier")
	if err != nil {
		e.Fatal(err)
	}
	e.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// End calls what Cleanup was given, the last first.
func (e *Example) End() {
	for i := len(e.cleanups) - 1; i >= 0; i-- {
		e.cleanups[i]()
	}
}
