package agent

import (
	"encoding/json"
	"sync/atomic"

	"github.com/leakgate/leakgate/internal/deep/bridge"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
)

// offer is what the copy of leakcheck that the code under test requires gets of the agent.
func offer() map[string]any {
	labels, judge := label.Own(), bridge.Agents
	return bridge.Far{
		LabelIDs: func() *atomic.Uint64 { return labels.IDs },
		LeaseIDs: lease.Live.IDs,
		Mark:     labels.Mark, Owner: labels.Owner, Name: labels.Name, Parent: labels.Parent,
		Leases: leasesAfter, Pools: openPools, Descriptor: descriptorOrigin, Process: processOrigin, Changes: open.Changes,
		ClaimTest: judge.ClaimTest, ClaimMain: judge.ClaimMain, Report: judge.Report, Reported: judge.Reported, Suspects: judge.Suspects,
		Leaked: judge.Leaked, RecordLeak: judge.RecordLeak, RecordIgnored: judge.RecordIgnored, RecordEnd: judge.RecordEnd,
	}.Offer()
}

// leasesAfter tells of the leases with a higher ID.
func leasesAfter(after uint64, each func(id, test uint64, pool string, db uintptr, pcs []uintptr, now func() uint32, info func() []byte)) {
	for _, l := range lease.Live.All(func(l *lease.Lease) bool { return l.ID() > after }) {
		var db uintptr
		if u, ok := l.Owner().(*use); ok {
			db = u.db
		}
		each(l.ID(), uint64(l.Test()), l.Pool().Kind(), db, l.PCs(), func() uint32 { return uint32(l.Now()) }, func() []byte {
			text, _ := json.Marshal(l.Info()) // it has nothing that cannot be marshalled
			return text
		})
	}
}

// openPools tells of the pools that are open.
func openPools(each func(id uint64, db uintptr, pcs []uintptr)) {
	databases.Lock()
	defer databases.Unlock()
	for addr, d := range databases.by {
		each(d.pool.ID(), addr, d.known.View().PCs)
	}
}

func descriptorOrigin(fd int) (pcs []uintptr, test, lease uint64, ok bool) {
	from, ok := open.Descriptor(fd)
	return from.PCs, uint64(from.Test), from.Lease, ok
}

func processOrigin(pid int) (pcs []uintptr, test uint64, ok bool) {
	from, ok := open.Process(pid)
	return from.PCs, uint64(from.Test), ok
}

// tell gives a lease's ID to who tracks the same thing in the other copy.
func tell(slot any, id uint64) {
	if s, ok := slot.(*atomic.Uint64); ok && s != nil {
		s.Store(id)
	}
}
