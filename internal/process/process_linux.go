package process

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// Census lists the children of this process. Its zero value is ready. It keeps buffers from one listing to the next;
// calls must not overlap.
type Census struct {
	buf   []byte
	dents []byte
	pids  []int
	more  []int
}

const (
	pAll    = 0          // P_ALL: any child
	wAll    = 0x40000000 // __WALL: also children that do not send SIGCHLD
	wNoWait = 0x01000000 // WNOWAIT: leave the child as it is, so that it can be waited for again
)

// List appends all children that were not waited for, exited ones included, in the order of their PIDs, and returns the
// longer slice.
//
// waitid(2) says in one call whether there are children at all (ECHILD: there are none), and with WNOWAIT it
// changes nothing. Only if there are, /proc is read.
func (c *Census) List(dst []Ref) ([]Ref, error) {
	if !anyChild() {
		return dst, nil
	}
	c.pids = c.pids[:0]
	if !c.fromTasks() && !c.fromStat() {
		return dst, ErrUnsupported
	}
	self := self()
	for _, pid := range c.pids {
		st, ok := c.stat(pid)
		if !ok || st.parent != self {
			continue // waited for meanwhile
		}
		dst = append(dst, Ref{ID: mix(uint64(pid), st.start), PID: pid})
	}
	return dst, nil
}

// anyChild is true as well when the call fails for another reason than that there are none.
func anyChild() bool {
	for {
		_, _, e := syscall.RawSyscall6(syscall.SYS_WAITID, pAll, 0, 0,
			syscall.WNOHANG|wNoWait|syscall.WEXITED|wAll, 0, 0)
		if e != syscall.EINTR {
			return e != syscall.ECHILD
		}
	}
}

// fromTasks reads /proc/self/task/*/children. The file must be read for each thread, because a child belongs to the
// thread that started it. It needs CONFIG_PROC_CHILDREN, which not all kernels have.
//
// proc(5) warns that a child may be left out when another one exits during the reading. So it is read until it
// shows nothing that was not known before, and what was shown once counts: List drops what has gone.
func (c *Census) fromTasks() bool {
	const tries = 5
	for try := range tries {
		c.more = c.more[:0]
		seen, ok := 0, true
		if !c.dirents("/proc/self/task", func(tid int) {
			b, got := c.read("/proc/self/task/" + strconv.Itoa(tid) + "/children")
			if !got {
				// The thread has ended, or there is no such file at all.
				_, alive := c.read("/proc/self/task/" + strconv.Itoa(tid) + "/stat")
				ok = ok && !alive
				return
			}
			seen++
			for len(b) > 0 {
				word, rest, _ := bytes.Cut(b, []byte(" "))
				if pid, err := strconv.Atoi(string(word)); err == nil && pid > 0 {
					c.more = append(c.more, pid)
				}
				b = rest
			}
		}) || !ok || seen == 0 {
			return false
		}
		had := len(c.pids)
		c.pids = append(c.pids, c.more...)
		slices.Sort(c.pids)
		c.pids = slices.Compact(c.pids)
		if try > 0 && len(c.pids) == had {
			break
		}
	}
	return true
}

// fromStat asks every process of the machine for its parent.
func (c *Census) fromStat() bool {
	self := self()
	c.pids = c.pids[:0]
	ok := c.dirents("/proc", func(pid int) {
		if st, ok := c.stat(pid); ok && st.parent == self {
			c.pids = append(c.pids, pid)
		}
	})
	slices.Sort(c.pids)
	return ok
}

// stat is what is needed of /proc/PID/stat, see proc_pid_stat(5).
type stat struct {
	comm   string
	state  byte
	parent int
	start  uint64 // in ticks of 10 ms since the machine was started
}

func (c *Census) stat(pid int) (stat, bool) {
	b, ok := c.read("/proc/" + strconv.Itoa(pid) + "/stat")
	if !ok {
		return stat{}, false
	}
	return parseStat(b)
}

// parseStat reads "PID (name) state parent ...". The name may hold anything, brackets and spaces included: the last
// closing bracket ends it.
func parseStat(b []byte) (stat, bool) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 0 || end < open {
		return stat{}, false
	}
	f := bytes.Fields(b[end+1:]) // from the third field on
	if len(f) < 20 || len(f[0]) == 0 {
		return stat{}, false
	}
	parent, err := strconv.Atoi(string(f[1]))
	if err != nil {
		return stat{}, false
	}
	start, err := strconv.ParseUint(string(f[19]), 10, 64)
	if err != nil {
		return stat{}, false
	}
	return stat{comm: string(b[open+1 : end]), state: f[0][0], parent: parent, start: start}, true
}

