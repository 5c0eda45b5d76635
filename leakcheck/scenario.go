package leakcheck

import (
	"net/netip"
	"time"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/fold"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/report"
	"github.com/leakgate/leakgate/internal/socket"
)

// scenario is the T of one scenario of mockserver.Sweep: a call that is run against a server of its own, perhaps beside
// others. It knows more than a test does, and words what was found by itself.
type scenario interface {
	TB
	// Beside says that other scenarios run meanwhile.
	Beside() bool
	// Server is the address of a server that nobody but this scenario talks to; not valid when there is none.
	Server() netip.AddrPort
	// Known says that all of these were found before, in other scenarios, after a whole wait: it need not be waited for
	// long that they are there again.
	Known(leaks []report.Leak) bool
	// Found takes the root causes, in place of Errorf, and findings that hold nothing now, in place of Logf. Those that fail
	// the scenario have to be judged by the ledger before.
	Found(report.Findings)
	// Unattributed takes what no scenario could be blamed for, and has it judged if it tells it.
	Unattributed(leaks []report.Leak, ledger report.Ledger)
}

// stable is how long what is left must not have changed, before the check gives up.
func (w *watch) stable(leaks []report.Leak) time.Duration {
	if w.scenario != nil && w.scenario.Known(leaks) || w.settled != nil && w.settled(leaks) {
		return knownStable
	}
	return minStable
}

// holding remembers the responses that a scenario held for a while when its call was over. A timeout of the client may
// free them while the check waits, and hide that nobody closed them.
type holding struct {
	seen map[report.Key]*heldLeak
}

type heldLeak struct {
	leak  report.Leak
	since time.Time
	last  time.Time
	looks int
}

// holding gives nil for any other watch than a scenario's.
func (w *watch) holding() *holding {
	if w.scenario == nil {
		return nil
	}
	return &holding{seen: make(map[report.Key]*heldLeak)}
}

// look takes note of what is held now.
func (h *holding) look(leaks []report.Leak, now time.Time) {
	if h == nil {
		return
	}
	for _, l := range leaks {
		if l.Kind == string(Goroutine) {
			return // which may be about to close it
		}
	}
	for _, l := range leaks {
		if l.Kind != string(HTTPResponse) || len(l.Keys) == 0 {
			continue
		}
		if was := h.seen[l.Keys[0]]; was != nil {
			was.last = now
			was.looks++
		} else {
			h.seen[l.Keys[0]] = &heldLeak{l, now, now, 1}
		}
	}
}

// ended gives what was held for at least knownStable and is not among what is held in the end.
func (h *holding) ended(left []report.Leak) (out []report.Leak) {
	if h == nil {
		return nil
	}
	for _, l := range left {
		for _, k := range l.Keys {
			delete(h.seen, k)
		}
	}
	for _, was := range h.seen {
		if was.looks >= minLooks-1 && was.last.Sub(was.since) >= knownStable-2*time.Millisecond {
			out = append(out, was.leak)
		}
	}
	return report.Finish(out)
}

// blameSocket: what is connected to a server that one scenario has to itself is that scenario's. A connection's end at the
// server, whose other end is closed, is the server's own affair.
func (w *watch) blameSocket(s socket.Socket, all []socket.Socket, usual fold.Blame) fold.Blame {
	if w.scenario == nil {
		return usual
	}
	for _, end := range []netip.AddrPort{s.Remote, s.Local} {
		if id := label.ClaimedBy(end); end.IsValid() && id != 0 {
			b := w.blameID(id, label.NameOf(id))
			b.Sure = true
			b.Other = b.Other || end == s.Local && !s.Listening && !hasPeer(s, all)
			return b
		}
	}
	return usual
}

// blameConn: beside others, the loops of a connection are those of the scenario that sent the last request on it. Labels say
// who dialled, and on Go 1.25 not even that where stacks are equal.
func (w *watch) blameConn(f found) (fold.Blame, bool) {
	if w.scenario == nil || w.exclusive() {
		return fold.Blame{}, false
	}
	pair := goroutine.PairKey(&f.Goroutine)
	id := label.ConnClaimedBy(pair)
	if pair == "" || id == 0 {
		return fold.Blame{}, false
	}
	b := w.blameID(id, label.NameOf(id))
	b.Sure = true
	return b, true
}

// claimed says whether a socket is that of a server which a scenario has to itself, or is connected to one.
func claimed(s socket.Socket) bool {
	for _, end := range []netip.AddrPort{s.Remote, s.Local} {
		if end.IsValid() && label.ClaimedBy(end) != 0 {
			return true
		}
	}
	return false
}

func hasPeer(s socket.Socket, all []socket.Socket) bool {
	for _, o := range all {
		if o.Local == s.Remote && o.Remote == s.Local {
			return true
		}
	}
	return false
}

// ofMockserver says whether package mockserver runs the goroutine: its server's connections, and what a sweep needs.
func ofMockserver(f found) bool {
	if len(f.Frames) == 0 {
		return false
	}
	start := f.Frames[len(f.Frames)-1]
	const pkg = callsite.Module + "/mockserver"
	return start.Package() == pkg && callsite.IsHarness(start) && f.CreatedBy.Package() == pkg && callsite.IsHarness(f.CreatedBy)
}
