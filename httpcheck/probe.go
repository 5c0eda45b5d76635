package httpcheck

import (
	"cmp"
	"slices"

	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/leakcheck"
)

// Probe gives the transport's responses as a probe, for leakcheck.With. leakcheck.Verify looks at all tracked transports by
// itself; the probe makes it fail a test also for bodies that hold nothing today (read to EOF and never closed).
func (t *Transport) Probe() leakcheck.Probe { return &probe{t} }

type probe struct{ t *Transport }

// Kind is leakcheck.HTTPResponse.
func (p *probe) Kind() leakcheck.Kind { return leakcheck.HTTPResponse }

// Held lists the responses that were not closed.
func (p *probe) Held(ids []uint64) ([]uint64, error) {
	for _, l := range sorted(lease.Live.All(p.t.mine)) {
		ids = append(ids, l.ID())
	}
	return ids, nil
}

// Describe describes one of them.
func (p *probe) Describe(id uint64) (leakcheck.Leak, bool) {
	l := lease.Live.Get(id)
	if l == nil || l.Now() == lease.Released {
		return leakcheck.Leak{}, false
	}
	return describe(l), true
}

// LeasePool lets leakcheck explain the responses with all it knows of sockets and goroutines.
func (p *probe) LeasePool() *lease.Pool { return p.t.tracker.Pool() }

// FailUnclosed makes a body that holds nothing but was never closed fail the test.
func (p *probe) FailUnclosed() bool { return true }

func sorted(ls []*lease.Lease) []*lease.Lease {
	slices.SortFunc(ls, func(a, b *lease.Lease) int { return cmp.Compare(a.ID(), b.ID()) })
	return ls
}
