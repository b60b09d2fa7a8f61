//go:build unix

package load

import (
	"errors"
	"syscall"
)

// receiveBuffer returns a function for net.Dialer.Control that bounds what the
// system receives ahead of the program. It must do so before the connection is
// made, since the size is part of the handshake.
func receiveBuffer(bytes int) func(network, address string, c syscall.RawConn) error {
	if bytes == 0 {
		return nil
	}
	return func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, bytes)
		})
		return errors.Join(err, failed)
	}
}
