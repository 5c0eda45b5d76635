package leakcheck

import (
	"slices"
	"strings"

	"github.com/leakgate/leakgate/internal/fold"
	"github.com/leakgate/leakgate/internal/report"
)

// counter is a probe of this module that only knows how many are held: its IDs are the numbers up to that.
type counter interface {
	// CountsLeases says that what it counts are leases of a sql.DB.
	CountsLeases() bool
}

// mover is a probe of this module that knows whether what it lists may be about to end, so that it is waited for.
type mover interface{ Moving() bool }

// reporter is a probe that reports other kinds than its own, so that it is asked when one of them is wanted.
type reporter interface {
	Reports() []Kind
}

// wantsProbe says whether a probe is asked.
func (c *config) wantsProbe(p Probe) bool {
	if r, ok := p.(reporter); ok {
		return slices.ContainsFunc(r.Reports(), c.wants)
	}
	return c.wants(kindOf(p))
}

// foldCounted drops a counted lease for each transaction and rows that goroutines of database/sql tell of, and for each lease
// that deep mode tracks: they are the same leases, and their entries say more.
func foldCounted(leaks []report.Leak, leases []fold.Lease) []report.Leak {
	told := 0
	for _, l := range leaks {
		if (l.Code == fold.CodeTx || l.Code == fold.CodeRows) && l.Class != "tracked" || isDeepSQL(l, leases) {
			told++
		}
	}
	return slices.DeleteFunc(leaks, func(l report.Leak) bool {
		if told > 0 && l.Class == classCounted {
			told--
			return true
		}
		return false
	})
}

// isDeepSQL says whether a leak is of a lease of a sql.DB that deep mode tracks.
func isDeepSQL(l report.Leak, leases []fold.Lease) bool {
	return strings.HasPrefix(l.Kind, "sql-") && slices.ContainsFunc(leases, func(x fold.Lease) bool {
		return x.Deep && len(l.Keys) > 0 && l.Keys[0] == report.Key{List: "lease", ID: x.ID}
	})
}

// classCounted is the class of a lease that was only counted.
const classCounted = "counted sql.DB"
