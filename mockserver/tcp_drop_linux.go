package mockserver

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"
)

// holdDropping listens with the shortest queue there is, which has room for one connection, and fills it. As long as it
// is full the kernel drops each SYN that comes, and the dialler sends it again after 1 s, 3 s, 7 s and so on.
//
// The dial that fills the queue may return a moment before its connection is in there. The listener is readable as soon as it is.
func holdDropping() (addr string, free func(), err error) {
	fd, addr, err := bindLoopback()
	if err != nil {
		return "", nil, err
	}
	if err := syscall.Listen(fd, 0); err != nil {
		syscall.Close(fd)
		return "", nil, fmt.Errorf("cannot listen on %s: %w", addr, err)
	}
	fill, err := net.DialTimeout("tcp", addr, fenceWait)
	if err == nil {
		if err = waitReadable(fd, fenceWait); err != nil {
			reset(fill)
		}
	}
	if err != nil {
		syscall.Close(fd)
		return "", nil, fmt.Errorf("cannot fill the queue of %s: %w", addr, err)
	}
	return addr, sync.OnceFunc(func() {
		syscall.Close(fd)
		reset(fill)
	}), nil
}

func waitReadable(fd int, most time.Duration) error {
	poll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	defer syscall.Close(poll)
	if err := syscall.EpollCtl(poll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}); err != nil {
		return err
	}
	var events [1]syscall.EpollEvent
	for end := time.Now().Add(most); ; {
		n, err := syscall.EpollWait(poll, events[:], int(max(0, time.Until(end)).Milliseconds()))
		switch {
		case n > 0:
			return nil
		case err == syscall.EINTR:
		case err != nil:
			return err
		case time.Now().After(end):
			return errors.New("the connection that fills it did not arrive")
		}
	}
}
