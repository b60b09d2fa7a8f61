package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/crier-go/crier/bench/internal/child"
	"github.com/crier-go/crier/bench/internal/machine"
	"github.com/crier-go/crier/bench/internal/wire"
)

// A client is the other end of every measurement: one thread, one epoll instance, raw TCP. It is the same for all
// peers and as cheap as it can be made, because on a small machine what the client spends the server does not get.
type client struct {
	board   *board
	addr    unix.Sockaddr
	request []byte // sent when a connection opens
	hello   []byte // sent when the response's head has arrived; nil for nothing

	wanted    chan int   // how many more connections to open
	connected chan error // the answer

	epoll   int
	conns   []conn
	last    []uint64 // each connection's highest sequence number, kept densely: MinSeq walks it every millisecond
	heads   int      // connections whose response's head has arrived
	buf     []byte
	dirty   bool // last changed since MinSeq was computed
	lastMin time.Time
	err     error // the first connection that failed before its head arrived
}

type conn struct {
	fd      int
	asked   bool // the request is sent
	greeted bool // the head has arrived
	open    bool
	stream  stream
}

// handshakes is how many connections are between connect and the response's head at one time: enough to keep both
// processes busy, far below the kernel's listen backlog.
const handshakes = 128

// clientRole is the client's process.
func clientRole() (child.Commands, error) {
	if _, err := machine.RaiseFiles(wantFiles); err != nil {
		return nil, err
	}
	b, err := openBoard(child.FirstFile)
	if err != nil {
		return nil, err
	}
	// The client allocates next to nothing once it is connected.
	debug.SetGCPercent(400)
	var c *client
	return child.Commands{
		"target": child.Command(func(to clientConfig) (_ any, err error) {
			if c, err = newClient(to, b); err == nil {
				go c.run()
			}
			return nil, err
		}),
		"connect": child.Command(func(more int) (any, error) {
			if c == nil {
				return nil, errors.New("there is no target yet")
			}
			c.wanted <- more
			return nil, <-c.connected
		}),
		// It answers if nothing went wrong in between: then the process would have ended.
		"check": child.Command(func(struct{}) (any, error) { return nil, nil }),
	}, nil
}

// run does all that the client does, in one goroutine.
func (c *client) run() {
	for {
		select {
		case more := <-c.wanted:
			c.connected <- c.connect(more, 30*time.Second)
		default:
			if err := c.poll(5 * time.Millisecond); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}
}

// A clientConfig says where and how the client connects.
type clientConfig struct {
	Addr    string `json:"addr"`
	Request string `json:"request"`
	Hello   []byte `json:"hello,omitempty"`
}

func newClient(to clientConfig, b *board) (*client, error) {
	ap, err := netip.ParseAddrPort(to.Addr)
	if err != nil {
		return nil, fmt.Errorf("the server's address: %w", err)
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("creating an epoll instance: %w", err)
	}
	return &client{
		board:   b,
		addr:    &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()},
		request: []byte(to.Request),
		hello:   to.Hello,
		epoll:   epoll,
		buf:     make([]byte, 256<<10),

		wanted: make(chan int), connected: make(chan error),
	}, nil
}

// connect opens n more connections and returns when each has received its response's head.
func (c *client) connect(n int, timeout time.Duration) error {
	end := time.Now().Add(timeout)
	for want := len(c.conns) + n; c.heads < want; {
		for len(c.conns) < want && len(c.conns)-c.heads < handshakes {
			if err := c.dial(); err != nil {
				return err
			}
		}
		if err := c.poll(100 * time.Millisecond); err != nil {
			return err
		}
		if c.err != nil {
			return c.err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d of %d connections were answered within %v", c.heads, want, timeout)
		}
	}
	return nil
}

