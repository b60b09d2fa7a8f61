//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package chat

import (
	"errors"
	"io"
	"os"
)

// lockFile fails: here is no lock that ends with the process.
func lockFile(name string) (io.Closer, error) {
	return nil, &os.PathError{Op: "lock", Path: name, Err: errors.ErrUnsupported}
}
