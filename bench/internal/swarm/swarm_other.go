//go:build !linux

package swarm

import (
	"errors"
	"time"
)

// A Swarm needs Linux.
type Swarm struct{ *Board }

var errSystem = errors.New("a swarm of clients needs Linux")

// New returns an error.
func New(Target, *Board, func(number int64)) (*Swarm, error) { return nil, errSystem }

// Connect returns an error.
func (*Swarm) Connect(int, time.Duration) error { return errSystem }

// Await returns an error.
func (*Swarm) Await(int64, time.Duration) error { return errSystem }

// Locked calls f.
func (*Swarm) Locked(f func()) { f() }
