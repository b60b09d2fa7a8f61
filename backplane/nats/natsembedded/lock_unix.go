//go:build unix && !solaris && !aix

package natsembedded

import (
	"os"
	"syscall"
)

// lockFile locks a file for as long as it is open. The lock ends with the
// process.
func lockFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
