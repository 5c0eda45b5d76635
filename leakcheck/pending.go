package leakcheck

import (
	"slices"

	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/process"
	"github.com/leakgate/leakgate/internal/report"
	"github.com/leakgate/leakgate/internal/socket"
)

func (r *watches) hasPending() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.pending) > 0
}

func (r *watches) forgetPending() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.pending)
}

// lookPending looks at what no test could be blamed for, and at nothing else. What belongs to somebody explains what it
// explains and is not reported.
func (w *watch) lookPending() sight {
	is := func(list string, id uint64) bool {
		_, ok := registry.suspectsOf(report.Key{List: list, ID: id})
		return ok
	}
	var s sight
	s.fresh = slices.DeleteFunc(allSockets(), func(r socket.Ref) bool { return !is("socket", r.Key()) })
	kids, _ := children.since(nil)
	kids = slices.DeleteFunc(kids, func(r process.Ref) bool { return !is("process", r.ID) })
	leases := lease.Live.All(func(l *lease.Lease) bool { return is("lease", l.ID()) })
	gs := goroutines.everything()
	gs = slices.DeleteFunc(gs, func(f found) bool { return !is("goroutine", f.ID) })
	if len(s.fresh)+len(kids)+len(leases)+len(gs) == 0 {
		return s
	}
	s.input = w.input(s.fresh, leases, kids, gs)
	for i := range s.input.Goroutines {
		g := &s.input.Goroutines[i]
		g.Blame.Test, g.Blame.Other = "", false
		g.Blame.Suspects, _ = registry.suspectsOf(report.Key{List: "goroutine", ID: g.ID})
	}
	for i := range s.input.Leases {
		l := &s.input.Leases[i]
		l.Blame.Test, l.Blame.Other = "", false
		l.Blame.Suspects, _ = registry.suspectsOf(report.Key{List: "lease", ID: l.ID})
	}
	for i := range s.input.Sockets {
		k := &s.input.Sockets[i]
		k.Blame.Test, k.Blame.Other = "", false
		k.Blame.Suspects, _ = registry.suspectsOf(report.Key{List: "socket", ID: k.Key()})
	}
	for i := range s.input.Children {
		k := &s.input.Children[i]
		k.Blame.Test, k.Blame.Other = "", false
		k.Blame.Suspects, _ = registry.suspectsOf(report.Key{List: "process", ID: k.ID})
	}
	w.explain(&s, nil)
	s.leaks, s.unknown = append(s.leaks, s.unknown...), nil
	return s
}
