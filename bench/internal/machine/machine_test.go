package machine

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestParseBusy(t *testing.T) {
	for _, test := range []struct {
		name, stat string
		want       time.Duration
		err        error
	}{
		{"all that is not idle", "cpu  100 20 30 9999 8888 4 5 6 0 0\ncpu0 1 1 1 1 1 1 1 1\n", 1650 * time.Millisecond, nil},
		{"not the file it should be", "intr 1 2 3\n", 0, ErrUnknown},
		{"too few numbers", "cpu 1 2 3\n", 0, ErrUnknown},
		{"no numbers", "cpu a b c d e f g h\n", 0, ErrUnknown},
		{"empty", "", 0, ErrUnknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseBusy([]byte(test.stat))
			if got != test.want || !errors.Is(err, test.err) {
				t.Errorf("parseBusy: %v, %v; want %v, %v", got, err, test.want, test.err)
			}
		})
	}
}

func TestThisMachine(t *testing.T) {
	if m := Memory(); m < 1<<20 {
		t.Errorf("Memory: %d bytes; a Go program holds more than a megabyte", m)
	}
	if u := Settled(); u.Heap == 0 || u.Stacks == 0 || u.Resident < u.Heap {
		t.Errorf("Settled: %+v", u)
	}
	if got := Describe(); !strings.Contains(got, runtime.Version()) {
		t.Errorf("Describe: %q does not name %s", got, runtime.Version())
	}
	if n, err := RaiseFiles(64); err != nil || n < 64 {
		t.Errorf("RaiseFiles(64): %d, %v", n, err)
	}
	if runtime.GOOS == "linux" {
		if _, err := Busy(); err != nil {
			t.Error(err)
		}
		if n, err := Available(); err != nil || n == 0 {
			t.Errorf("Available: %d, %v", n, err)
		}
	}
}