func (c *client) dial() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening socket %d: %w", len(c.conns)+1, err)
	}
	// A reset on close instead of TIME_WAIT: thousands of connections follow each other within seconds.
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		return fmt.Errorf("setting SO_LINGER: %w", err)
	}
	if err := unix.Connect(fd, c.addr); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return fmt.Errorf("connecting: %w", err)
	}
	ev := unix.EpollEvent{Events: unix.EPOLLOUT, Fd: int32(len(c.conns))}
	if err := unix.EpollCtl(c.epoll, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("watching a socket: %w", err)
	}
	c.conns = append(c.conns, conn{fd: fd, open: true})
	c.last = append(c.last, 0)
	return nil
}

// poll handles what has arrived, after waiting for it at most so long.
func (c *client) poll(wait time.Duration) error {
	if c.dirty {
		wait = min(wait, time.Millisecond)
	}
	var events [512]unix.EpollEvent
	n, err := unix.EpollWait(c.epoll, events[:], int(wait/time.Millisecond))
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("waiting for events: %w", err)
	}
	var before, after uint64
	for _, ev := range events[:max(n, 0)] {
		i := int(ev.Fd)
		co := &c.conns[i]
		if !co.open {
			continue
		}
		before += co.stream.count
		if err := c.serve(i, co); err != nil {
			c.close(i, co, err)
		}
		after += co.stream.count
	}
	if after > before {
		c.board.Delivered.Add(after - before)
		c.board.LastNanos.Store(nanos())
		c.dirty = true
	}
	c.publishMin()
	return nil
}

func (c *client) serve(i int, co *conn) error {
	if !co.asked {
		if status, err := unix.GetsockoptInt(co.fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || status != 0 {
			return fmt.Errorf("connecting: %w", errors.Join(err, unix.Errno(status)))
		}
		co.asked = true
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
		if err := unix.EpollCtl(c.epoll, unix.EPOLL_CTL_MOD, co.fd, &ev); err != nil {
			return fmt.Errorf("watching a socket: %w", err)
		}
		return write(co.fd, c.request)
	}
	n, err := unix.Read(co.fd, c.buf)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return nil
	case err != nil:
		return err
	case n == 0:
		return io.EOF
	}
	probed, disorder := co.stream.probed, co.stream.disorder
	err = co.stream.feed(c.buf[:n])
	if !co.greeted && co.stream.parser.Greeted() {
		co.greeted = true
		c.heads++
		if c.hello != nil {
			if err := write(co.fd, wire.ClientFrame(wire.Text, c.hello)); err != nil {
				return err
			}
		}
	}
	if co.stream.probed && !probed {
		c.board.Ready.Add(1)
	}
	if d := co.stream.disorder - disorder; d > 0 {
		c.board.Disorder.Add(d)
	}
	c.last[i] = co.stream.last
	if pong := co.stream.parser.Pong; pong != nil {
		co.stream.parser.Pong = nil
		if err := write(co.fd, pong); err != nil {
			return err
		}
	}
	return err
}

// close gives a connection up. What it had not received by then will show as lost.
func (c *client) close(i int, co *conn, why error) {
	if !co.greeted && c.err == nil {
		c.err = fmt.Errorf("connection %d of %d, before it was answered: %w", i+1, len(c.conns), why)
	}
	unix.Close(co.fd)
	co.open = false
	co.stream.tn = 0
	c.last[i] = math.MaxUint64
	c.dirty = true
	c.board.Closed.Add(1)
}

// publishMin brings the board's MinSeq up to date, at most once a millisecond.
func (c *client) publishMin() {
	if !c.dirty || time.Since(c.lastMin) < time.Millisecond {
		return
	}
	lowest := uint64(math.MaxUint64)
	for _, seq := range c.last {
		lowest = min(lowest, seq)
	}
	c.board.MinSeq.Store(lowest)
	c.dirty = false
	c.lastMin = time.Now()
}

// write sends a few bytes on a socket whose buffer cannot be full.
func write(fd int, b []byte) error {
	n, err := unix.Write(fd, b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}
