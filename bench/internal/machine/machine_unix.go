//go:build linux || darwin

package machine

import (
	"fmt"
	"syscall"
	"time"
)

// CPU returns the processor time that this process has used so far, in user
// and system mode together.
func CPU() time.Duration { return usage(syscall.RUSAGE_SELF) }

// ChildrenCPU is the same of all child processes that have ended.
func ChildrenCPU() time.Duration { return usage(syscall.RUSAGE_CHILDREN) }

func usage(who int) time.Duration {
	var ru syscall.Rusage
	if err := syscall.Getrusage(who, &ru); err != nil {
		panic(err) // cannot fail for these two
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// RaiseFiles makes room for so many open files, if the system lets it, and
// returns how many there may be.
func RaiseFiles(want uint64) (uint64, error) {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return 0, fmt.Errorf("reading the limit of open files: %w", err)
	}
	if lim.Cur >= want {
		return lim.Cur, nil
	}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: want, Max: max(lim.Max, want)}) == nil {
		return want, nil
	}
	lim.Cur = min(lim.Max, want) // without privileges only up to the hard limit
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return 0, fmt.Errorf("raising the limit of open files: %w", err)
	}
	return lim.Cur, nil
}
