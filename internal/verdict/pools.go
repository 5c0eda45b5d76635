package verdict

import (
	"cmp"
	"slices"
	"strings"

	"github.com/leakgate/leakgate/fragment"
)

// PoolUse is what the tests of one package used of one pool. Pools of two packages are two pools: each test binary has
// its own.
type PoolUse struct {
	Package string
	Kind    string // see fragment.Pool
	Name    string
	Peak    int     // most leases out at one moment, in the run of a test that came nearest to the pool's size
	Size    int     // most connections that the pool had then; 0 when there is no limit or it is not known
	Limit   float64 // share of Size that HighWater allowed there; 0 for none
	Test    string  // the test
	// What all runs of all tests did together. What a subtest did is in the test around it when both are listed.
	Requests, Dialed, Reused, Early int
}

// Share is how much of the pool's size was out at the peak, 0.75 for three of four; 0 when the size is not known.
func (u *PoolUse) Share() float64 { return share(u.Peak, u.Size) }

// Reuse is the share of requests that found an open connection, as far as it is known of them; ok is false when it is of none.
func (u *PoolUse) Reuse() (reuse float64, ok bool) {
	return share(u.Reused, u.Reused+u.Dialed), u.Reused+u.Dialed > 0
}

func share(part, of int) float64 {
	if of <= 0 {
		return 0
	}
	return float64(part) / float64(of)
}

// Pools gives every pool that a test used, the one nearest to its size first, those whose size is not known last.
func (v *Verdict) Pools() []PoolUse {
	type id struct{ pkg, kind, name string }
	at := make(map[id]int)
	var out []PoolUse
	listed := make(map[poolUser]bool)
	for i := range v.Tests {
		for _, p := range v.Tests[i].Pools {
			listed[poolUser{v.Tests[i].Package, v.Tests[i].PID, v.Tests[i].Name, p.Kind, p.Name}] = true
		}
	}
	for i := range v.Tests {
		t := &v.Tests[i]
		for _, p := range t.Pools {
			k := id{t.Package, p.Kind, p.Name}
			n, ok := at[k]
			if !ok {
				n = len(out)
				at[k] = n
				out = append(out, PoolUse{Package: t.Package, Kind: p.Kind, Name: p.Name, Test: t.Name, Peak: p.Peak, Size: p.Size, Limit: p.Limit})
			}
			u := &out[n]
			if nearer(t.Name, p, u) {
				u.Test, u.Peak, u.Size, u.Limit = t.Name, p.Peak, p.Size, p.Limit
			}
			if !inAncestor(listed, t, p) {
				u.Requests, u.Dialed, u.Reused, u.Early = u.Requests+p.Requests, u.Dialed+p.Dialed, u.Reused+p.Reused, u.Early+p.Early
			}
		}
	}
	slices.SortFunc(out, func(a, b PoolUse) int {
		return cmp.Or(
			trueFirst(a.Size > 0, b.Size > 0),
			cmp.Compare(b.Share(), a.Share()),
			cmp.Compare(b.Peak, a.Peak),
			cmp.Compare(a.Package, b.Package),
			cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.Name, b.Name),
		)
	})
	return out
}

// nearer says whether the test came nearer to the pool's size than what u has. The outermost of equal tests is named.
func nearer(test string, p fragment.Pool, u *PoolUse) bool {
	return cmp.Or(
		cmp.Compare(u.Share(), share(p.Peak, p.Size)),
		cmp.Compare(u.Peak, p.Peak),
		cmp.Compare(p.Size, u.Size),
		cmp.Compare(test, u.Test),
		cmp.Compare(p.Limit, u.Limit),
	) < 0
}

// poolUser names the use of a pool by a test.
type poolUser struct {
	pkg        string
	pid        int
	test       string
	kind, name string
}

// inAncestor says whether a test around t has counted the same use.
func inAncestor(listed map[poolUser]bool, t *TestRun, p fragment.Pool) bool {
	name := t.Name
	for {
		slash := strings.LastIndexByte(name, '/')
		if slash < 0 {
			return false
		}
		name = name[:slash]
		if listed[poolUser{t.Package, t.PID, name, p.Kind, p.Name}] {
			return true
		}
	}
}
