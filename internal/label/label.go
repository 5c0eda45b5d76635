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

// ID names one watch for the life of the process. 0 means "not known".
type ID uint64

var (
	last   atomic.Uint64
	owners sync.Map // unsafe.Pointer of a label set -> ID
	names  sync.Map // ID -> string
)

// NewID gives an ID that no other watch of this process has.
func NewID() ID { return ID(last.Add(1)) }

// Mark labels the calling goroutine, and all that it starts from now on, as belonging to id. The function that it
// returns gives the goroutine its earlier labels back; it must be called on the same goroutine. Where the running
// Go version does not let a goroutine's own labels be read (see Supported), it takes all labels away instead.
func Mark(id ID, name string) (restore func()) {
	before := get()
	Name(id, name)
	ctx := pprof.WithLabels(context.Background(), pprof.Labels(Key, Value(id, name)))
	pprof.SetGoroutineLabels(ctx)
	if p := get(); p != nil {
		owners.Store(p, id)
	}
	return func() {
		if Supported {
			set(before)
			return
		}
		pprof.SetGoroutineLabels(context.Background())
	}
}

// Name gives the watch a name without marking a goroutine.
func Name(id ID, name string) { names.Store(id, name) }

// NameOf gives the name of a watch, also after its end; "" when there is none.
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

var _ unsafe.Pointer // the label set of a goroutine is one
