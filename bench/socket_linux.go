package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"github.com/leakgate/leakgate/internal/socket"
	"github.com/leakgate/leakgate/leakcheck"
)

const (
	nameFstat    = "getdents+fstat"
	nameReadlink = "ReadDir+Readlink"
)

// openSockets opens n sockets, in pairs that are connected to each other.
func openSockets(n int) (done func(), err error) {
	var fds []int
	done = func() {
		for _, fd := range fds {
			syscall.Close(fd)
		}
	}
	for len(fds) < n {
		pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			done()
			return nil, fmt.Errorf("%d sockets cannot be opened (see ulimit -n): %w", n, err)
		}
		fds = append(fds, pair[0], pair[1])
	}
	return done, nil
}

// lister gives the inodes of the sockets that the process has open.
type lister func(dst []uint64) ([]uint64, error)

// fstatLister reads the directory of descriptors and asks each what it is. It keeps its buffer, as ours does.
func fstatLister() lister {
	buf := make([]byte, 16<<10)
	return func(dst []uint64) ([]uint64, error) {
		dir, err := syscall.Open("/proc/self/fd", syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
		if err != nil {
			return dst, err
		}
		defer syscall.Close(dir)
		const sizeAt, nameAt = 16, 19 // struct linux_dirent64
		for {
			n, err := syscall.Getdents(dir, buf)
			if err != nil || n <= 0 {
				return dst, err
			}
			for b := buf[:n]; len(b) > nameAt; {
				size := int(*(*uint16)(unsafe.Pointer(&b[sizeAt])))
				fd, ok := number(b[nameAt:size])
				b = b[size:]
				if !ok {
					continue
				}
				var st syscall.Stat_t
				if syscall.Fstat(fd, &st) == nil && st.Mode&syscall.S_IFMT == syscall.S_IFSOCK {
					dst = append(dst, st.Ino)
				}
			}
		}
	}
}

// number reads a decimal number that ends at a zero byte.
func number(name []byte) (n int, ok bool) {
	for i, c := range name {
		if c == 0 {
			return n, i > 0
		}
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return 0, false
}

// readlinkList is what one writes with package os: the links in /proc/self/fd name the sockets.
func readlinkList(dst []uint64) ([]uint64, error) {
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return dst, err
	}
	for _, e := range entries {
		link, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // the directory's own descriptor
		}
		text, ok := strings.CutPrefix(link, "socket:[")
		if !ok {
			continue
		}
		inode, err := strconv.ParseUint(strings.TrimSuffix(text, "]"), 10, 64)
		if err != nil {
			return dst, err
		}
		dst = append(dst, inode)
	}
	return dst, nil
}

// censusLister is leakgate's own listing.
func censusLister() lister {
	var c socket.Census
	var refs []socket.Ref
	return func(dst []uint64) ([]uint64, error) {
		var err error
		refs, err = c.List(refs[:0])
		for _, r := range refs {
			dst = append(dst, r.ID)
		}
		return dst, err
	}
}

// listing is one listing of at least n sockets.
func listing(name string, n int, list lister) side {
	var ids []uint64
	return loop(name, func() error {
		var err error
		ids, err = list(ids[:0])
		if err == nil && len(ids) < n {
			err = fmt.Errorf("%d sockets seen of %d", len(ids), n)
		}
		return err
	})
}

// twice is a check made of two listings.
func twice(name string, list lister) side {
	var before, after []uint64
	return loop(name, func() error {
		var err error
		if before, err = list(before[:0]); err != nil {
			return err
		}
		known := make(map[uint64]bool, len(before))
		for _, id := range before {
			known[id] = true
		}
		if after, err = list(after[:0]); err != nil {
			return err
		}
		for _, id := range after {
			if !known[id] {
				return errors.New("reported without a leak")
			}
		}
		return nil
	})
}

func socketCheck() error {
	s := leakcheck.Take(leakcheck.Only(leakcheck.Socket))
	if leaks := s.Leaks(); len(leaks) > 0 {
		return fmt.Errorf("reported without a leak: %s", leaks[0].Summary)
	}
	return s.Err()
}

func socketSides(kind string, n int) []side {
	if kind == "listing" {
		return []side{
			listing(nameOurs, n, censusLister()),
			listing(nameFstat, n, fstatLister()),
			listing(nameReadlink, n, readlinkList),
		}
	}
	return []side{
		loop(nameOurs, socketCheck),
		twice(nameFstat, fstatLister()),
		twice(nameReadlink, readlinkList),
	}
}

// socketGoals are in nanoseconds, by the number of sockets.
var socketGoals = map[int]float64{100: 100e3, 1000: 1e6}

func socketComparisons() (out []comparison) {
	for _, kind := range []string{"check", "listing"} {
		for _, n := range []int{10, 100, 1000} {
			c := comparison{
				name:  fmt.Sprintf("sockets/%s/%d", kind, n),
				what:  fmt.Sprintf("%s, %d sockets", kind, n),
				goals: map[string]goal{},
				open: func() ([]side, func(), error) {
					done, err := openSockets(n)
					return socketSides(kind, n), done, err
				},
			}
			if limit, ok := socketGoals[n]; ok {
				c.goals[""] = goal{most, limit}
			}
			out = append(out, c)
		}
	}
	return out
}
