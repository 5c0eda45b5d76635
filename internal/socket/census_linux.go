package socket

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

const limits = ""

// How the descriptors are found, and why so. Measured on 2 CPUs of a VM, Linux 6.18, with N sockets open:
//
//	                                              N=10     N=100    N=1000
//	getdents(/proc/self/fd), fstat on each        22 µs    92 µs    820 µs
//	getdents(/proc/self/fd), SO_COOKIE on each    11 µs    49 µs    520 µs
//	as here                                       8 µs     26 µs    230 µs
//
// One entry of /proc/self/fd costs 0.3 to 0.7 µs; SO_COOKIE costs 0.13 µs, and 0.11 µs where nothing is open. So it
// pays to ask every number, if the last one is known. It is, from select(2), whose manual says under BUGS that "the
// current implementation ignores any file descriptor in these sets that is greater than the maximum file descriptor
// number that the process currently has open", and that answers EBADF for a closed one below. What the kernel compares with
// is the size of the process's table of descriptors (fs/select.c, core_sys_select), a power of two from 64 up that never shrinks.
// What is open throughout a listing is below that bound, whatever else is opened or closed meanwhile.
//
// Where the numbers in use are far between (one descriptor at 5000 makes a table of 8192), /proc/self/fd, entered at the
// number reached, says which is the next. Opening it costs as much as asking 60 numbers, and each use as much as 10.
//
// Not used: the count of open descriptors that stat(2) of /proc/self/fd gives since Linux 6.2, because
// a descriptor opened while the listing runs makes it stop one too early; and poll(2) with POLLNVAL (0.015 µs a number), because it
// asks each open file whether it is ready, which waits on a FUSE file that this process serves itself.
const (
	tableMin = 32 << (^uintptr(0) >> 63) // the smallest table: the bits of a long (NR_OPEN_DEFAULT)
	tableCap = 1 << 20                   // numbers above are looked for in /proc only
	gapFirst = 32                        // so many closed numbers in a row, and /proc is opened
	gapNext  = 12                        // so many, once it is open, and it is asked for the next
	restMin  = 64                        // but not if only so many are left
)

const soCookie = 57 // the same on all architectures (asm-generic/socket.h; asm/socket.h of mips)

// Census lists the sockets of this process. Its zero value is ready. It keeps buffers from one listing to the next, so
// that a listing allocates nothing; calls must not overlap.
type Census struct {
	size int       // of the table of descriptors when last seen
	set  []uintptr // for select: all zero between calls
	dent []byte    // for getdents
	refs []Ref     // for States
}

// List appends all sockets that the process has open to dst, in the order of their numbers, and returns the longer slice.
// What is opened or closed while it runs may be in it or not.
func (c *Census) List(dst []Ref) ([]Ref, error) {
	end, known := c.table()
	if !known {
		out, ok := c.proc(dst)
		if ok {
			return out, nil
		}
		end = limit()
	}
	dir, gap, gapMax := -1, 0, gapFirst
	for fd := 0; fd < end; fd++ {
		id, e := identity(fd)
		if e == 0 {
			dst = append(dst, Ref{ID: id, FD: fd})
		}
		if e != syscall.EBADF {
			gap = 0
			continue
		}
		if gap++; gap < gapMax || !known || end-fd <= restMin {
			continue
		}
		if dir < 0 {
			if dir = openFDs(); dir < 0 {
				gapMax = end // it cannot be opened: ask to the end
				continue
			}
		}
		gap, gapMax = 0, gapNext
		last, ok := 0, false
		if dst, last, ok = c.some(dst, dir, fd+1); !ok {
			gapMax = end
			continue
		}
		if last < 0 {
			break // nothing more is open
		}
		fd = last
	}
	if dir >= 0 {
		syscall.Close(dir)
	}
	return dst, nil
}

// trusted is set once select has answered EBADF for a closed descriptor, that is, once it is known to look at them.
var trusted atomic.Bool

// table gives the size of the table of descriptors, or more. It is not known when the kernel does not behave
// as described above, or the table is larger than tableCap.
func (c *Census) table() (size int, known bool) {
	if !trusted.Load() {
		// The first closed number. It is beyond the table only when all of the table is in use: then not this time.
		fd := 0
		for fd < tableCap && isOpen(fd) {
			fd++
		}
		if c.ask(fd) != closed {
			return 0, false
		}
		trusted.Store(true)
	}
	for size = max(c.size, tableMin); size <= tableCap; size *= 2 {
		if c.ask(size) == beyond {
			c.size = size
			return size, true
		}
	}
	return 0, false
}

type answer int

const (
	open   answer = iota // the number is in use
	closed               // it is not
	beyond               // it is not, and the table ends before it
)

// ask finds out by select whether the table of descriptors has the number fd.
func (c *Census) ask(fd int) answer {
	if isOpen(fd) {
		return open // and do not let select ask the file whether it is ready
	}
	const bits = 8 * int(unsafe.Sizeof(uintptr(0)))
	word := fd / bits
	if word >= len(c.set) {
		c.set = make([]uintptr, word+1)
	}
	c.set[word] = 1 << (fd % bits)
	var now syscall.Timespec
	_, _, e := syscall.RawSyscall6(syscall.SYS_PSELECT6, uintptr(fd+1), uintptr(unsafe.Pointer(&c.set[0])), 0, 0,
		uintptr(unsafe.Pointer(&now)), 0)
	c.set[word] = 0
	switch e {
	case 0:
		return beyond
	case syscall.EBADF:
		return closed
	}
	return open // some other error: nothing is known
}

