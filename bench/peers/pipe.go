package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// The orchestrator and its two children, the server under test and the client, talk in JSON, one object a line,
// over the children's stdin and stdout. A child whose stdin closes goes away at once, whatever it is doing: so it
// cannot outlive the orchestrator, however that ends.

// A command is what the orchestrator asks of a child.
type command struct {
	Do      string        `json:"do"` // one of the do... constants
	Clients int           `json:"clients,omitempty"`
	Rate    float64       `json:"rate,omitempty"` // events per second
	Events  int           `json:"events,omitempty"`
	Window  int           `json:"window,omitempty"` // events that may be on their way to the slowest client
	For     time.Duration `json:"for,omitempty"`
}

const (
	doConnect  = "connect"  // client: open Clients more connections
	doProbe    = "probe"    // server: publish probes until Clients connections have received one
	doMemory   = "memory"   // server: collect garbage, settle, report resident memory
	doPaced    = "paced"    // server: publish Rate events per second
	doSaturate = "saturate" // server: publish as fast as the slowest client follows
	doBurst    = "burst"    // server: publish Events events without a pause
)

// A reply is a child's answer.
type reply struct {
	Event   string `json:"event,omitempty"`
	Error   string `json:"error,omitempty"`
	Clients int    `json:"clients,omitempty"`

	// of a server that listens
	Connect clientConfig `json:"connect,omitzero"`

	// of a measurement
	Published  int           `json:"published,omitempty"`   // events
	Window     uint64        `json:"window,omitempty"`      // deliveries in the measured stretch
	WindowTime time.Duration `json:"window_time,omitempty"` // its duration
	WindowCPU  time.Duration `json:"window_cpu,omitempty"`  // the server's user and system time in it
	Memory     uint64        `json:"memory,omitempty"`      // resident bytes
	Allocs     uint64        `json:"allocs,omitempty"`      // heap allocations in the measured stretch
}

// obey returns the commands that this child is sent, and ends the process when there are no more to come.
func obey() <-chan command {
	commands := make(chan command)
	go func() {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			var c command
			if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
				fmt.Fprintf(os.Stderr, "unreadable command %q: %v\n", lines.Text(), err)
				os.Exit(1)
			}
			commands <- c
		}
		os.Exit(0)
	}()
	return commands
}
