//go:build linux && !386 && !s390x

package tcp

import (
	"encoding/binary"
	"syscall"
	"time"
	"unsafe"
)

// From linux/tcp.h; package syscall lacks it.
const tcpNotsentLowat = 25

func limit(fd uintptr) {
	syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpNotsentLowat, maxUnsent)
}

// infoOf reads struct tcp_info of linux/tcp.h, by offsets, since the one of
// package syscall ends too early. Kernels before 5.4 do not fill in as much.
func infoOf(fd uintptr) (Info, bool) {
	const (
		retransmits = 2
		probes      = 3
		lastAckRecv = 56
		bytesAcked  = 120
		sndWnd      = 228
		size        = 232
	)
	var b [size]byte
	n := uint32(size)
	if _, _, errno := syscall.Syscall6(syscall.SYS_GETSOCKOPT, fd, syscall.IPPROTO_TCP, syscall.TCP_INFO,
		uintptr(unsafe.Pointer(&b)), uintptr(unsafe.Pointer(&n)), 0); errno != 0 || n < size {
		return Info{}, false
	}
	var outstanding int32
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&outstanding))); errno != 0 {
		return Info{}, false
	}
	return Info{
		Acked:       binary.NativeEndian.Uint64(b[bytesAcked:]),
		Outstanding: uint64(outstanding),
		Window:      binary.NativeEndian.Uint32(b[sndWnd:]),
		Unanswered:  int(b[retransmits]) + int(b[probes]),
		SinceAck:    time.Duration(binary.NativeEndian.Uint32(b[lastAckRecv:])) * time.Millisecond,
	}, true
}
