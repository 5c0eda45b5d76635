package dbcheck

import (
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/lease"
)

// gap is a time in which the driver was not called.
type gap struct {
	length        time.Duration
	before, after string // the calls around it; "" for the beginning of the lease
}

// place is the stack of a call.
type place struct {
	pcs [32]uintptr
	n   int
}

func (p *place) stack() []uintptr { return slices.Clone(p.pcs[:p.n]) }

// places are the stacks of calls, while MaxHold wants to know them.
type places struct {
	last          place // of the last call
	before, after place // of those around the longest gap; empty for the beginning of the lease
}

// spare keeps places for the next lease.
var spare = sync.Pool{New: func() any { return &places{} }}

// idled notes the time without a call that ends now. u.mu is locked.
func (u *use) idled(now lease.Moment, next string) {
	p, since := u.places, u.at
	if since == 0 {
		since = u.Taken()
	}
	if d := now.Sub(since); d > u.gap.length && !u.running {
		u.gap = gap{length: d, before: u.op, after: next}
		if p != nil {
			p.before = p.last
			p.after.n = runtime.Callers(3, p.after.pcs[:])
			p.last = p.after
			return
		}
	}
	if p != nil {
		p.last.n = runtime.Callers(3, p.last.pcs[:])
	}
}

// forget gives the places back. Nobody asks for them when the lease is over and was judged.
func (u *use) forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.places != nil {
		*u.places = places{}
		spare.Put(u.places)
		u.places = nil
	}
}

// placed adds its line to the name of a call: "Commit at store.go:60".
func placed(name string, pcs []uintptr) string {
	if len(pcs) == 0 {
		return name
	}
	if site := callsite.Pick(callers(pcs)); site.Func != "" {
		return name + " at " + short(site)
	}
	return name + " by database/sql, when its context ended"
}
