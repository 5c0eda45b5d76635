//go:build leakgate_deep

package leakcheck

import (
	"strings"

	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/outbound"
)

// allowRemotesWord is how messages call what says where a test may connect to.
const allowRemotesWord = "-allow-dial"

// ownListenersWord is how OwnListeners is written.
const ownListenersWord = outbound.OwnListeners

// allDials says whether each dial of the process is told, with its label and its addresses. A goroutine of a test has its label
// then, and one without was started before the tests.
const allDials = label.Supported

// noTest says of what no test is known for why that is.
func noTest(f *remoteAt) string {
	switch {
	case f.early:
		return "none: it was before the tests began, in an init function, a package-level variable or TestMain"
	case f.test == label.Shared:
		return "none: it was in what a sync.Once of a package makes once for all tests"
	}
	return "none: it was on a goroutine that no test has started, or under pprof labels of the program's own"
}

// howToAllow is the flag that allows one more pattern.
func (r *remotes) howToAllow(pattern string) string {
	const most = 6
	var all []string
	for _, name := range r.names() {
		if name != outbound.OwnListeners { // which are always
			all = append(all, name)
		}
	}
	if len(all) > most {
		all = []string{"..."}
	}
	return "-allow-dial=" + strings.Join(append(all, strings.Trim(pattern, `"`)), ",")
}

// hidden says nothing: the names that were looked up are known.
func (r *remotes) hidden(outbound.Target) string { return "" }

// cleared says whether what was found is allowed after all: each dial of the name led to addresses that are allowed by themselves, or to a
// listener of this process.
func (p *remotePolicy) cleared(f *remoteAt) bool {
	for _, d := range f.dials {
		if p.allowed.own() && outbound.Own.HasHere(d) {
			continue
		}
		tried := d.Tried()
		for _, a := range tried {
			if !p.allowed.allows(outbound.Target{Addr: a, Port: a.Port()}) {
				return false
			}
		}
		if len(tried) == 0 {
			return false
		}
	}
	return len(f.dials) > 0
}
