// Package swarm is the other end of a measurement: thousands of clients in one
// process, as cheap as they can be made, because on a small machine what the
// clients spend the server does not get. They read event streams and
// WebSockets, count the events in them, and tell how old each was on arrival.
//
// On Linux one thread serves all of them through epoll; elsewhere each has a
// goroutine.
package swarm

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/crier-go/crier/bench/internal/wire"
)

// A Target says where clients connect, and as whom.
type Target struct {
	Addrs []string `json:"addrs"` // ports of the server, taken in turns: one port has room for some 28,000 connections of one client
	Path  string   `json:"path"`  // "/sse", "/lean" or "/ws", see package rig
	Tabs  int      `json:"tabs"`  // connections of each user; 0 means 1
}

// A Swarm is a number of clients that only ever grows. Its methods are for one
// goroutine.
type Swarm struct {
	target Target
	net    network

	mu       sync.Mutex
	clients  []client
	greeted  int   // clients whose response's head has come
	failure  error // of the first client that never got that far
	since    int64 // older stamps are not in the window
	counts   Counts
	latency  Histogram
	progress chan struct{} // has a value when something has come since it was last looked at
}

// A client is one connection. It belongs to Swarm.mu.
type client struct {
	parser  wire.Parser
	scanner scanner
	last    int64 // its newest stamp
	over    bool
}

// Counts are a swarm's numbers.
type Counts struct {
	Clients   int    `json:"clients"`   // connected at some time
	Closed    int    `json:"closed"`    // by the server, or broken
	Delivered uint64 `json:"delivered"` // events, since the beginning
	Disorder  uint64 `json:"disorder"`  // of these, doubled or out of order
	Window    uint64 `json:"window"`    // events in the window, see Since
}

// A network makes a swarm's connections. For each, it sends the swarm's
// request, and passes on what comes to receive, with whatever receive returns
// sent back; or it tells lost that the connection is over.
type network interface {
	dial(i int, addr string) error // called under Swarm.mu; does not wait
	close()
}

// New returns a swarm without clients.
func New(t Target) (*Swarm, error) { return newSwarm(t, newNetwork) }

func newSwarm(t Target, network func(*Swarm) (network, error)) (*Swarm, error) {
	if len(t.Addrs) == 0 {
		return nil, errors.New("there is no address to connect to")
	}
	t.Tabs = max(t.Tabs, 1)
	s := &Swarm{target: t, progress: make(chan struct{}, 1)}
	var err error
	s.net, err = network(s)
	return s, err
}

// Close closes all connections.
func (s *Swarm) Close() { s.net.close() }

// handshakes is how many connections are being opened at a time: enough to
// keep both sides busy, and far fewer than a listener's backlog.
const handshakes = 128

// Connect opens connections until there are so many, and returns when each has
// been answered. User i has the connections i*Tabs to i*Tabs+Tabs-1.
func (s *Swarm) Connect(total int, timeout time.Duration) error {
	err := s.await(timeout, func() (bool, error) {
		for len(s.clients) < total && len(s.clients)-s.greeted < handshakes && s.failure == nil {
			i := len(s.clients)
			s.clients = append(s.clients, client{})
			if err := s.net.dial(i, s.target.Addrs[i%len(s.target.Addrs)]); err != nil {
				return false, fmt.Errorf("connection %d: %w", i+1, err)
			}
		}
		return s.greeted >= total, s.failure
	})
	if errors.Is(err, errLate) {
		return fmt.Errorf("%d of %d connections were answered within %v", s.Counts().Clients, total, timeout)
	}
	return err
}

// Await returns once so many events have been delivered since the beginning.
func (s *Swarm) Await(delivered uint64, timeout time.Duration) error {
	err := s.await(timeout, func() (bool, error) {
		if s.counts.Closed > 0 {
			return false, fmt.Errorf("%d connections were closed", s.counts.Closed)
		}
		return s.counts.Delivered >= delivered, nil
	})
	if errors.Is(err, errLate) {
		return fmt.Errorf("%d of %d deliveries came within %v", s.Counts().Delivered, delivered, timeout)
	}
	return err
}

// Since begins a new window: it consists of the events that are due from this
// time on, in nanoseconds of Unix time.
func (s *Swarm) Since(stamp int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since, s.counts.Window, s.latency = stamp, 0, Histogram{}
}

// Settle waits until there are so many events in the window, but no longer
// than timeout, and returns what there is.
func (s *Swarm) Settle(events uint64, timeout time.Duration) (Counts, Histogram) {
	s.await(timeout, func() (bool, error) { return s.counts.Window >= events, nil })
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.latency
	s.latency = Histogram{} // that one is the caller's now
	c := s.counts
	c.Clients = s.greeted
	return c, h
}

// Counts returns the numbers as they are now.
func (s *Swarm) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts
	c.Clients = s.greeted
	return c
}

var errLate = errors.New("time is up")

// await returns once cond, which is called under mu, holds or fails.
func (s *Swarm) await(timeout time.Duration, cond func() (bool, error)) error {
	late := time.NewTimer(timeout)
	defer late.Stop()
	for {
		s.mu.Lock()
		ok, err := cond()
		s.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-s.progress:
		case <-late.C:
			return errLate
		}
	}
}

// progressed lets await look again.
func (s *Swarm) progressed() {
	select {
	case s.progress <- struct{}{}:
	default:
	}
}

// request returns what connection i sends first: what a browser would, without
// its ballast.
func (s *Swarm) request(i int) []byte {
	head := fmt.Sprintf("GET %s?user=%d HTTP/1.1\r\nHost: %s\r\n", s.target.Path, i/s.target.Tabs, loopback)
	if s.target.Path == "/ws" {
		return []byte(head + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	}
	return []byte(head + "Accept: text/event-stream\r\n\r\n")
}

const loopback = "127.0.0.1"

// receive takes what came on connection i, and returns what is to be sent
// back, if anything. Under mu.
func (s *Swarm) receive(i int, b []byte) (back []byte, err error) {
	c := &s.clients[i]
	greeted := c.parser.Greeted()
	now := time.Now().UnixNano()
	found := func(stamp int64) {
		s.counts.Delivered++
		if stamp <= c.last {
			s.counts.Disorder++
		}
		c.last = stamp
		if stamp >= s.since {
			s.counts.Window++
			s.latency.Add(time.Duration(now - stamp))
		}
	}
	err = c.parser.Feed(b, func(b []byte) { c.scanner.feed(b, found) })
	if !greeted && c.parser.Greeted() {
		s.greeted++
	}
	back, c.parser.Pong = c.parser.Pong, nil
	return back, err
}

// lost notes that connection i is over. Under mu.
func (s *Swarm) lost(i int, err error) {
	c := &s.clients[i]
	if c.over {
		return
	}
	c.over = true
	if !c.parser.Greeted() {
		if s.failure == nil {
			s.failure = fmt.Errorf("connection %d, before it was answered: %w", i+1, err)
		}
		return
	}
	s.counts.Closed++
}

// parseAddr makes sure that a measurement never leaves this machine.
func parseAddr(addr string) (*net.TCPAddr, error) {
	a, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return nil, err
	}
	if !a.IP.IsLoopback() {
		return nil, fmt.Errorf("%s is not on this machine", addr)
	}
	return a, nil
}
