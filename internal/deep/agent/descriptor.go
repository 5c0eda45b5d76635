package agent

import (
	"fmt"
	"strings"
	"sync"
	"unsafe"

	"github.com/leakgate/leakgate/internal/callstack"
	"github.com/leakgate/leakgate/internal/fold"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/origin"
)

// The kinds of leases, as leakcheck calls them.
const (
	kindFile   = "file"
	kindSocket = "socket"
)

// The pools that they are counted in.
var (
	files   = lease.Live.NewPool(kindFile, "files", nil)
	sockets = lease.Live.NewPool(kindSocket, "sockets", nil)
)

// open are the descriptors that internal/poll has now.
var open descriptors

// descriptors are known by the address of their *poll.FD, which they keep until they are closed. It is kept as a number,
// so that it keeps nothing alive.
type descriptors struct {
	mu    sync.Mutex
	by    map[uintptr]*descriptor
	byNum map[int]*descriptor

	pids map[int]origin.Origin
}

// descriptor is one open descriptor.
type descriptor struct {
	num     int
	network string
	stack   *callstack.Stack // that of the lease, also where there is none
	test    label.ID

	mu     sync.Mutex
	name   string
	closed bool
	byGC   bool // the garbage collector closed it

	lease.Lease
}

// opened runs in internal/poll.(*FD).Init.
func (o *descriptors) opened(fd unsafe.Pointer, sysfd uintptr, network string) {
	defer contain()
	d := &descriptor{num: int(sysfd), network: network, test: label.Owner(), stack: callstack.Capture(2)}
	if !isFileKind(network) {
		sockets.TakeFor(d.test, &d.Lease, d, 2)
	}
	o.mu.Lock()
	if o.by == nil {
		o.by, o.byNum = make(map[uintptr]*descriptor), make(map[int]*descriptor)
	}
	o.by[uintptr(fd)] = d
	o.byNum[d.num] = d
	o.mu.Unlock()
}

// named runs in os.newFile: what it makes is a file.
func (o *descriptors) named(fd unsafe.Pointer, name string) {
	defer contain()
	o.mu.Lock()
	d := o.by[uintptr(fd)]
	o.mu.Unlock()
	if d == nil {
		return
	}
	d.mu.Lock()
	d.name = name
	isFile := !d.closed
	d.mu.Unlock()
	if isFile && (d.num > 2 || d.network != "file") && isFileKind(d.network) {
		files.TakeFor(d.test, &d.Lease, d, 2)
	}
}

// isFileKind says whether internal/poll's name of the kind is one of files: those of sockets are the networks of package net.
func isFileKind(network string) bool {
	switch network {
	case "file", "dir", "pipe", "console":
		return true
	}
	return false
}

// closing runs at the beginning of internal/poll.(*FD).destroy.
func (o *descriptors) closing(fd unsafe.Pointer) {
	defer contain()
	o.mu.Lock()
	d := o.by[uintptr(fd)]
	delete(o.by, uintptr(fd))
	if d != nil && o.byNum[d.num] == d {
		delete(o.byNum, d.num)
	}
	o.mu.Unlock()
	if d == nil {
		return
	}
	byGC := d.Pool() != nil && collected()
	d.mu.Lock()
	d.closed, d.byGC = true, byGC
	d.mu.Unlock()
	if !byGC {
		d.Release(false)
	}
}

// collected says whether the calling goroutine is the one that runs finalizers and cleanups: what is closed there, nobody
// has closed and nobody could.
func collected() bool {
	s := callstack.Capture(2)
	return s.Through("runtime.runFinalizers") || s.Through("runtime.runfinq") || s.Through("runtime.runCleanups")
}

// Descriptor gives the origin of an open descriptor.
func (o *descriptors) Descriptor(num int) (origin.Origin, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	d := o.byNum[num]
	if d == nil {
		return origin.Origin{}, false
	}
	from := origin.Origin{PCs: d.stack.PCs(), Test: d.test}
	if d.Pool() != nil { // else it is not a lease yet
		from.Lease = d.ID()
	}
	return from, true
}

// Process gives the origin of a child process.
func (o *descriptors) Process(pid int) (origin.Origin, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p, ok := o.pids[pid]
	return p, ok
}

// started runs in os.StartProcess.
func started(pid int) {
	defer contain()
	from := origin.Origin{PCs: callstack.Capture(2).PCs(), Test: label.Owner()}
	open.mu.Lock()
	defer open.mu.Unlock()
	if open.pids == nil || len(open.pids) >= maxPIDs {
		open.pids = make(map[int]origin.Origin)
	}
	open.pids[pid] = from
}

// maxPIDs bounds what is remembered of child processes; the kernel gives their numbers again.
const maxPIDs = 1 << 12

// Now says what the lease is at this moment.
func (d *descriptor) Now() lease.State {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed && !d.byGC || !d.closed && !isFileKind(d.network) { // an open socket is listed as what it is
		return lease.Released
	}
	return lease.Held
}

// Info describes the lease.
func (d *descriptor) Info() lease.Info {
	d.mu.Lock()
	defer d.mu.Unlock()
	info := lease.Info{
		Kind: kindFile, Code: fold.CodeFile, Hint: "defer f.Close()",
		State: fmt.Sprintf("open, descriptor %d", d.num),
	}
	switch {
	case !isFileKind(d.network):
		info.Kind, info.Code, info.Hint = kindSocket, fold.CodeSocket, "defer conn.Close()"
		info.Summary = "a " + d.network + " socket was never closed"
	case d.name == "|0":
		info.Summary = "the end of a pipe that is read was never closed"
		info.Hint = "close both ends of the pipe"
	case d.name == "|1":
		info.Summary = "the end of a pipe that is written to was never closed"
		info.Hint = "close both ends of the pipe"
	case strings.TrimSpace(d.name) == "":
		info.Summary = "a file was never closed"
	default:
		info.Summary = "file " + d.name + " was never closed"
	}
	if d.byGC {
		info.State = "proved: nothing could close it any more; the garbage collector did"
		info.Note = "in production it stays open until a collection that may be minutes off"
	}
	return info
}
