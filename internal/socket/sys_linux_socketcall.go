//go:build linux && (386 || s390x)

package socket

import (
	"syscall"
	"unsafe"
)

// On these two, package syscall knows only socketcall(2), which takes the number of the call and a pointer to its
// arguments (linux/net.h).
const (
	callGetsockname = 6
	callGetpeername = 7
	callGetsockopt  = 15
)

func getsockopt(fd, level, name int, p unsafe.Pointer, size *uint32) syscall.Errno {
	args := struct {
		fd, level, name uintptr
		p               unsafe.Pointer // a pointer, not a number: it must follow when the stack moves
		size            *uint32
	}{uintptr(fd), uintptr(level), uintptr(name), p, size}
	_, _, e := syscall.RawSyscall(syscall.SYS_SOCKETCALL, callGetsockopt, uintptr(unsafe.Pointer(&args)), 0)
	return e
}

func getsockname(fd int, p unsafe.Pointer, size *uint32) syscall.Errno {
	args := struct {
		fd   uintptr
		p    unsafe.Pointer
		size *uint32
	}{uintptr(fd), p, size}
	_, _, e := syscall.RawSyscall(syscall.SYS_SOCKETCALL, callGetsockname, uintptr(unsafe.Pointer(&args)), 0)
	return e
}

func getpeername(fd int, p unsafe.Pointer, size *uint32) syscall.Errno {
	args := struct {
		fd   uintptr
		p    unsafe.Pointer
		size *uint32
	}{uintptr(fd), p, size}
	_, _, e := syscall.RawSyscall(syscall.SYS_SOCKETCALL, callGetpeername, uintptr(unsafe.Pointer(&args)), 0)
	return e
}
