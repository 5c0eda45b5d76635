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
	owners sync.Map // unsafe.Pointer of a label set -> ID
	names  sync.Map // ID -> string

	kept struct { // what Mark remembers, the oldest to be forgotten first
		sync.Mutex
		ring [Keep]struct {
			id     ID
			labels unsafe.Pointer
		}
		next int
	}
)

// NewID gives an ID that no other watch of this process has.
func NewID() ID { return ID(last.Add(1)) }

// Mark labels the calling goroutine, and all that it starts from now on, as belonging to id. The function that it
// returns gives the goroutine its earlier labels back; it must be called on the same goroutine. Where the running
// Go version does not let a goroutine's own labels be read (see Supported), it takes all labels away instead.
func Mark(id ID, name string) (restore func()) {
	before := get()
	adopt(id, Owner(), name)
	names.Store(id, name)
	ctx := pprof.WithLabels(context.Background(), pprof.Labels(Key, Value(id, name)))
	pprof.SetGoroutineLabels(ctx)
	p := get()
	if p != nil {
		owners.Store(p, id)
	}
	remember(id, p)
	return func() {
		if Supported {
			set(before)
			return
		}
		pprof.SetGoroutineLabels(context.Background())
	}
}

// remember keeps what is known of a watch until Keep others have come.
func remember(id ID, labels unsafe.Pointer) {
	kept.Lock()
	defer kept.Unlock()
	slot := &kept.ring[kept.next]
	kept.next = (kept.next + 1) % Keep
	if slot.id != 0 {
		names.Delete(slot.id)
		orphan(slot.id)
	}
	if slot.labels != nil {
		owners.Delete(slot.labels)
	}
	slot.id, slot.labels = id, labels
}

// NameOf gives the name that a watch was marked with, also after its end; "" when it is not known.
func NameOf(id ID) string {
	if v, ok := names.Load(id); ok {
		return v.(string)
	}
	return ""
}

// Owner gives the watch that the calling goroutine was marked with, itself or through the goroutine that started
// it; 0 when there is none, when the code runs under other pprof labels, or where Supported is false.
func Owner() ID {
	p := get()
	if p == nil {
		return 0
	}
	if v, ok := owners.Load(p); ok {
		return v.(ID)
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
