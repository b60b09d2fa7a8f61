//go:build amd64 || arm64

package reactor

import (
	"errors"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// A ring is an io_uring: two queues in memory that is shared with the kernel. The
// program puts requests into one, and one system call carries them all out; the kernel
// puts the results into the other. See io_uring(7) and io_uring_enter(2).
//
// Each request is a send(2) that does not wait. So the system call returns when all
// have been made, and the kernel refers to no memory after that.
type ring struct {
	fd       int
	memory   [2][]byte // what is shared: both queues, and the requests
	requests []request
	results  []result
	// Positions count without end; their rest modulo the size of a queue is an index.
	requestTail             *uint32 // written here
	requestHead             *uint32 // written by the kernel
	resultHead              *uint32 // written here
	resultTail              *uint32 // written by the kernel
	requestMask, resultMask uint32
}

// ringSize is how many requests one system call carries out at most. The kernel takes a
// power of two.
const ringSize = 64

// These are from linux/io_uring.h.
const (
	sysSetup = 425 // on all architectures that newRing is for
	sysEnter = 426

	opSend = 26 // IORING_OP_SEND, since Linux 5.6

	queuesOffset   = 0          // IORING_OFF_SQ_RING
	requestsOffset = 0x10000000 // IORING_OFF_SQES
	singleMapping  = 1 << 0     // IORING_FEAT_SINGLE_MMAP, since Linux 5.4: both queues are mapped at once
	fastPoll       = 1 << 5     // IORING_FEAT_FAST_POLL, since Linux 5.7; taken as proof that there is opSend

	enterGetEvents = 1 << 0 // IORING_ENTER_GETEVENTS
)

// request is struct io_uring_sqe.
type request struct {
	op       uint8
	flags    uint8
	priority uint16
	fd       int32
	offset   uint64
	address  uint64
	length   uint32
	msgFlags uint32
	userData uint64
	_        [3]uint64
}

// result is struct io_uring_cqe.
type result struct {
	userData uint64
	n        int32 // or the negative error
	flags    uint32
}

// params is struct io_uring_params.
type params struct {
	requests, results, flags, threadCPU, threadIdle, features, workers uint32
	_                                                                  [3]uint32
	requestQueue                                                       struct {
		head, tail, mask, entries, flags, dropped, array, _ uint32
		_                                                   uint64
	}
	resultQueue struct {
		head, tail, mask, entries, overflow, results, flags, _ uint32
		_                                                      uint64
	}
}

// open makes the ring.
func (r *ring) open() error {
	var p params
	fd, _, errno := syscall.Syscall(sysSetup, ringSize, uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return os.NewSyscallError("io_uring_setup", errno)
	}
	r.fd = int(fd)
	if err := r.mapQueues(&p); err != nil {
		r.close()
		return err
	}
	return nil
}

// mapQueues maps what is shared.
func (r *ring) mapQueues(p *params) error {
	if p.features&singleMapping == 0 || p.features&fastPoll == 0 {
		return errors.New("io_uring: it needs Linux 5.7")
	}
	requests, results := &p.requestQueue, &p.resultQueue
	sizes := [2]uint32{
		max(requests.array+p.requests*4, results.results+p.results*uint32(unsafe.Sizeof(result{}))),
		p.requests * uint32(unsafe.Sizeof(request{})),
	}
	for i, offset := range [2]int64{queuesOffset, requestsOffset} {
		m, err := syscall.Mmap(r.fd, offset, int(sizes[i]), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED|syscall.MAP_POPULATE)
		if err != nil {
			return os.NewSyscallError("mmap", err)
		}
		r.memory[i] = m
	}
	queues := r.memory[0]
	at := func(offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&queues[offset])) }
	r.requestHead, r.requestTail, r.requestMask = at(requests.head), at(requests.tail), *at(requests.mask)
	r.resultHead, r.resultTail, r.resultMask = at(results.head), at(results.tail), *at(results.mask)
	r.requests = unsafe.Slice((*request)(unsafe.Pointer(&r.memory[1][0])), p.requests)
	r.results = unsafe.Slice((*result)(unsafe.Pointer(&queues[results.results])), p.results)
	// The queue of requests holds indices of requests. They never change.
	indices := unsafe.Slice(at(requests.array), p.requests)
	for i := range indices {
		indices[i] = uint32(i)
	}
	return nil
}