// Describe reads what there is to say about the child. It is false when it was waited for, or when its PID
// belongs to another process by now: the identity is read before and after.
func Describe(r Ref) (Child, bool) {
	var c Census
	if _, ok := c.same(r); !ok {
		return Child{}, false
	}
	child := Child{Ref: r, Args: -1}
	dir := "/proc/" + strconv.Itoa(r.PID)
	exe := readlink(dir + "/exe")
	if b, ok := c.read(dir + "/cmdline"); ok && len(b) > 0 {
		child.Args = bytes.Count(b, []byte{0}) - 1
		if b[len(b)-1] != 0 {
			child.Args++ // a program may write over its own arguments
		}
	}
	st, ok := c.same(r)
	if !ok {
		return Child{}, false
	}
	exe = strings.TrimSuffix(exe, " (deleted)")
	child.Name = exe[strings.LastIndexByte(exe, '/')+1:]
	if exe == "" {
		child.Name = st.comm // of an exited child; the kernel cuts it to 15 bytes
	}
	child.State = states[st.state]
	child.Exited = st.state == 'Z' || st.state == 'X'
	if now := sinceBoot(); now > 0 {
		const tick = 10 * time.Millisecond // USER_HZ is 100 on all architectures that Go has
		if age := now - time.Duration(st.start)*tick; age > 0 {
			child.Age = age.Round(tick)
		}
	}
	return child, true
}

func (c *Census) same(r Ref) (stat, bool) {
	st, ok := c.stat(r.PID)
	return st, ok && mix(uint64(r.PID), st.start) == r.ID && st.parent == self()
}

// self is this process as /proc numbers it: a /proc of another PID namespace has other numbers than getpid(2).
func self() int {
	pid, err := strconv.Atoi(readlink("/proc/self"))
	if err != nil {
		return syscall.Getpid()
	}
	return pid
}

var states = map[byte]string{
	'R': "running", 'S': "sleeping", 'D': "waiting for a disk", 'T': "stopped", 't': "traced", 'Z': "exited",
	'X': "exited", 'I': "idle",
}

// sinceBoot reads CLOCK_BOOTTIME, the clock that the start in /proc/PID/stat is of, time namespaces included.
// /proc/uptime may be another one: containers put their own in its place.
func sinceBoot() time.Duration {
	const clockBootTime = 7
	var now syscall.Timespec
	if _, _, e := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockBootTime, uintptr(unsafe.Pointer(&now)), 0); e != 0 {
		return 0
	}
	return time.Duration(now.Nano())
}

func readlink(path string) string {
	var b [4096]byte
	n, err := syscall.Readlink(path, b[:])
	if err != nil || n <= 0 {
		return ""
	}
	return string(b[:n])
}

// read gives all of a small file. The bytes are valid until the next call.
func (c *Census) read(path string) ([]byte, bool) {
	f, err := open(path, 0)
	if err != nil {
		return nil, false
	}
	defer syscall.Close(f)
	if c.buf == nil {
		c.buf = make([]byte, 16<<10)
	}
	n := 0
	for {
		m, err := syscall.Read(f, c.buf[n:])
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return nil, false
		case m <= 0:
			return c.buf[:n], true
		}
		if n += m; n == len(c.buf) {
			c.buf = append(c.buf, make([]byte, len(c.buf))...)
		}
	}
}

func open(path string, flags int) (int, error) {
	for {
		f, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC|flags, 0)
		if err != syscall.EINTR {
			return f, err
		}
	}
}

// dirents calls f with each entry of a directory whose name is a number.
func (c *Census) dirents(path string, f func(n int)) bool {
	d, err := open(path, syscall.O_DIRECTORY)
	if err != nil {
		return false
	}
	defer syscall.Close(d)
	if c.dents == nil {
		c.dents = make([]byte, 16<<10)
	}
	const sizeAt, nameAt = 16, 19 // struct linux_dirent64
	for {
		n, err := syscall.Getdents(d, c.dents)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n > len(c.dents) {
			return false
		}
		if n <= 0 {
			return true
		}
		for b := c.dents[:n]; len(b) > nameAt; {
			size := int(*(*uint16)(unsafe.Pointer(&b[sizeAt])))
			if size <= nameAt || size > len(b) {
				return false
			}
			name, _, _ := bytes.Cut(b[nameAt:size], []byte{0})
			if n, err := strconv.Atoi(string(name)); err == nil && n > 0 {
				f(n)
			}
			b = b[size:]
		}
	}
}
