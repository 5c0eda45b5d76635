package leakcheck

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/socket"
)

// maxHeld bounds what is described one by one when a ceiling is passed.
const maxHeld = 2000

// holder is what was taken at one place, or is alike in another way.
type holder struct {
	n     int
	text  string // what it is, and where
	site  callsite.Frame
	stack []callsite.Frame
	test  string // whose it is; "" when that is not known
}

// holders are what is held, by place.
type holders map[string]*holder

func (h holders) add(text, test string, site callsite.Frame, stack []callsite.Frame) {
	key := text + "\x00" + test
	if h[key] == nil {
		h[key] = &holder{text: text, site: site, stack: stack, test: test}
	}
	h[key].n++
}

// sorted gives those that hold most first.
func (h holders) sorted() []*holder {
	out := make([]*holder, 0, len(h))
	for _, one := range h {
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b *holder) int {
		return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.text, b.text), cmp.Compare(a.test, b.test))
	})
	return out
}

// lines gives a line for each, with the test where that is not scope.
func lines(hs []*holder, scope string) (out []string) {
	for _, h := range hs {
		line := fmt.Sprintf("%d × %s", h.n, h.text)
		if h.test != "" && h.test != scope {
			line += ", by " + h.test
		}
		out = append(out, line)
	}
	return out
}

// holdersOf finds who holds what a metric counts, now.
func holdersOf(m Metric) []*holder {
	h := make(holders)
	switch state, ok := m.state(); {
	case m == metricLeases:
		h.leases(func(*lease.Pool) bool { return true })
	case m.pool() != "":
		h.leases(func(p *lease.Pool) bool { return p.Name() == m.pool() })
	case ok:
		h.sockets(state)
	case m == Sockets:
		h.sockets("")
	case m == Goroutines:
		h.goroutines()
	case m == FDs:
		for _, what := range describeDescriptors(maxHeld) {
			h.add(what, "", callsite.Frame{}, nil)
		}
	}
	return h.sorted()
}

// lease adds one tracked lease.
func (h holders) lease(l *lease.Lease) {
	s, ok := siteOf(l)
	if !ok {
		return
	}
	text := s.thing()
	if s.site.Func != "" {
		text = where(s.site) + ": " + text
	}
	h.add(text, label.NameOf(l.Test()), s.site, s.stack)
}

func (h holders) leases(of func(*lease.Pool) bool) {
	all := lease.Live.All(func(l *lease.Lease) bool { return lendsConns(l.Pool()) && of(l.Pool()) })
	for _, l := range all[:min(len(all), maxHeld)] {
		if isHeld(l) {
			h.lease(l)
		}
	}
}

// sockets adds the sockets in a state, "" for any: by the line of the tracked lease that holds each, or by where it leads.
func (h holders) sockets(state string) {
	byID := make(map[uint64]*lease.Lease)
	byEnds := make(map[[2]netip.AddrPort]*lease.Lease)
	for _, l := range lease.Live.All(func(l *lease.Lease) bool { return lendsConns(l.Pool()) }) {
		if !isHeld(l) {
			continue
		}
		s, ok := siteOf(l)
		if ok && s.info.Socket != 0 {
			byID[s.info.Socket] = l
		}
		if ok && s.info.Local.IsValid() {
			byEnds[[2]netip.AddrPort{s.info.Local, s.info.Remote}] = l
		}
	}
	var found []socket.Socket
	listens := make(map[uint16]bool)
	refs := allSockets()
	for _, r := range refs[:min(len(refs), maxHeld)] {
		s, ok := socket.Describe(r)
		if !ok {
			continue
		}
		if s.Listening {
			listens[s.Local.Port()] = true
		}
		if state == "" || s.State == state || s.State == "" && state == socket.StateUnknown {
			found = append(found, s)
		}
	}
	for _, s := range found {
		l := byID[s.ID]
		if l == nil {
			l = byEnds[[2]netip.AddrPort{s.Local, s.Remote}]
		}
		if l != nil {
			h.lease(l)
			continue
		}
		h.add(untrackedSocket(s, state == "", listens), "", callsite.Frame{}, nil)
	}
}

// untrackedSocket says of a socket that no tracked lease holds where it leads.
func untrackedSocket(s socket.Socket, withState bool, listens map[uint16]bool) string {
	text := s.Family
	if s.Detail != "" {
		text += " (" + s.Detail + ")"
	}
	switch {
	case s.Listening && s.Local.IsValid():
		text += " listener at " + s.Local.String()
	case s.Local.IsValid() && listens[s.Local.Port()]:
		text += " accepted at " + s.Local.String()
	case s.Remote.IsValid():
		text += " to " + s.Remote.String()
	case s.RemotePath != "":
		text += " to " + s.RemotePath
	case s.LocalPath != "":
		text += " at " + s.LocalPath
	case s.Local.IsValid():
		text += " at " + s.Local.String()
	}
	if withState && s.State != "" && !s.Listening {
		text += " " + s.State
	}
	return text
}

// goroutines adds all goroutines but the caller and those of the testing package, by where they were started.
func (h holders) goroutines() {
	all := goroutines.everything()
	for i := range all {
		g := &all[i]
		test := ""
		if v, ok := g.Label(label.Key); ok {
			_, test, _ = label.Parse(v)
		}
		site := g.CreatedBy
		if site.Func == "" || callsite.IsStd(site) || callsite.IsHarness(site) {
			site = callsite.Frame{}
		}
		text := "started by " + nameOr(g.CreatedBy.Func, "the runtime")
		if site.Func != "" {
			text = where(site)
		}
		if g.role != goroutine.RoleUser && len(g.Frames) > 0 {
			text += ": " + callsite.Normalize(g.Frames[len(g.Frames)-1].Func)
		}
		h.add(text, test, site, nil)
	}
}

func nameOr(name, none string) string {
	if name == "" {
		return none
	}
	return name
}
