//go:build !linux && !darwin

package machine

import "time"

// CPU is not known here: it is always zero.
func CPU() time.Duration { return 0 }

// ChildrenCPU is not known either.
func ChildrenCPU() time.Duration { return 0 }

// RaiseFiles does nothing: here the system has no such limit, or no way to
// raise it that the standard library knows.
func RaiseFiles(want uint64) (uint64, error) { return want, nil }
