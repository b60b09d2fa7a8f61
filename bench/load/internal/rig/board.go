package rig

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"github.com/crier-go/crier/bench/internal/swarm"
)

// newBoard returns a file that has a board. The clients write the board and
// the server reads it, without a system call on either side.
func newBoard() (*os.File, error) {
	f, err := os.CreateTemp("", "board")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil { // it lasts until all its descriptors are closed
		return nil, err
	}
	return f, f.Truncate(int64(unsafe.Sizeof(swarm.Board{})))
}

func mapBoard(f *os.File) (*swarm.Board, error) {
	size := int(unsafe.Sizeof(swarm.Board{}))
	memory, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mapping the board: %w", err)
	}
	return (*swarm.Board)(unsafe.Pointer(unsafe.SliceData(memory))), nil
}
