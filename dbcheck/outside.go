package dbcheck

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/outbound"
	"github.com/leakgate/leakgate/leakcheck"
)

// NoCallWhileHeld fails a test that sends an HTTP request while it holds a connection of a wrapped pool: the connection is
// out for as long as somebody else's server takes to answer, and a few such requests drain the pool.
//
// Requests are seen where they are sent, by tracked transports (package httpcheck; http.DefaultTransport under
// leakcheck.Verify), and where they arrive, at a server of package mockserver, whatever sent them. The test fails when the
// goroutine that sends the request is the one that took the lease, and the entry names both lines. When another goroutine of the test holds one,
// that may be a coincidence, and is logged.
//
// Leases that were taken before the check began are not counted, so that a test may run inside a transaction of its own.
func NoCallWhileHeld() leakcheck.Option {
	return follow("NoCallWhileHeld", func(s scope, fd leakcheck.Followed) func() []leakcheck.Leak {
		w := &callWatch{scope: s, logged: make(map[string]bool)}
		remove := observers.add(&observer{scope: s, byGoid: true})
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
	held := observers.holders()
	for id, us := range held {
		us = slices.DeleteFunc(us, func(u *use) bool { return !w.scope.coversUse(u) })
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
	if len(held[self]) == 0 {
		w.overlap(c, held, callsite.Caller(stack, "net/http.(*Client)."))
	}
}

// arrived looks which of the goroutines that hold a lease wait for an answer now.
func (w *callWatch) arrived(c outbound.Call, held map[uint64][]*use) {
	w.mu.Lock()
	defer w.mu.Unlock()
	goroutine.Scan(w.dumper.Dump(), func(h goroutine.Head) bool {
		us := held[h.ID]
		if len(us) == 0 {
			return true
		}
		g, _ := goroutine.Parse(h.Block)
		if !sends(&g) {
			return true
		}
		for _, u := range us {
			w.report(c, u, g.Frames)
		}
		return true
	})
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
func (w *callWatch) report(c outbound.Call, u *use, stack []callsite.Frame) {
	site := callsite.Caller(stack, "net/http.(*Client).")
	name := describeUse(u)
	place := ""
	if site.Func != "" {
		place = " at " + short(site)
	}
	w.found.add(name+" "+site.Position(), func() leakcheck.Leak {
		leak := leakcheck.Leak{
			Kind: leakcheck.SQLConn, Code: codeCall,
			Summary: fmt.Sprintf("%s was sent%s while its goroutine held %s", c.What, place, name),
			State:   "the connection is out for as long as the answer takes",
			Hint:    "send the request before the connection is taken, or after it is given back",
		}
		leak = atFrames(leak, stack)
		if site.Func != "" {
			leak.Site = frame(site)
		}
		for i, f := range callsite.User(callsite.Expand(u.PCs())) {
			if i == 3 {
				break
			}
			word := "the lease, taken at "
			if i > 0 {
				word = "               via "
			}
			leak.Holds = append(leak.Holds, word+where(frame(f)))
		}
		return leak
	})
}

// overlap notes a request that was sent while another goroutine of the test held a lease.
func (w *callWatch) overlap(c outbound.Call, held map[uint64][]*use, site callsite.Frame) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, us := range held {
		for _, u := range us {
			text := fmt.Sprintf("dbcheck: possible: %s was sent at %s while another goroutine held %s", c.What, short(site), describeUse(u))
			if !w.logged[text] && len(w.possible) < maxFound {
				w.logged[text] = true
				w.possible = append(w.possible, text)
			}
		}
	}
}
