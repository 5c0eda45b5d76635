//go:build !leakgate_deep

package leakcheck

import (
	"slices"

	"github.com/leakgate/leakgate/internal/outbound"
)

// allowRemotesWord is how messages call what says where a test may connect to.
const allowRemotesWord = allowRemotesName

// noTest says of what no test is known for why that is; "" for what is said of any leak.
func noTest(*remoteAt) string { return "" }

// howToAllow is the code that allows one more pattern.
func (r *remotes) howToAllow(pattern string) string { return "leakcheck.AllowRemotes(" + pattern + ")" }

// mayName says whether the target is an address, and a name is allowed that may be its: nothing tells.
func (r *remotes) mayName(t outbound.Target) bool {
	return t.Addr.IsValid() && slices.ContainsFunc(r.patterns, func(p outbound.Pattern) bool { return p.NamesAt(t.Port) })
}

// hidden says of an address that was dialled why the name is not known that it may have.
func (r *remotes) hidden(t outbound.Target) string {
	if !r.mayName(t) {
		return ""
	}
	return "; it was dialled by address: a driver that looks names up itself, as pgx does, hides them (see DialContext)"
}

// ownListenersWord is how OwnListeners is written.
const ownListenersWord = "leakcheck.OwnListeners"

// allDials says whether each dial of the process is told, with its label and its addresses. Here those are that use DialContext.
const allDials = false

// cleared says whether what was found is allowed after all.
func (p *remotePolicy) cleared(*remoteAt) bool { return false }