func (r *ring) close() {
	for _, m := range r.memory {
		if m != nil {
			syscall.Munmap(m)
		}
	}
	syscall.Close(r.fd)
}

// do is Ring.Do.
func (r *ring) do(writes []Write) {
	for len(writes) > 0 {
		n := min(len(writes), len(r.requests))
		r.doSome(writes[:n])
		writes = writes[n:]
	}
}

// errNotMade is the Err of a Write that has not been made yet.
var errNotMade = errors.New("not made")

// doSome makes at most as many attempts as there are requests.
func (r *ring) doSome(writes []Write) {
	first := *r.requestTail
	tail := first
	for i := range writes {
		w := &writes[i]
		w.Err = errNotMade
		c, ok := w.Conn.(*conn)
		if !ok || len(w.P) == 0 || !c.use(&c.out) {
			continue
		}
		r.requests[tail&r.requestMask] = request{
			op:       opSend,
			fd:       c.fd,
			address:  uint64(uintptr(unsafe.Pointer(&w.P[0]))),
			length:   uint32(min(len(w.P), 1<<30)),
			msgFlags: syscall.MSG_DONTWAIT | syscall.MSG_NOSIGNAL,
			userData: uint64(i),
		}
		tail++
	}
	if tail != first { // else enter would wait for nothing
		atomic.StoreUint32(r.requestTail, tail)
		r.enter(writes, tail-first)
		runtime.KeepAlive(writes) // the kernel has read what they refer to
	}
	for i := range writes {
		if w := &writes[i]; w.Err == errNotMade {
			w.try()
		}
	}
}

// enter has the kernel carry out n requests, and takes their results.
func (r *ring) enter(writes []Write, n uint32) {
	for {
		submit := *r.requestTail - atomic.LoadUint32(r.requestHead)
		_, _, errno := syscall.Syscall6(sysEnter, uintptr(r.fd), uintptr(submit), uintptr(n), enterGetEvents, 0, 0)
		if n -= r.take(writes); n == 0 {
			return
		}
		if errno != 0 && errno != syscall.EINTR {
			n -= r.takeBack(writes)
		}
	}
}

// takeBack withdraws the requests that the kernel has not read, and returns how many
// these are.
func (r *ring) takeBack(writes []Write) (n uint32) {
	head := atomic.LoadUint32(r.requestHead)
	for tail := *r.requestTail; head+n != tail; n++ {
		w := &writes[r.requests[(head+n)&r.requestMask].userData]
		c := w.Conn.(*conn)
		c.release(&c.out, true)
	}
	atomic.StoreUint32(r.requestTail, head)
	return n
}

// take takes the results that are there, and returns how many these are.
func (r *ring) take(writes []Write) (n uint32) {
	head := *r.resultHead
	for tail := atomic.LoadUint32(r.resultTail); head+n != tail; n++ {
		result := &r.results[(head+n)&r.resultMask]
		w := &writes[result.userData]
		switch errno := syscall.Errno(-result.n); {
		case result.n >= 0:
			w.N, w.Err = int(result.n), nil
		case errno == syscall.EAGAIN:
			w.N, w.Err = 0, ErrNotReady
		case errno != syscall.EINTR:
			w.N, w.Err = 0, os.NewSyscallError("write", errno)
		}
		c := w.Conn.(*conn)
		c.release(&c.out, w.Err != ErrNotReady)
	}
	atomic.StoreUint32(r.resultHead, head+n)
	return n
}
