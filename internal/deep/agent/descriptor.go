package agent

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/leakgate/leakgate/internal/callsite"
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

	pids map[int]child

	changes atomic.Uint64 // opened and closed
}

// descriptor is one open descriptor.
type descriptor struct {
	num     int
	at      uintptr // address of its *poll.FD, or of its os.Root
	network string
	stack   *callstack.Stack // that of the lease, also where there is none
	test    label.ID
	role    string           // of a connection, see server.go; guarded by descriptors.mu
	from    *callstack.Stack // that of the listener of a connection; guarded by descriptors.mu

	mu     sync.Mutex
	name   string
	closed bool
	byGC   bool // the garbage collector closed it

	lease.Lease
}

// opened runs in internal/poll.(*FD).Init.
func (o *descriptors) opened(fd unsafe.Pointer, sysfd uintptr, network string) {
	defer contain()
	o.changes.Add(1)
	d := &descriptor{num: int(sysfd), at: uintptr(fd), network: network, test: label.Owner(), stack: callstack.Capture(2)}
	if !isFileKind(network) {
		sockets.TakeAt(d.test, &d.Lease, d, d.stack)
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

// connected runs in net.(*sysDialer).dialParallel, on the goroutine that dials: where goroutines of its own tried the addresses, the
// lease begins anew with the line that dialled.
func (o *descriptors) connected(fd unsafe.Pointer) {
	defer contain()
	o.mu.Lock()
	old := o.by[uintptr(fd)]
	o.mu.Unlock()
	if old == nil || old.stack.Through("net.(*Dialer).DialContext") {
		return
	}
	d := &descriptor{num: old.num, at: uintptr(fd), network: old.network, test: label.Owner(), stack: callstack.Capture(2)}
	sockets.TakeAt(d.test, &d.Lease, d, d.stack)
	o.mu.Lock()
	o.by[uintptr(fd)] = d
	o.byNum[d.num] = d
	o.mu.Unlock()
	old.mu.Lock()
	old.closed = true
	old.mu.Unlock()
	old.Release(false)
}

// kindRoot is the network of an os.Root.
const kindRoot = "root"

// isFileKind says whether internal/poll's name of the kind is one of files: those of sockets are the networks of package net.
func isFileKind(network string) bool {
	switch network {
	case "file", "dir", "pipe", "console", kindRoot:
		return true
	}
	return false
}

// closing runs at the beginning of internal/poll.(*FD).destroy.
func (o *descriptors) closing(fd unsafe.Pointer) {
	defer contain()
	o.changes.Add(1)
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
	from := origin.Origin{PCs: d.stack.PCs(), Test: d.test, Role: d.role, From: d.from.PCs()}
	if d.Pool() != nil { // else it is not a lease yet
		from.Lease = d.ID()
	}
	return from, true
}

// Changes counts what was opened and closed.
func (o *descriptors) Changes() uint64 { return o.changes.Load() }

// Process gives the origin of a child process.
func (o *descriptors) Process(pid int) (origin.Origin, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p, ok := o.pids[pid]
	return p.Origin, ok
}

// child is a child process: where it was started, and the address of its *os.Process, as a number.
type child struct {
	origin.Origin
	process uintptr
}

// started runs in os.StartProcess.
func started(pid int, process unsafe.Pointer) {
	defer contain()
	from := child{origin.Origin{PCs: callstack.Capture(2).PCs(), Test: label.Owner()}, uintptr(process)}
	open.mu.Lock()
	defer open.mu.Unlock()
	if open.pids == nil || len(open.pids) >= maxPIDs {
		open.pids = make(map[int]child)
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
		State: fmt.Sprintf("open, descriptor %d", d.num), Provable: true,
	}
	switch {
	case !isFileKind(d.network):
		info.Kind, info.Code, info.Hint = kindSocket, fold.CodeSocket, "defer conn.Close()"
		info.Summary = "a " + d.network + " socket was never closed"
	case d.network == kindRoot:
		info.Summary, info.Hint = "os.Root of "+d.name+" was never closed", "defer root.Close()"
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
	if byNewFile(d.stack) {
		info.State += ", which os.NewFile was given"
	}
	if d.byGC {
		info.State = "proved: nothing could close it any more; the garbage collector did"
		info.Note = "in production it stays open until a collection that may be minutes off"
	}
	return info
}

// byNewFile says whether the user has made the file of a descriptor that was there: who opened that is not known.
func byNewFile(s *callstack.Stack) bool {
	frames := callsite.Expand(s.PCs())
	for i, f := range frames {
		if f.Func == "os.NewFile" {
			return i+1 < len(frames) && !callsite.IsStd(frames[i+1])
		}
	}
	return false
}
