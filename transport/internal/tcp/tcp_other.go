//go:build !linux || 386 || s390x

package tcp

// (Linux on 386 and s390x has no system call for getsockopt of its own.)

func limit(uintptr) {}

func infoOf(uintptr) (Info, bool) { return Info{}, false }
