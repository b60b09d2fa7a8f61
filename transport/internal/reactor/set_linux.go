package reactor

import (
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// A set is an epoll set and its connections.
type set struct {
	mu    sync.Mutex
	conns []*conn  // by setIndex
	open  int      // connections
	epoll *os.File // nil while there are no connections
	fd    int      // of epoll
	// generation is that of the last connection. The kernel returns it with each
	// event, since the event of a connection that has been closed may still come
	// when its descriptor is that of another connection.
	generation int32
}

var sets = make([]set, runtime.GOMAXPROCS(0))

func setOf(fd int32) *set   { return &sets[int(fd)%len(sets)] }
func setIndex(fd int32) int { return int(fd) / len(sets) }

// edgeTriggered is EPOLLET, which is negative in package syscall on some
// architectures.
const edgeTriggered = 1 << 31

// add adds a connection. All events are asked for once and for ever: an
// edge-triggered event costs nothing until it comes, and a connection that can be
// written to has no events.
func (s *set) add(c *conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoll == nil {
		if err := s.start(); err != nil {
			return err
		}
	}
	s.generation++
	c.generation = s.generation
	i := setIndex(c.fd)
	for len(s.conns) <= i {
		s.conns = append(s.conns, nil)
	}
	s.conns[i] = c
	s.open++
	err := syscall.EpollCtl(s.fd, syscall.EPOLL_CTL_ADD, int(c.fd), &syscall.EpollEvent{
		Events: syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP | edgeTriggered,
		Fd:     c.fd,
		Pad:    c.generation,
	})
	if err != nil {
		s.forget(i)
	}
	return os.NewSyscallError("epoll_ctl", err)
}

// remove removes a connection, whose descriptor must still be open.
func (s *set) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	syscall.EpollCtl(s.fd, syscall.EPOLL_CTL_DEL, int(c.fd), nil)
	s.forget(setIndex(c.fd))
}

// forget removes an entry. After the last one, nothing is left: no descriptor, no
// goroutine and no table. s.mu is held.
func (s *set) forget(i int) {
	s.conns[i] = nil
	if s.open--; s.open == 0 {
		s.epoll.Close()
		s.epoll, s.conns = nil, nil
	}
}

// start makes the epoll set and starts the goroutine that serves it. s.mu is held.
func (s *set) start() error {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	syscall.SetNonblock(fd, true) // package os then leaves the waiting to the runtime's poller
	s.fd, s.epoll = fd, os.NewFile(uintptr(fd), "epoll")
	raw, err := s.epoll.SyscallConn()
	if err == nil {
		err = s.epoll.SetReadDeadline(time.Time{}) // fails if the runtime's poller has not taken it
	}
	if err != nil {
		s.epoll.Close()
		s.epoll = nil
		return err
	}
	go s.serve(raw)
	return nil
}

// serve passes events on until the set is closed.
func (s *set) serve(epoll syscall.RawConn) {
	var events [128]syscall.EpollEvent
	for {
		n := 0
		err := epoll.Read(func(fd uintptr) bool {
			n, _ = syscall.EpollWait(int(fd), events[:], 0)
			return n != 0 // else wait until there is one
		})
		if err != nil {
			return
		}
		for _, e := range events[:max(n, 0)] {
			if c := s.find(e.Fd, e.Pad); c != nil {
				c.event(e.Events)
			}
		}
	}
}

// find returns the connection that an event is for, or nil if it has been closed.
func (s *set) find(fd, generation int32) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := setIndex(fd)
	if i >= len(s.conns) || s.conns[i] == nil || s.conns[i].generation != generation {
		return nil
	}
	return s.conns[i]
}
