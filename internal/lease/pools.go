package lease

import (
	"runtime"
	"slices"
	"weak"
)

// register notes a pool for Pools. The list does not keep it alive.
func (t *Table) register(p *Pool) {
	key := weak.Make(p)
	t.mu.Lock()
	t.pools = append(t.pools, key)
	t.mu.Unlock()
	runtime.AddCleanup(p, func(key weak.Pointer[Pool]) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.pools = slices.DeleteFunc(t.pools, func(k weak.Pointer[Pool]) bool { return k == key })
	}, key)
}

// Pools lists the pools that are referred to, the oldest first.
func (t *Table) Pools() []*Pool {
	t.mu.Lock()
	keys := slices.Clone(t.pools)
	t.mu.Unlock()
	out := make([]*Pool, 0, len(keys))
	for _, k := range keys {
		if p := k.Value(); p != nil {
			out = append(out, p)
		}
	}
	return out
}
