package leakcheck

import (
	"github.com/leakgate/leakgate/internal/fold"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/report"
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

// postpone keeps what cannot be attributed until nobody else runs.
func (w *watch) postpone(unknown []report.Leak) {
	for _, l := range unknown {
		var probe Probe
		for _, ps := range w.probes {
			if len(l.Keys) > 0 && l.Keys[0].List == probeList(ps.probe) {
				probe = ps.probe
			}
		}
		registry.postpone(l.Keys, w.suspects(), probe)
	}
}

// pendingProbes lists the probes that list something pending.
func (r *watches) pendingProbes() (out []Probe) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := make(map[string]bool)
	for k, p := range r.pending {
		if p.probe != nil && !seen[k.List] {
			seen[k.List] = true
			out = append(out, p.probe)
		}
	}
	return out
}

// lookPending looks at everything, so that each thing is explained by what it belongs to, and reports of it what no test
// could be blamed for.
func (w *watch) lookPending() sight {
	var s sight
	done := label.Listing()
	s.fresh = allSockets()
	done()
	kids, _ := children.since(nil)
	gs := goroutines.everything()
	for i := range gs {
		_, older := registry.suspectsOf(report.Key{List: "goroutine", ID: gs[i].ID | fold.LeasedBit})
		gs[i].older = older
	}
	var probed []probedID
	for _, p := range registry.pendingProbes() {
		ids, err := heldBy(p, nil)
		if err != nil {
			s.errs = append(s.errs, err)
			continue
		}
		for _, id := range ids {
			if _, ok := registry.suspectsOf(report.Key{List: probeList(p), ID: id}); ok {
				probed = append(probed, probedID{p, id})
			}
		}
	}
	leases := append(lease.Live.All(nil), deepLeases(0, func(string, uintptr) bool { return true })...)
	s.input = w.input(s.fresh, leases, kids, gs)
	blame := func(b *fold.Blame, list string, id uint64) {
		suspects, ok := registry.suspectsOf(report.Key{List: list, ID: id})
		*b = fold.Blame{Suspects: suspects, Other: !ok}
	}
	for i := range s.input.Goroutines {
		g := &s.input.Goroutines[i]
		id := g.ID
		if g.Older {
			id |= fold.LeasedBit
		}
		blame(&g.Blame, "goroutine", id)
	}
	for i := range s.input.Leases {
		blame(&s.input.Leases[i].Blame, "lease", s.input.Leases[i].ID)
	}
	for i := range s.input.Sockets {
		if g := &s.input.Sockets[i]; claimed(g.Socket) {
			g.Blame = fold.Blame{Other: true} // a scenario's, which has looked for itself
			continue
		}
		blame(&s.input.Sockets[i].Blame, "socket", s.input.Sockets[i].Key())
	}
	for i := range s.input.Children {
		blame(&s.input.Children[i].Blame, "process", s.input.Children[i].ID)
	}
	singletons.apply(&s.input)
	w.explain(&s, probed)
	s.leaks, s.unknown, s.notes = append(s.leaks, s.unknown...), nil, nil
	return s
}
