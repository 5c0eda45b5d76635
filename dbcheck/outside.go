package dbcheck

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/dbuse"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/outbound"
	"github.com/leakgate/leakgate/internal/roundtrip"
	"github.com/leakgate/leakgate/leakcheck"
)

// NoCallWhileHeld fails a test that sends an HTTP request while it holds a connection of a wrapped pool: the connection is
// out for as long as somebody else's server takes to answer, and a few such requests drain the pool.
//
// Requests are seen where they are sent, by tracked transports (package httpcheck, and http.DefaultTransport, which this option
// tracks as leakcheck.Verify does: plain http, not https), and where they arrive, at a server of package mockserver, whatever sent them. The test fails when the
// goroutine that sends the request is the one that took the lease, and the entry names both lines. When another goroutine of the test holds one,
// that is only possibly the same piece of work, and is logged.
//
// Leases that were taken before the check began are not counted, so that a test may run inside a transaction of its own.
//
// A lease that one goroutine took and handed to another still counts for the first one.
func NoCallWhileHeld() leakcheck.Option {
	return follow("NoCallWhileHeld", func(s scope, fd leakcheck.Followed) func() []leakcheck.Leak {
		roundtrip.CoverDefault()
		w := &callWatch{scope: s, logged: make(map[string]bool)}
		remove := observers.Add(&dbuse.Observer{Scope: s.Scope, ByGoid: true})
		stop := outbound.Calls.Listen(w.called)
		return func() []leakcheck.Leak {
			stop()
			remove()
			w.mu.Lock()
			possible := w.possible
			w.mu.Unlock()
			for _, text := range possible {
				fd.T.Logf("%s", text)
			}
			return w.found.take()
		}
	})
}

type callWatch struct {
	scope scope
	found found

	mu       sync.Mutex
	dumper   goroutine.Dumper
	logged   map[string]bool
	possible []string
}

// called is told of each request, on the goroutine that sends or serves it.
func (w *callWatch) called(c outbound.Call) {
	held := observers.Holders()
	for id, us := range held {
		us = slices.DeleteFunc(us, func(u dbuse.Lease) bool { return !w.scope.CoversLease(u) })
		if held[id] = us; len(us) == 0 {
			delete(held, id)
		}
	}
	if len(held) == 0 {
		return
	}
	if c.Arrived {
		w.arrived(c, held)
		return
	}
	var buf [64]byte
	self := goroutine.CurrentID(buf[:])
	var pcs [64]uintptr
	stack := callsite.Expand(pcs[:runtime.Callers(2, pcs[:])])
	for _, u := range held[self] {
		w.report(c, u, stack)
	}
	if by := label.Owner(); len(held[self]) == 0 && (by == 0 || label.Within(by, w.scope.Test)) {
		w.overlap(c, held, callsite.Caller(stack, "net/http.(*Client)."))
	}
}

// arrived looks which of the goroutines that hold a lease wait for an answer now; where none does, which others.
func (w *callWatch) arrived(c outbound.Call, held map[uint64][]dbuse.Lease) {
	certain := false
	var others []*goroutine.Goroutine
	w.mu.Lock()
	profile := ""
	if !goroutine.LabelsInDump() { // Go 1.25
		profile = goroutine.LabelProfile()
	}
	dump := w.dumper.DumpLabels()
	observers.StillHeld(held)
	goroutine.Scan(dump, func(h goroutine.Head) bool {
		if !bytes.Contains(h.Block, []byte("net/http.(*")) {
			return true
		}
		g, _ := goroutine.Parse(h.Block)
		if !sends(&g) {
			return true
		}
		for _, u := range held[h.ID] {
			certain = true
			w.report(c, u, g.Frames)
		}
		others = append(others, &g)
		return true
	})
	w.mu.Unlock()
	if certain {
		return
	}
	if profile != "" {
		goroutine.AttachLabels(others, profile, make(map[uint64][]goroutine.Label))
	}
	var sites []callsite.Frame
	for _, g := range others {
		if site := callsite.Caller(g.Frames, "net/http.(*Client)."); site.Func != "" && dbuse.Belongs(g, w.scope.Test) {
			sites = append(sites, site)
		}
	}
	if len(sites) == 1 { // else it is not known which of them sent it
		w.overlap(c, held, sites[0])
	}
}

// sends says whether a goroutine is in an HTTP client.
func sends(g *goroutine.Goroutine) bool {
	for _, f := range g.Frames {
		if strings.HasPrefix(f.Func, "net/http.(*Transport).") || strings.HasPrefix(f.Func, "net/http.(*persistConn).roundTrip") {
			return true
		}
	}
	return false
}

// report keeps a request that was sent by the goroutine that holds the lease, once for each pair of lines.
func (w *callWatch) report(c outbound.Call, u dbuse.Lease, stack []callsite.Frame) {
	site := callsite.Caller(stack, "net/http.(*Client).")
	name := u.What()
	place := ""
	if site.Func != "" {
		place = " at " + short(site)
	}
	w.found.add(name+" "+site.Position(), func() leakcheck.Leak {
		leak := leakcheck.Leak{
			Kind: kindOf(u.Pool()), Code: codeCall,
			Summary: fmt.Sprintf("%s was sent%s while its goroutine held %s", c.What, place, name),
			State:   "the connection is out for as long as the answer takes",
			Hint:    "send the request before the connection is taken, or after it is given back",
		}
		leak = atFrames(leak, stack)
		if site.Func != "" {
			leak.Site = frame(site)
		}
		leak.Holds = append(leak.Holds, takenRows("the lease", u)...)
		return leak
	})
}

// takenRows are the lines that took a lease, the innermost first.
func takenRows(what string, u dbuse.Lease) (out []string) {
	what += ", taken at "
	for _, f := range takers(u.PCs()) {
		if len(out) == 3 {
			break
		}
		out = append(out, what+where(frame(f)))
		what = strings.Repeat(" ", len(what)-len("via ")) + "via "
	}
	return out
}

// takers are the program's frames that took a lease, the innermost first.
func takers(pcs []uintptr) []callsite.Frame {
	stack := callers(pcs)
	if site := slices.Index(stack, callsite.Pick(stack)); site > 0 {
		return stack[site:] // what an ORM or pgx does before is not the reader's
	}
	return stack
}

// overlap notes a request that was sent while another goroutine of the test held a lease, once for each pair of lines.
func (w *callWatch) overlap(c outbound.Call, held map[uint64][]dbuse.Lease, site callsite.Frame) {
	place := ""
	if site.Func != "" {
		place = " at " + short(site)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, us := range held {
		for _, u := range us {
			name := u.What()
			if key := place + " " + name; !w.logged[key] && len(w.possible) < maxFound {
				w.logged[key] = true
				w.possible = append(w.possible, fmt.Sprintf("dbcheck: possible: %s was sent%s while another goroutine held %s: a coincidence, unless that one waits for the answer (%s)",
					c.What, place, name, codeCall))
			}
		}
	}
}
