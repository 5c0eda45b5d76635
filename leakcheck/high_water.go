package leakcheck

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Codes of HighWater: of pools of connections to a database, and of others.
const (
	codeHighWaterDB = "LK214"
	codeHighWater   = "LK005"
)

// highWaterName is how messages and fingerprints call it.
const highWaterName = "HighWater"

// highWater is the share of a pool that a test may have out at once.
type highWater struct {
	share float64
	kinds []Kind // empty for all
	suite bool   // Main's
}

// HighWater fails a test that had more than this share of a pool's connections out at one moment: HighWater(0.75) leaves a
// quarter as a reserve for what production does more of than a test. share is above 0 and at most 1. With kinds it judges
// only pools of those kinds, such as SQLConn.
//
// What counts is what the test and its subtests took from each tracked pool, or with a check of one pool (httpcheck.Verify,
// dbcheck.Verify) what was taken from that one. A pool is judged when its size is known and limited: db.SetMaxOpenConns, the
// MaxConns of a pgxpool.Pool, MaxConnsPerHost of an http.Transport, which is for each host, so that a transport for several
// hosts is judged as if it had one. Other pools pass; dbcheck.HighWater fails a database pool without a limit as well.
//
// Given to Main it holds for every Verify of the package, beside what the test says itself; a test that does not call Verify
// is not judged. Of several that a pool exceeds the smallest share is reported, once. A test and its subtests that exceed
// what Main says are reported once, on the one that ends first. Take and Check watch no test and refuse it with an error.
func HighWater(share float64, kinds ...Kind) Option {
	return func(c *config) {
		if !(share > 0 && share <= 1) {
			c.wrong("leakcheck.HighWater(%v): the share must be above 0 and at most 1, as in HighWater(0.75)", share)
			return
		}
		c.high = append(c.high, highWater{share: share, kinds: kinds})
	}
}

// strictest gives the smallest share that holds for pools of the kind.
func strictest(all []highWater, k Kind) (h highWater, ok bool) {
	for _, o := range all {
		if len(o.kinds) > 0 && !slices.Contains(o.kinds, k) {
			continue
		}
		if !ok || o.share < h.share || o.share == h.share && h.suite {
			h, ok = o, true
		}
	}
	return h, ok
}

// judgeHighWater says whether too many of a pool's connections were out at once.
func (w *watch) judgeHighWater(u Usage) (leak Leak, over bool) {
	h, ok := strictest(w.cfg.high, u.Kind)
	if !ok || u.Size <= 0 || float64(u.PeakLeased) <= h.share*float64(u.Size) {
		return Leak{}, false
	}
	if h.suite && !registry.firstOver(w.name, string(u.Kind)+" "+u.Pool) {
		return Leak{}, false
	}
	leak = Leak{
		Kind: u.Kind, Code: codeHighWater,
		Summary: fmt.Sprintf("%s had %d of its %d connections out at once, and the budget is %s", u.Pool, u.PeakLeased, u.Size, percent(h.share)),
		State:   many(u.Requests, "request") + ", " + many(u.Dialed, "connection") + " opened",
		Hint:    "give connections back before the next one is taken, or limit how many run at once",
	}
	switch u.Kind {
	case HTTPConn:
	case SQLConn, PgxConn:
		leak.Code = codeHighWaterDB
		fallthrough
	default:
		leak.State = many(u.Requests, "lease") + ", " + many(u.Dialed, "connection") + " opened"
	}
	return leak, true
}

// percent writes a share without digits that say nothing: 75%, 62.5%.
func percent(share float64) string {
	return fmt.Sprintf("%g%%", math.Round(share*1000)/10)
}

// firstOver says whether the pool's high water is to be reported by this test: neither has it been, nor by a subtest.
func (r *watches) firstOver(test, pool string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.over[pool] {
		if o == test || strings.HasPrefix(o, test+"/") {
			return false
		}
	}
	if r.over == nil {
		r.over = make(map[string][]string)
	}
	r.over[pool] = append(r.over[pool], test)
	return true
}

// forgetOver forgets what an earlier run of the test has reported, when this one begins: no check of it is under way. The
// registry is locked.
func (r *watches) forgetOver(test string) {
	for o := range r.active {
		if o.name == test {
			return
		}
	}
	for pool, names := range r.over {
		r.over[pool] = slices.DeleteFunc(names, func(o string) bool { return o == test || strings.HasPrefix(o, test+"/") })
	}
}
