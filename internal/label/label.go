// Package label says which test a goroutine belongs to.
//
// A watch (one leakcheck.Verify, or one test under leakcheck.Main) puts a pprof label on its goroutine. Every
// goroutine started below inherits it, grandchildren and the loops of net/http included, so that the owner can be
// read back later: from a dump by the label's text, and on the running goroutine itself by Owner.
//
// It uses the standard library alone.
package label

import (
	"context"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Key is the label's key. Its value is "ID NAME", see Parse.
const Key = "leakgate"

// Shared is the name under which a goroutine is marked while it makes what is for the life of the process: whose test it is does
// not matter then.
const Shared = "process-wide"

// ID names one watch for the life of the process. 0 means "not known".
type ID uint64

// Keep is how many watches are remembered after their end, so that what they leave behind can be named. A fuzz target
// makes millions of them.
const Keep = 1 << 14

var (
	last   atomic.Uint64
	owners sync.Map // unsafe.Pointer of a label set -> *marked

	kept struct { // what Mark remembers
		sync.RWMutex
		by   map[ID]*marked
		ring ring[*marked] // the oldest to be forgotten first
	}
)

// marked is what is known of a watch. A package may have thousands of tests, and each keeps one.
type marked struct {
	id     ID
	parent ID // see Parent
	name   string
	labels unsafe.Pointer // of its goroutine
}

// NewID gives an ID that no other watch of this process has.
func NewID() ID {
	if s := shared.Load(); s != nil {
		return ID(s.IDs.Add(1))
	}
	return ID(last.Add(1))
}

// Mark labels the calling goroutine, and all that it starts from now on, as belonging to id. The function that it
// returns gives the goroutine its earlier labels back; it must be called on the same goroutine. Where the running
// Go version does not let a goroutine's own labels be read (see Supported), it takes all labels away instead.
func Mark(id ID, name string) (restore func()) {
	if s := shared.Load(); s != nil {
		return s.Mark(uint64(id), name)
	}
	before := get()
	m := &marked{id: id, name: name, parent: adoptedBy(id, Owner(), name)}
	ctx := pprof.WithLabels(context.Background(), pprof.Labels(Key, Value(id, name)))
	pprof.SetGoroutineLabels(ctx)
	m.labels = get()
	if m.labels != nil {
		owners.Store(m.labels, m)
	}
	remember(m)
	return func() {
		if Supported {
			set(before)
			return
		}
		pprof.SetGoroutineLabels(context.Background())
	}
}

// remember keeps what is known of a watch until Keep others have come.
func remember(m *marked) {
	kept.Lock()
	defer kept.Unlock()
	if kept.by == nil {
		kept.by = make(map[ID]*marked)
	}
	if before := kept.by[m.id]; before != nil && m.parent == 0 { // marked again, on another goroutine
		m.parent = before.parent
	}
	kept.by[m.id] = m
	old, full := kept.ring.put(m)
	if !full {
		return
	}
	if kept.by[old.id] == old { // else it was marked again
		delete(kept.by, old.id)
	}
	if old.labels != nil {
		owners.Delete(old.labels)
	}
}

// known gives what is remembered of a watch; nil when it is forgotten.
func known(id ID) *marked {
	kept.RLock()
	defer kept.RUnlock()
	return kept.by[id]
}

// NameOf gives the name that a watch was marked with, also after its end; "" when it is not known.
func NameOf(id ID) string {
	if s := shared.Load(); s != nil {
		return s.Name(uint64(id))
	}
	if m := known(id); m != nil {
		return m.name
	}
	return ""
}

// Owner gives the watch that the calling goroutine was marked with, itself or through the goroutine that started
// it; 0 when there is none, when the code runs under other pprof labels, or where Supported is false.
func Owner() ID {
	if s := shared.Load(); s != nil {
		return ID(s.Owner())
	}
	p := get()
	if p == nil {
		return 0
	}
	if v, ok := owners.Load(p); ok {
		return v.(*marked).id
	}
	return 0
}

// Value is the label's text for a watch.
func Value(id ID, name string) string {
	return strconv.FormatUint(uint64(id), 10) + " " + name
}

// Parse reads a label's text back; ok is false when it is not one of ours.
func Parse(value string) (id ID, name string, ok bool) {
	num, name, ok := strings.Cut(value, " ")
	if !ok {
		return 0, "", false
	}
	n, err := strconv.ParseUint(num, 10, 64)
	if err != nil {
		return 0, "", false
	}
	return ID(n), name, true
}
