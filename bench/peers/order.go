package main

import "time"

// The orchestrator and its two children, the server under test and the client, are processes as package child has
// them. These are the arguments and results of the commands that pass between them.

// A job is what the server's process is for.
type job struct {
	Peer      string        `json:"peer"`
	Transport protocol      `json:"transport,omitempty"` // to be served
	Scenario  string        `json:"scenario,omitempty"`  // to be measured in memory
	For       time.Duration `json:"for,omitempty"`
	Profile   string        `json:"profile,omitempty"` // a file for a CPU profile
}

// An order is what a publisher is asked to do. See its methods for what they look at.
type order struct {
	Clients int           `json:"clients,omitempty"`
	Rate    float64       `json:"rate,omitempty"` // events per second
	Events  int           `json:"events,omitempty"`
	Window  int           `json:"window,omitempty"` // events that may be on their way to the slowest client
	For     time.Duration `json:"for,omitempty"`
	Profile string        `json:"profile,omitempty"` // a file for a profile
}

// A reply is what a measurement came to.
type reply struct {
	Published  int           `json:"published,omitempty"`   // events
	Window     uint64        `json:"window,omitempty"`      // deliveries in the measured stretch
	WindowTime time.Duration `json:"window_time,omitempty"` // its duration
	WindowCPU  time.Duration `json:"window_cpu,omitempty"`  // the server's user and system time in it
	Memory     uint64        `json:"memory,omitempty"`      // resident bytes
	Allocs     uint64        `json:"allocs,omitempty"`      // heap allocations in the measured stretch
}
