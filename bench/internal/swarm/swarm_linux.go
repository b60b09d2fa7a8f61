package swarm

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Swarm is a growing number of clients. It lasts until its process ends. Its methods are not safe for concurrent use.
type Swarm struct {
	*Board
	target  Target
	addrs   []syscall.SockaddrInet4
	onEvent func(number int64)
	epoll   int
	arrived chan struct{} // has a value after something has arrived

	mu      sync.Mutex
	conns   []conn
	last    []int64 // each connection's highest number, apart from conns because storeSlowest reads all of them
	failure error   // of the first connection that ended before it was answered
	stale   bool    // last has changed since Slowest was stored
	stored  time.Time
}

type conn struct {
	fd      int
	asked   bool // the request is sent
	ready   bool
	closed  bool
	parser  parser
	scanner scanner
}

// New returns a swarm without connections, which counts on b. It calls onEvent, if that is not nil, for each event
// except probes.
func New(t Target, b *Board, onEvent func(number int64)) (*Swarm, error) {
	t.Tabs = max(t.Tabs, 1)
	s := &Swarm{Board: b, target: t, onEvent: onEvent, arrived: make(chan struct{}, 1)}
	for _, addr := range t.Addrs {
		a, err := net.ResolveTCPAddr("tcp4", addr)
		if err != nil {
			return nil, err
		}
		if !a.IP.IsLoopback() {
			return nil, fmt.Errorf("%s is not on this machine", addr)
		}
		s.addrs = append(s.addrs, syscall.SockaddrInet4{Port: a.Port, Addr: [4]byte(a.IP.To4())})
	}
	var err error
	if s.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("creating an epoll instance: %w", err)
	}
	go s.run()
	return s, nil
}

// Connect opens connections until there are total, and returns when each has been answered. User i has the connections
// i*Tabs to i*Tabs+Tabs-1.
func (s *Swarm) Connect(total int, timeout time.Duration) error {
	// So many are opened at a time: enough to keep both sides busy, and far fewer than a listener's backlog.
	const handshakes = 128
	return s.await(timeout, s.Connected.Load, int64(total), "connections were answered", func() error {
		for len(s.conns) < total && len(s.conns)-int(s.Connected.Load()) < handshakes && s.failure == nil {
			if err := s.dial(); err != nil {
				return fmt.Errorf("connection %d: %w", len(s.conns), err)
			}
		}
		return s.failure
	})
}

// Await waits until so many events have been delivered since the beginning.
func (s *Swarm) Await(delivered int64, timeout time.Duration) error {
	return s.await(timeout, s.Delivered.Load, delivered, "deliveries came", func() error {
		if n := s.Closed.Load(); n > 0 {
			return fmt.Errorf("%d connections were closed", n)
		}
		return nil
	})
}

// Locked calls f while no event is being counted.
func (s *Swarm) Locked(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// await waits until count returns want. It calls check, with mu held, whenever something has arrived.
func (s *Swarm) await(timeout time.Duration, count func() int64, want int64, what string, check func() error) (err error) {
	late := time.NewTimer(timeout)
	defer late.Stop()
	for {
		s.Locked(func() { err = check() })
		if err != nil || count() >= want {
			return err
		}
		select {
		case <-s.arrived:
		case <-late.C:
			return fmt.Errorf("%d of %d %s within %v", count(), want, what, timeout)
		}
	}
}

// dial begins to open a connection. The caller holds mu.
func (s *Swarm) dial() error {
	i := len(s.conns)
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening a socket: %w", err)
	}
	s.conns, s.last = append(s.conns, conn{fd: fd}), append(s.last, 0)
	// Close resets the connection. TIME_WAIT would keep the port for a minute, and thousands of connections follow each
	// other within seconds.
	if err := syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1}); err != nil {
		return fmt.Errorf("setting SO_LINGER: %w", err)
	}
	if err := syscall.Connect(fd, &s.addrs[i%len(s.addrs)]); err != nil && !errors.Is(err, syscall.EINPROGRESS) {
		return fmt.Errorf("connecting: %w", err)
	}
	return s.watch(i, syscall.EPOLL_CTL_ADD, syscall.EPOLLOUT)
}