func isOpen(fd int) bool {
	_, e := identity(fd)
	return e != syscall.EBADF
}

var procFD = [...]byte{'/', 'p', 'r', 'o', 'c', '/', 's', 'e', 'l', 'f', '/', 'f', 'd', 0}

const (
	atFDCWD  = -100
	seekSet  = 0
	dentName = 19 // offset of the name in struct linux_dirent64; the entry's length is the 16-bit number at 16
	dentSize = 16
	dentMax  = 16 << 10
)

// openFDs opens /proc/self/fd; -1 when it cannot.
func openFDs() int {
	cwd := atFDCWD
	d, _, e := syscall.Syscall6(syscall.SYS_OPENAT, uintptr(cwd), uintptr(unsafe.Pointer(&procFD[0])),
		syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0, 0, 0)
	if e != 0 {
		return -1
	}
	return int(d)
}

// some appends the sockets among the next few open numbers from from on. last is the highest of these numbers, -1 when
// nothing is open there. ok is false when that cannot be told, and dst is then as it was.
//
// The position of an entry of /proc/self/fd is its number plus two, for "." and ".." (fs/proc/fd.c).
func (c *Census) some(dst []Ref, dir, from int) (out []Ref, last int, ok bool) {
	if _, err := syscall.Seek(dir, int64(from)+2, seekSet); err != nil {
		return dst, 0, false
	}
	had := len(dst)
	dst, first, last, ok := c.entries(dst, dir, 128) // bytes: four or five entries
	if !ok || last >= 0 && first < from {
		return dst[:had], 0, false
	}
	return dst, last, true
}

// proc appends the sockets that /proc/self/fd shows. ok is false when it cannot be read, and dst is then as it was.
func (c *Census) proc(dst []Ref) (out []Ref, ok bool) {
	dir := openFDs()
	if dir < 0 {
		return dst, false
	}
	defer syscall.Close(dir)
	had, last := len(dst), 0
	for last >= 0 {
		if dst, _, last, ok = c.entries(dst, dir, dentMax); !ok {
			return dst[:had], false
		}
	}
	return dst, true
}

// entries appends the sockets among the numbers that one reading of at most size bytes gives. first is the lowest and
// last the highest of these numbers, -1 at the end of the directory.
func (c *Census) entries(dst []Ref, dir, size int) (out []Ref, first, last int, ok bool) {
	if c.dent == nil {
		c.dent = make([]byte, dentMax)
	}
	n, err := 0, error(syscall.EINTR)
	for err == syscall.EINTR {
		n, err = syscall.Getdents(dir, c.dent[:size])
	}
	if err != nil || n > size {
		return dst, 0, 0, false
	}
	if n <= 0 {
		return dst, -1, -1, true
	}
	first, last = 1<<31-1, 0
	for b := c.dent[:n]; len(b) > dentName; {
		size := int(*(*uint16)(unsafe.Pointer(&b[dentSize])))
		if size <= dentName || size > len(b) {
			return dst, 0, 0, false
		}
		if fd, ok := number(b[dentName:size]); ok {
			first, last = min(first, fd), max(last, fd)
			if id, e := identity(fd); e == 0 {
				dst = append(dst, Ref{ID: id, FD: fd})
			}
		}
		b = b[size:]
	}
	return dst, first, last, true
}

// number reads a decimal number that ends at a zero byte.
func number(name []byte) (n int, ok bool) {
	for i, b := range name {
		if b == 0 {
			return n, i > 0
		}
		if b < '0' || b > '9' || n > 1<<30/10 {
			return 0, false
		}
		n = 10*n + int(b-'0')
	}
	return 0, false
}

// limit is how far to ask when neither select nor /proc gives a bound: as far as the process may number its
// descriptors, within reason. A descriptor opened under an earlier, higher limit is then not seen.
func limit() int {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil || uint64(r.Cur) > tableCap {
		return tableCap
	}
	return int(r.Cur)
}

// Identity gives the ID of the socket with this descriptor number, as in Ref; ok is false when it is none.
func Identity(fd int) (id uint64, ok bool) {
	id, e := identity(fd)
	return id, e == 0
}

// identity gives the socket's identity. The error is EBADF when nothing is open under the number and ENOTSOCK when it is not
// a socket.
func identity(fd int) (uint64, syscall.Errno) {
	var id uint64
	size := uint32(8)
	e := getsockopt(fd, syscall.SOL_SOCKET, soCookie, unsafe.Pointer(&id), &size)
	if e == 0 && size == 8 && id != 0 {
		return id, 0
	}
	if e == syscall.EBADF || e == syscall.ENOTSOCK {
		return 0, e
	}
	// Before Linux 4.12, or in a sandbox that answers for the kernel: the inode of the socket, which may be given
	// to another one after four thousand million sockets.
	return inode(fd)
}

func inode(fd int) (uint64, syscall.Errno) {
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		if e, ok := err.(syscall.Errno); ok {
			return 0, e
		}
		return 0, syscall.EBADF
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFSOCK {
		return 0, syscall.ENOTSOCK
	}
	return mix(uint64(st.Ino), uint64(st.Dev)), 0
}
