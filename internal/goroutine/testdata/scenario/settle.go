package scenario

import (
	"maps"
	"time"

	"github.com/leakgate/leakgate/internal/goroutine"
)

// limit bounds the waiting for goroutines to settle. It is long because nothing depends on it when all is well.
const limit = 20 * time.Second

// IDs gives the ids of all goroutines in a dump.
func IDs(dump []byte) map[uint64]bool {
	ids := map[uint64]bool{}
	goroutine.Scan(dump, func(h goroutine.Head) bool {
		ids[h.ID] = true
		return true
	})
	return ids
}

// Count counts the goroutines of a dump by role, without those in old. settled is false when one of them runs, or
// does not parse.
func Count(dump []byte, old map[uint64]bool) (got map[goroutine.Role]int, settled bool) {
	got, settled = map[goroutine.Role]int{}, true
	goroutine.Scan(dump, func(h goroutine.Head) bool {
		if old[h.ID] {
			return true
		}
		g, err := goroutine.Parse(h.Block)
		if err != nil {
			settled = false
		}
		role := goroutine.Classify(&g)
		got[role]++
		switch {
		case g.State == "runnable" || g.State == "running":
			settled = false
		case (role == goroutine.RoleServerIdle || role == goroutine.RoleClientIdle) && g.State != "IO wait":
			settled = false
		case role == goroutine.RoleClientWrite && g.State != "select":
			settled = false
		}
		return true
	})
	return got, settled
}

// Settle dumps until the goroutines that are not in old have the wanted roles and none of them runs. It gives the
// last dump, and false when that took too long.
func Settle(d *goroutine.Dumper, old map[uint64]bool, want map[goroutine.Role]int, withLabels bool) (dump []byte, ok bool) {
	end := time.Now().Add(limit)
	for {
		if withLabels {
			dump = d.DumpLabels()
		} else {
			dump = d.Dump()
		}
		got, settled := Count(dump, old)
		if settled && maps.Equal(got, want) {
			return dump, true
		}
		if time.Now().After(end) {
			return dump, false
		}
		time.Sleep(time.Millisecond)
	}
}