func (s *Swarm) watch(i, op int, events uint32) error {
	ev := syscall.EpollEvent{Events: events, Fd: int32(i)} // EpollWait returns Fd as it is: the index
	if err := syscall.EpollCtl(s.epoll, op, s.conns[i].fd, &ev); err != nil {
		return fmt.Errorf("watching a socket: %w", err)
	}
	return nil
}

// run serves all connections.
func (s *Swarm) run() {
	events, buf := make([]syscall.EpollEvent, 512), make([]byte, 256<<10)
	for wait := -1; ; {
		n, err := syscall.EpollWait(s.epoll, events, wait)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			panic(fmt.Sprintf("swarm: waiting for sockets: %v", err)) // a bug in this file
		}
		s.mu.Lock()
		for _, ev := range events[:max(n, 0)] {
			if i := int(ev.Fd); !s.conns[i].closed {
				if err := s.serve(i, buf); err != nil {
					s.close(i, err)
				}
			}
		}
		now := time.Now()
		if n > 0 {
			s.Last.Store(now.UnixNano())
		}
		if wait = -1; s.target.Slowest && s.stale && !s.storeSlowest(now) {
			wait = 1 // millisecond
		}
		s.mu.Unlock()
		select {
		case s.arrived <- struct{}{}:
		default:
		}
	}
}

// serve does what connection i is ready for.
func (s *Swarm) serve(i int, buf []byte) error {
	c := &s.conns[i]
	if !c.asked {
		c.asked = true
		if status, err := syscall.GetsockoptInt(c.fd, syscall.SOL_SOCKET, syscall.SO_ERROR); err != nil || status != 0 {
			return fmt.Errorf("connecting: %w", errors.Join(err, syscall.Errno(status)))
		}
		if err := s.watch(i, syscall.EPOLL_CTL_MOD, syscall.EPOLLIN); err != nil {
			return err
		}
		return send(c.fd, []byte(strings.ReplaceAll(s.target.Request, "{user}", strconv.Itoa(i/s.target.Tabs))))
	}
	n, err := syscall.Read(c.fd, buf)
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		return nil
	case err != nil:
		return err
	case n == 0:
		return io.EOF
	}
	reply, err := s.receive(i, buf[:n])
	if err == nil && len(reply) > 0 {
		err = send(c.fd, reply)
	}
	return err
}

// send sends a few bytes, for which a socket's buffer has room.
func send(fd int, b []byte) error {
	n, err := syscall.Write(fd, b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}

// receive counts what has arrived on connection i, and returns what to send back.
func (s *Swarm) receive(i int, b []byte) (reply []byte, err error) {
	c := &s.conns[i]
	greeted, ready := c.parser.greeted(), c.ready
	var events, disorder int64
	err = c.parser.feed(b, func(b []byte) {
		c.scanner.feed(b, func(number int64) {
			if c.ready = true; number == Probe {
				return
			}
			events++
			if number <= s.last[i] {
				disorder++
			}
			s.last[i] = max(s.last[i], number)
			if s.onEvent != nil {
				s.onEvent(number)
			}
		})
	})
	if c.ready && !ready {
		s.Ready.Add(1)
	}
	if events > 0 {
		s.stale = true
		s.Disorder.Add(disorder)
		s.Delivered.Add(events)
	}
	if !greeted && c.parser.greeted() {
		s.Connected.Add(1)
		if s.target.Hello != nil {
			reply = clientFrame(opText, s.target.Hello)
		}
	}
	reply, c.parser.pong = append(reply, c.parser.pong...), nil
	return reply, err
}

// close gives connection i up. What it has not received counts as lost.
func (s *Swarm) close(i int, why error) {
	c := &s.conns[i]
	c.closed = true
	syscall.Close(c.fd)
	s.last[i], s.stale = math.MaxInt64, true
	s.Closed.Add(1)
	if !c.parser.greeted() && s.failure == nil {
		s.failure = fmt.Errorf("connection %d, before it was answered: %w", i+1, why)
	}
}

// storeSlowest stores Slowest, at most once a millisecond, and reports whether it did.
func (s *Swarm) storeSlowest(now time.Time) bool {
	if now.Sub(s.stored) < time.Millisecond {
		return false
	}
	lowest := int64(math.MaxInt64)
	for _, n := range s.last {
		lowest = min(lowest, n)
	}
	s.Slowest.Store(lowest)
	s.stale, s.stored = false, now
	return true
}
