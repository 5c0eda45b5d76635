package workerpool

import (
	"fmt"

	"github.com/leakgate/leakgate/leakcheck"
)

// Probe lists the workers of a pool that are out. A pool offers it in a package of its own, or beside its tests, so that
// programs do not depend on leakcheck.
func Probe(p *Pool) leakcheck.Probe { return probe{p} }

type probe struct{ pool *Pool }

// Kind is the kind that options such as leakcheck.Without take.
func (probe) Kind() leakcheck.Kind { return "worker" }

// Held lists the workers that are out now.
func (p probe) Held(ids []uint64) ([]uint64, error) {
	p.pool.mu.Lock()
	defer p.pool.mu.Unlock()
	for id := range p.pool.out {
		ids = append(ids, id)
	}
	return ids, nil
}

// Describe says who borrowed one of them.
func (p probe) Describe(id uint64) (leakcheck.Leak, bool) {
	p.pool.mu.Lock()
	defer p.pool.mu.Unlock()
	by, ok := p.pool.out[id]
	return leakcheck.Leak{
		Summary: "worker was never returned",
		Site:    leakcheck.Frame{Function: by.function, File: by.file, Line: by.line},
		State:   fmt.Sprintf("%d of the pool's workers are free", p.pool.free),
		Hint:    "defer w.Return()",
	}, ok
}
