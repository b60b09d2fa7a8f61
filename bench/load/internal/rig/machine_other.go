//go:build !linux

package rig

import (
	"errors"
	"runtime"
	"time"
)

// Resident is not known on this system.
func Resident() (uint64, error) { return 0, errors.New("reading memory needs Linux") }

// Available is not known on this system.
func Available() uint64 { return 0 }

// Busy is not known on this system.
func Busy() time.Duration { return 0 }

// Describe describes the system in one line.
func Describe() string { return runtime.GOOS + "/" + runtime.GOARCH + ", " + runtime.Version() }
