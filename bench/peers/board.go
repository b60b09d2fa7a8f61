package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A board is a page of memory that the client writes and the server reads while they run. Through it the server
// knows, without a system call on either side, how far delivery has come: it paces a saturating publisher by the
// slowest client, and reads its own CPU time at the moment when the last event has arrived.
type board struct {
	Delivered atomic.Uint64 // markers counted on all connections, probes aside
	MinSeq    atomic.Uint64 // the lowest sequence number that some open connection is at; up to a millisecond old
	Ready     atomic.Uint64 // connections on which at least one marker arrived
	Closed    atomic.Uint64 // connections that the server closed
	Disorder  atomic.Uint64 // events doubled or out of order
	LastNanos atomic.Uint64 // the monotonic clock when the last marker arrived
}

// newBoard creates a board and the file that children inherit.
func newBoard() (*board, *os.File, error) {
	fd, err := unix.MemfdCreate("board", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, nil, fmt.Errorf("creating the board: %w", err)
	}
	f := os.NewFile(uintptr(fd), "board")
	if err := f.Truncate(int64(os.Getpagesize())); err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("sizing the board: %w", err)
	}
	b, err := openBoard(fd)
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return b, f, nil
}

func openBoard(fd int) (*board, error) {
	mem, err := unix.Mmap(fd, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mapping the board: %w", err)
	}
	return (*board)(unsafe.Pointer(unsafe.SliceData(mem))), nil
}

func (b *board) unmap() {
	mem := unsafe.Slice((*byte)(unsafe.Pointer(b)), os.Getpagesize())
	_ = unix.Munmap(mem) // the process goes on without it either way
}

// nanos is the system's monotonic clock, which all processes share; time.Now's monotonic reading cannot be compared
// between processes.
func nanos() uint64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // cannot fail on Linux
	}
	return uint64(ts.Nano())
}

// await polls until the condition holds, and reports whether it did before the time was up. Polling every
// millisecond is a few parts in a thousand of a core, and the same for every peer.
func await(timeout time.Duration, cond func() bool) bool {
	for end := time.Now().Add(timeout); ; time.Sleep(time.Millisecond) {
		if cond() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}
