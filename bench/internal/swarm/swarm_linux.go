package swarm

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"
)

// newNetwork returns the quickest network of this system.
func newNetwork(s *Swarm) (network, error) { return newEpoll(s) }

// An epoll serves all connections in one goroutine, with one buffer.
type epoll struct {
	swarm *Swarm
	fd    int
	conns []socket // belongs to Swarm.mu
	stop  chan struct{}
	done  chan struct{}
}

type socket struct {
	fd    int
	asked bool // the request is sent
}

func newEpoll(s *Swarm) (network, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("creating an epoll instance: %w", err)
	}
	e := &epoll{swarm: s, fd: fd, stop: make(chan struct{}), done: make(chan struct{})}
	go e.run()
	return e, nil
}

func (e *epoll) dial(i int, addr string) error {
	a, err := parseAddr(addr)
	if err != nil {
		return err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening a socket: %w", err)
	}
	e.conns = append(e.conns, socket{fd: fd}) // its index is i: dial is called once for each, in order
	// A reset when it is closed, in place of a TIME_WAIT that would keep the
	// port: thousands of connections follow each other within seconds.
	if err := syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1}); err != nil {
		return fmt.Errorf("setting SO_LINGER: %w", err)
	}
	err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: a.Port, Addr: [4]byte(a.IP.To4())})
	if err != nil && !errors.Is(err, syscall.EINPROGRESS) {
		return fmt.Errorf("connecting: %w", err)
	}
	return e.watch(i, syscall.EPOLL_CTL_ADD, syscall.EPOLLOUT)
}

// watch says what is to be waited for on connection i.
func (e *epoll) watch(i, op int, events uint32) error {
	ev := syscall.EpollEvent{Events: events, Fd: int32(i)} // comes back as it is: the index
	if err := syscall.EpollCtl(e.fd, op, e.conns[i].fd, &ev); err != nil {
		return fmt.Errorf("watching a socket: %w", err)
	}
	return nil
}

func (e *epoll) run() {
	defer close(e.done)
	var events [512]syscall.EpollEvent
	buf := make([]byte, 256<<10)
	for {
		select {
		case <-e.stop:
			return
		default:
		}
		const wait = 50 // milliseconds, until it looks at stop again
		n, err := syscall.EpollWait(e.fd, events[:], wait)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			panic(fmt.Sprintf("swarm: waiting for sockets: %v", err)) // a mistake in this file
		}
		if n <= 0 {
			continue
		}
		e.swarm.mu.Lock()
		for _, ev := range events[:n] {
			if i := int(ev.Fd); !e.swarm.clients[i].over {
				if err := e.serve(i, buf); err != nil {
					e.drop(i, err)
				}
			}
		}
		e.swarm.mu.Unlock()
		e.swarm.progressed()
	}
}

// serve does what connection i is ready for.
func (e *epoll) serve(i int, buf []byte) error {
	c := &e.conns[i]
	if !c.asked {
		c.asked = true
		if status, err := syscall.GetsockoptInt(c.fd, syscall.SOL_SOCKET, syscall.SO_ERROR); err != nil || status != 0 {
			return fmt.Errorf("connecting: %w", errors.Join(err, syscall.Errno(status)))
		}
		if err := e.watch(i, syscall.EPOLL_CTL_MOD, syscall.EPOLLIN); err != nil {
			return err
		}
		return send(c.fd, e.swarm.request(i))
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
	back, err := e.swarm.receive(i, buf[:n])
	if err == nil && back != nil {
		err = send(c.fd, back)
	}
	return err
}

// send sends a few bytes, for which a socket's buffer always has room.
func send(fd int, b []byte) error {
	n, err := syscall.Write(fd, b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}

func (e *epoll) drop(i int, err error) {
	e.swarm.lost(i, err)
	syscall.Close(e.conns[i].fd)
}

func (e *epoll) close() {
	close(e.stop)
	select {
	case <-e.done:
	case <-time.After(time.Second):
		panic("swarm: the loop does not end") // a mistake in this file
	}
	for i, c := range e.conns {
		if !e.swarm.clients[i].over {
			syscall.Close(c.fd)
		}
	}
	syscall.Close(e.fd)
}
