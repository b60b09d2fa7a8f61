// Command goclient is the adapter of package client for the conformance cases.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/crier-go/crier/client"
	"github.com/crier-go/crier/event"
)

type command struct {
	Do          string           `json:"do"`
	Transport   string           `json:"transport"`
	SSE         string           `json:"sse"`
	WS          string           `json:"ws"`
	LastEventID string           `json:"last_event_id"`
	Categories  []event.Category `json:"categories"`
	Topics      []string         `json:"topics"`
	Heartbeat   int              `json:"heartbeat"`
	Tokens      []string         `json:"tokens"`
}

type report struct {
	Report     string           `json:"report"`
	ID         *string          `json:"id,omitempty"`
	Type       event.Type       `json:"type,omitempty"`
	Data       any              `json:"data,omitempty"`
	Reason     string           `json:"reason,omitempty"`
	Categories []event.Category `json:"categories,omitempty"`
	Topics     []string         `json:"topics,omitempty"`
	Message    string           `json:"message,omitempty"`
	Transports []string         `json:"transports,omitempty"`
}

var (
	mu  sync.Mutex
	out = json.NewEncoder(os.Stdout)
)

func say(r report) {
	mu.Lock()
	defer mu.Unlock()
	out.Encode(r)
}

func main() {
	say(report{Report: "hello", Transports: []string{"sse", "ws"}})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var stream *client.Stream
	opened := make(chan *client.Stream)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			say(report{Report: "error", Message: err.Error()})
			continue
		}
		switch c.Do {
		case "connect":
			go listen(ctx, c, opened)
			stream = <-opened
		case "filter":
			stream.SetFilter(client.Filter{Categories: c.Categories, Topics: c.Topics})
		case "close":
			if stream != nil {
				stream.Close()
			}
		}
	}
}

// listen opens a stream, passes it on, and reports what comes.
func listen(ctx context.Context, c command, opened chan<- *client.Stream) {
	o := &client.Options{
		LastID:    c.LastEventID,
		Filter:    client.Filter{Categories: c.Categories, Topics: c.Topics},
		Heartbeat: time.Duration(c.Heartbeat) * time.Millisecond,
		OnGap:     func(g client.Gap) { say(report{Report: "gap", Reason: g.Reason, ID: &g.Cursor}) },
		OnFilter:  func(f client.Filter) { say(report{Report: "filter", Categories: f.Categories, Topics: f.Topics}) },
		OnError:   func(e client.ServerError) { say(report{Report: "error", Message: e.Message}) },
		OnRetry: func(err error, _ time.Duration) {
			if end, ok := errors.AsType[*client.EndError](err); ok {
				say(report{Report: "end", Reason: end.Reason})
			}
		},
	}
	if n := 0; len(c.Tokens) > 0 {
		o.Token = func(context.Context) (string, error) {
			n++
			return c.Tokens[min(n, len(c.Tokens))-1], nil
		}
	}
	url := c.SSE
	if c.Transport == "ws" {
		url = c.WS
	}
	stream, err := client.Dial(ctx, url, o)
	opened <- stream
	if err != nil {
		say(report{Report: "stopped", Message: err.Error()})
		return
	}
	for e, err := range stream.Events() {
		if err != nil {
			say(report{Report: "stopped", Message: err.Error()})
			return
		}
		r := report{Report: "event", ID: &e.ID, Type: e.Type, Data: e.Data}
		if !json.Valid(e.Data) { // another server's
			r.Data = string(e.Data)
		}
		say(r)
	}
}
