//go:build linux || darwin || netbsd || openbsd

package mockserver

import (
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"
)

// bindOnly makes a socket that has an address and does not listen. Linux refuses a dial to it; macOS, NetBSD and OpenBSD
// leave it without an answer.
func bindOnly() (addr string, free func(), err error) {
	fd, addr, err := bindLoopback()
	if err != nil {
		return "", nil, err
	}
	return addr, sync.OnceFunc(func() { syscall.Close(fd) }), nil
}

// bindLoopback makes a socket on a free port. It has no SO_REUSEADDR, so that nobody else can bind the address.
func bindLoopback() (fd int, addr string, err error) {
	fd, addr, err = bindTo(syscall.AF_INET, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	if err == nil {
		return fd, addr, nil
	}
	fd, addr, err6 := bindTo(syscall.AF_INET6, &syscall.SockaddrInet6{Addr: [16]byte{15: 1}})
	if err6 != nil {
		return 0, "", fmt.Errorf("cannot bind a loopback address: %w; %w", err, err6)
	}
	return fd, addr, nil
}

func bindTo(family int, to syscall.Sockaddr) (fd int, addr string, err error) {
	syscall.ForkLock.RLock()
	fd, err = syscall.Socket(family, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return 0, "", err
	}
	if err = syscall.Bind(fd, to); err == nil {
		var name syscall.Sockaddr
		if name, err = syscall.Getsockname(fd); err == nil {
			switch name := name.(type) {
			case *syscall.SockaddrInet4:
				return fd, net.JoinHostPort("127.0.0.1", strconv.Itoa(name.Port)), nil
			case *syscall.SockaddrInet6:
				return fd, net.JoinHostPort("::1", strconv.Itoa(name.Port)), nil
			}
			err = fmt.Errorf("an address of type %T", name)
		}
	}
	syscall.Close(fd)
	return 0, "", err
}
