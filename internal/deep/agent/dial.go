package agent

import (
	"net/netip"
	"os"
	"runtime"
	"strings"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/deep/hook"
	"github.com/leakgate/leakgate/internal/deep/mode"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/outbound"
)

// allowedDials gives the patterns of what may be dialled; nil when anything may.
func allowedDials() (patterns []string) {
	for p := range strings.SplitSeq(os.Getenv(mode.Dials), "\n") {
		if p != "" {
			patterns = append(patterns, p)
		}
	}
	return patterns
}

// watchDials begins to tell of dials, when the checks that judge them are there, and tells of what was dialled before: init
// functions, package-level variables and TestMain come first.
func watchDials() {
	defer contain()
	for _, e := range hook.WatchNetwork(&hook.Network{Dialling: dialling, LookedUp: lookedUp, Listening: listening}) {
		switch {
		case e.Listening:
			listening(e.Network, e.Address)
		case ofNet(e.PCs):
		case e.LookedUp != nil:
			tellLookup(*e.LookedUp, e.PCs)
		default:
			d := outbound.Begin(e.Network, e.Address, 0)
			d.PCs = e.PCs
			outbound.Dials.Tell(d)
			e.Tell(dial{d})
		}
	}
}

// dial hands on how a dial goes on.
type dial struct{ d *outbound.Dial }

// Trying notes an address that is tried.
func (x dial) Trying(address string) {
	defer contain()
	x.d.Trying(address)
}

// Ended notes how it ended.
func (x dial) Ended(end hook.DialEnd) {
	defer contain()
	x.d.Ended(outbound.End(end))
}

// dialling runs where package net begins to dial.
func dialling(network, address string) hook.Dial {
	defer contain()
	var pcs [64]uintptr
	if ofNet(pcs[:runtime.Callers(2, pcs[:])]) {
		return nil
	}
	d := outbound.Begin(network, address, goroutine.CurrentID(nil))
	outbound.Dials.Tell(d)
	return dial{d}
}

// lookedUp runs where package net has looked up the addresses of a host, and dials none of them by itself.
func lookedUp(l hook.Lookup) {
	defer contain()
	tellLookup(l, nil)
}

// tellLookup tells of a look-up. When it failed, it is all that is seen of a dial that would have come of it.
func tellLookup(l hook.Lookup, pcs []uintptr) {
	if l.Err == nil {
		told := outbound.Lookup{Host: l.Host}
		for _, text := range l.Addresses {
			if a, err := netip.ParseAddr(text); err == nil {
				told.Addresses = append(told.Addresses, a)
			}
		}
		outbound.Lookups.Tell(told)
		return
	}
	if own, err := os.Hostname(); err == nil && strings.EqualFold(own, strings.TrimSuffix(l.Host, ".")) {
		return // a program that wants to know its own addresses
	}
	if pcs == nil {
		var buf [64]uintptr
		if toListen(buf[:runtime.Callers(2, buf[:])]) {
			return
		}
	} else if toListen(pcs) {
		return
	}
	d := outbound.Begin("tcp", l.Host, goroutine.CurrentID(nil))
	d.Lookup, d.PCs = true, pcs
	outbound.Dials.Tell(d)
	d.Ended(outbound.End(l.DialEnd))
}

// listening runs where package net begins to listen.
func listening(network, address string) {
	defer contain()
	outbound.Own.Add(network, address)
}

// ofNet says whether package net dials for itself: a server of names, or to find out which of a name's addresses is best, for
// which it connects UDP sockets and sends nothing.
func ofNet(pcs []uintptr) bool { return through(pcs, "net.(*Resolver).dial", "net.srcAddrs") }

// toListen says whether a name is looked up in order to listen there.
func toListen(pcs []uintptr) bool {
	return through(pcs, "net.(*ListenConfig).Listen", "net.(*ListenConfig).ListenPacket")
}

func through(pcs []uintptr, functions ...string) bool {
	for _, f := range callsite.Expand(pcs) {
		for _, name := range functions {
			if f.Func == name {
				return true
			}
		}
	}
	return false
}
