package rig

import (
	"context"
	"time"

	"github.com/crier-go/crier/bench/internal/child"
	"github.com/crier-go/crier/bench/internal/machine"
	"github.com/crier-go/crier/hub"
)

// RoleName is the name under which programs run Role.
const RoleName = "server"

// ports is how many a server in a process of its own listens on: enough for as
// many connections as a machine has memory for.
const ports = 4

// Role is a server in a process of its own.
func Role() (child.Commands, error) {
	// Tabs are limited by what is measured, not by a default.
	s, err := Start(ports, &hub.Options{StreamsPerUser: 1 << 20})
	if err != nil {
		return nil, err
	}
	return child.Commands{
		"addrs":     child.Command(func(struct{}) (any, error) { return s.Addrs, nil }),
		"memory":    child.Command(func(struct{}) (any, error) { return machine.Memory(), nil }),
		"settled":   child.Command(func(struct{}) (any, error) { return machine.Settled(), nil }),
		"pace":      child.Command(func(p Pace) (any, error) { return p.Run(s.Hub) }),
		"broadcast": child.Command(func(size int) (any, error) { return nil, s.Broadcast(size) }),
	}, nil
}

// Broadcast publishes one event to everyone.
func (s *Server) Broadcast(size int) error {
	e, err := New(0, time.Now(), size)
	if err != nil {
		return err
	}
	return s.Hub.Broadcast(context.Background(), e)
}

// A Remote is a server in another process.
type Remote struct{ *child.Process }

// grace is how long an answer may take that needs no waiting, on a machine
// that is kept busy on purpose.
const grace = 10 * time.Second

// Addrs returns where the server listens.
func (r Remote) Addrs() (addrs []string, err error) {
	err = r.Call(grace, "addrs", nil, &addrs)
	return addrs, err
}

// Memory returns the memory that the server holds now.
func (r Remote) Memory() (bytes uint64, err error) {
	err = r.Call(grace, "memory", nil, &bytes)
	return bytes, err
}

// Settled returns the memory that the server holds once garbage is gone.
func (r Remote) Settled() (use machine.Use, err error) {
	err = r.Call(grace, "settled", nil, &use)
	return use, err
}

// Broadcast publishes one event to everyone.
func (r Remote) Broadcast(size int) error { return r.Call(grace, "broadcast", size, nil) }

// Pace publishes as Pace.Run does.
func (r Remote) Pace(p Pace) (paced Paced, err error) {
	err = r.Call(time.Until(p.at(0))+2*(p.Warm+p.For)+grace, "pace", p, &paced)
	return paced, err
}
