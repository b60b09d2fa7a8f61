// Package machine asks the system what a measurement has used, and what there
// is to be used.
package machine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"
)

// ErrUnknown means that this system does not tell.
var ErrUnknown = errors.New("this system does not tell")

// A Use is what memory is used for, in bytes.
type Use struct {
	Resident uint64 `json:"resident"` // of the process in all
	Heap     uint64 `json:"heap"`
	Stacks   uint64 `json:"stacks"` // of goroutines
}

// Settled returns the memory that this process holds once all that is garbage
// has gone back to the system. It takes a few hundred milliseconds.
func Settled() Use {
	// Twice, and a pause between: pools and finalizers need a second
	// collection, and goroutines that are over need a moment to end.
	for range 2 {
		runtime.GC()
		debug.FreeOSMemory()
		time.Sleep(150 * time.Millisecond)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Use{Resident: Memory(), Heap: m.HeapInuse, Stacks: m.StackInuse}
}

// Memory returns the memory that this process holds now, in bytes: what is
// resident, where the system tells, else what the runtime has from the system.
func Memory() uint64 {
	if kb, err := field("/proc/self/status", "VmRSS:"); err == nil {
		return kb << 10
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys - m.HeapReleased
}

// Available returns how much memory can be had without swapping, in bytes.
func Available() (uint64, error) {
	kb, err := field("/proc/meminfo", "MemAvailable:")
	return kb << 10, err
}

// field returns the number behind a name in one of the files in which Linux
// tells about itself.
func field(file, name string) (uint64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, ErrUnknown
	}
	for line := range bytes.Lines(text) {
		if f := bytes.Fields(line); len(f) >= 2 && string(f[0]) == name {
			return strconv.ParseUint(string(f[1]), 10, 64)
		}
	}
	return 0, ErrUnknown
}

// Busy returns how long the machine's processors have been busy since it was
// started, for whomever, all of them added up.
func Busy() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, ErrUnknown
	}
	return parseBusy(text)
}

// parseBusy reads the line that adds up all processors: user, nice, system,
// idle, iowait, irq, softirq, steal, in hundredths of a second.
func parseBusy(stat []byte) (time.Duration, error) {
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	f := bytes.Fields(line)
	if len(f) < 9 || string(f[0]) != "cpu" {
		return 0, ErrUnknown
	}
	const idle, iowait = 3, 4
	var ticks int64
	for i, word := range f[1:9] {
		n, err := strconv.ParseInt(string(word), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%w: %w", ErrUnknown, err)
		}
		if i != idle && i != iowait {
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// Describe names what a measurement was made on.
func Describe() string {
	return fmt.Sprintf("%s, %d cores, %s/%s, %s", Processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// Processor returns the name of this machine's, as far as the system tells.
func Processor() string {
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range bytes.Lines(info) {
			if k, v, ok := bytes.Cut(line, []byte(":")); ok && string(bytes.TrimSpace(k)) == "model name" {
				return string(bytes.TrimSpace(v))
			}
		}
	}
	return "unknown processor"
}
