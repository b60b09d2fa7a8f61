//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package chat

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// lockFile locks a file, and makes it if there is none. Close unlocks it, and so
// does the end of the process. The error wraps errStateLocked if another process
// holds the lock.
func lockFile(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errStateLocked
		}
		return nil, errors.Join(&os.PathError{Op: "lock", Path: name, Err: err}, f.Close())
	}
	return f, nil
}
