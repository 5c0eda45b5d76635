// Package bridge joins the two copies of leakcheck that a test binary of deep mode may have: the agent's, which is a part of
// the standard library there, and the one that the code under test requires.
//
// A type of the one is not the same type of the other, and their versions may differ. So what the agent offers is a map of
// functions by name, whose types are made of types of the language and of package sync/atomic alone: those are the same in
// both. Who misses one, or finds it with another type, does without all of them: then each copy stands on its own.
package bridge

import (
	"sync/atomic"
	"testing"
)

// Far is what the agent does for the other copy.
type Far struct {
	// What labels and leases are known by in both: see label.Tables and lease.Table.
	LabelIDs, LeaseIDs func() *atomic.Uint64
	Mark               func(id uint64, name string) (restore func())
	Owner              func() uint64
	Name               func(id uint64) string
	Parent             func(id uint64) uint64

	// Leases calls each with every lease that the agent tracks and that has a higher ID: the ID, the watch that it was taken
	// under, the kind of its pool, the address of its *sql.DB or 0, the stack that took it, its lease.State as it is when it is
	// asked for, and its lease.Info as JSON.
	Leases func(after uint64, each func(id, test uint64, pool string, db uintptr, pcs []uintptr, now func() uint32, info func() []byte))
	// Pools calls each with every *sql.DB that is open: an ID from those of leases, its address, and the stack that opened it.
	Pools func(each func(id uint64, db uintptr, pcs []uintptr))
	// Descriptor and Process tell who opened what the kernel lists: see package origin.
	Descriptor func(fd int) (pcs []uintptr, test, lease uint64, ok bool)
	Process    func(pid int) (pcs []uintptr, test uint64, ok bool)
	// Changes counts the descriptors that were opened and closed.
	Changes func() uint64

	// ClaimTest says that the caller judges a test, a *testing.T, and its subtests. It is false when the agent does not know it.
	ClaimTest func(t any) bool
	// ClaimMain says that the caller looks at what is left when all tests have run. ignored is asked, with a report.Leak as JSON,
	// for the reason why one of a test that the agent judges is none; "" when there is none.
	ClaimMain func(ignored func(leak []byte) (reason string))
	// Report notes that a resource was reported, and says whether it was not before. Reported asks. A resource is a report.Key.
	Report, Reported func(list string, id uint64) bool
	// Suspects gives the tests that could have made what waits to be attributed, and whether it does.
	Suspects func(list string, id uint64) (tests []string, waits bool)
	// Leaked says that the caller is about to fail a test, a *testing.T, for leaks and for nothing else.
	Leaked func(t any)

	// RecordLeak and RecordIgnored write a fragment.Leak and a fragment.Ignored, given as JSON, into the report of the process if one is
	// asked for, and RecordEnd how the run has ended: whether all tests have passed, the exit code, and what was ignored in vain.
	RecordLeak, RecordIgnored func(text []byte)
	RecordEnd                 func(passed bool, code int, unused []string)
}

// entry is one function, by its name.
type entry struct {
	name string
	get  func() any
	set  func(any) bool
}

func of[F any](name string, f *F) entry {
	return entry{
		name: name,
		get:  func() any { return *f },
		set: func(v any) (ok bool) {
			*f, ok = v.(F)
			return ok
		},
	}
}

func (f *Far) entries() []entry {
	return []entry{
		of("label ids", &f.LabelIDs), of("lease ids", &f.LeaseIDs), of("mark", &f.Mark), of("owner", &f.Owner), of("name", &f.Name),
		of("parent", &f.Parent), of("leases", &f.Leases), of("pools", &f.Pools), of("descriptor", &f.Descriptor), of("process", &f.Process),
		of("changes", &f.Changes),
		of("claim test", &f.ClaimTest), of("claim main", &f.ClaimMain), of("report", &f.Report), of("reported", &f.Reported),
		of("suspects", &f.Suspects), of("leaked", &f.Leaked), of("record leak", &f.RecordLeak), of("record ignored", &f.RecordIgnored),
		of("record end", &f.RecordEnd),
	}
}

// Offer is what the agent gives away.
func (f Far) Offer() map[string]any {
	m := make(map[string]any)
	for _, e := range f.entries() {
		m[e.name] = e.get()
	}
	return m
}

// Take gives what an agent offers; nil when something is missing.
func Take(offer map[string]any) *Far {
	var f Far
	for _, e := range f.entries() {
		if !e.set(offer[e.name]) {
			return nil
		}
	}
	return &f
}

// Offered is what the agent of this process offers; ok is false when there can be none, because the standard library has no
// hooks. The offer is nil before the agent begins.
func Offered() (offer map[string]any, ok bool) {
	m, ok := any((*testing.M)(nil)).(interface{ LeakgateAgent() map[string]any })
	if !ok {
		return nil, false
	}
	return m.LeakgateAgent(), true
}

// Judge is what the agent's copy of leakcheck does for the bridge.
type Judge struct {
	ClaimTest        func(t any) bool
	ClaimMain        func(ignored func(leak []byte) string)
	Report, Reported func(list string, id uint64) bool
	Suspects         func(list string, id uint64) ([]string, bool)
	Leaked           func(t any)
	RecordLeak       func(text []byte)
	RecordIgnored    func(text []byte)
	RecordEnd        func(passed bool, code int, unused []string)
}

// Agents is set by the agent's copy of leakcheck.
var Agents Judge
