//go:build unix

// Package machine measures this process with what the standard library knows.
package machine

import (
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
)

// Settle returns unused memory to the system, so that what is still resident is in use. It takes 300 milliseconds.
func Settle() {
	// Twice: pools and finalizers need a second collection, and goroutines that are over need a moment to end.
	for range 2 {
		runtime.GC()
		debug.FreeOSMemory()
		time.Sleep(150 * time.Millisecond)
	}
}

// CPU returns the processor time that this process has used, user and system together.
func CPU() time.Duration { return usage(syscall.RUSAGE_SELF) }

// ChildrenCPU returns the same of all child processes that have ended.
func ChildrenCPU() time.Duration { return usage(syscall.RUSAGE_CHILDREN) }

func usage(who int) time.Duration {
	var ru syscall.Rusage
	if err := syscall.Getrusage(who, &ru); err != nil {
		panic(err) // cannot fail for these two
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// Files returns how many files this process may have open. (A Go program raises its limit to the hard one when it
// starts.)
func Files() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		panic(err) // cannot fail for this one
	}
	return limit.Cur
}
