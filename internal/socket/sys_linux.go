//go:build linux && !386 && !s390x

package socket

import (
	"syscall"
	"unsafe"
)

func getsockopt(fd, level, name int, p unsafe.Pointer, size *uint32) syscall.Errno {
	_, _, e := syscall.RawSyscall6(syscall.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name),
		uintptr(p), uintptr(unsafe.Pointer(size)), 0)
	return e
}

func getsockname(fd int, p unsafe.Pointer, size *uint32) syscall.Errno {
	_, _, e := syscall.RawSyscall(syscall.SYS_GETSOCKNAME, uintptr(fd), uintptr(p), uintptr(unsafe.Pointer(size)))
	return e
}

func getpeername(fd int, p unsafe.Pointer, size *uint32) syscall.Errno {
	_, _, e := syscall.RawSyscall(syscall.SYS_GETPEERNAME, uintptr(fd), uintptr(p), uintptr(unsafe.Pointer(size)))
	return e
}
