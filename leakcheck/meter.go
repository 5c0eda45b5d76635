package leakcheck

import (
	"fmt"
	"slices"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/report"
)

// codeLimit is the code of a limit that was passed and that has none of its own.
const codeLimit = "LK004"

const rankLimit = 35

// roleExample is the role of a site that is one of several.
const roleExample = "for example at"

// meter starts the counters that the limits and HighWater judge by: those of the probes that count, or all tracked pools.
func (w *watch) meter() {
	if len(w.cfg.limits) == 0 && len(w.cfg.high) == 0 {
		return
	}
	if w.all() {
		if len(w.cfg.limits) > 0 {
			w.cfg.wrong("leakcheck: %s judges what one test uses: give it to Verify", w.cfg.limits[0].name)
			w.cfg.limits = nil
		}
		if len(w.cfg.high) > 0 && !w.cfg.main {
			w.cfg.wrong("leakcheck.HighWater judges what one test uses: give it to Verify, or to Main for every Verify of the package")
			w.cfg.high = nil
		}
		return
	}
	metered := make(map[*lease.Pool]bool)
	for _, ps := range w.probes {
		switch p := ps.probe.(type) {
		case leaser:
			if pool := p.LeasePool(); !metered[pool] {
				metered[pool] = true
				w.meters = append(w.meters, meterPool(pool))
			}
		case Metered:
			w.meters = append(w.meters, p.Meter(TestID(w.id)))
		}
	}
	if !w.cfg.instead {
		id := w.id
		w.meters = append(w.meters, func() []Usage {
			used := slices.DeleteFunc(lease.Live.Used(id), func(u lease.Usage) bool { return metered[u.Pool] })
			return usageOf(used)
		})
	}
}

// meterPool counts what is used of one pool, whoever uses it.
func meterPool(p *lease.Pool) func() []Usage {
	m := p.Meter()
	return func() []Usage { return usageOf([]lease.Usage{m.Usage()}) }
}

// usageOf turns the counters of the lease table into what limits judge.
func usageOf(used []lease.Usage) []Usage {
	out := make([]Usage, 0, len(used))
	for _, u := range used {
		v := Usage{
			Kind: Kind(u.Pool.Kind()), Pool: u.Pool.Name(), Size: u.Pool.Size(), Requests: u.Requests, Leased: u.Leased,
			PeakLeased: u.Peak, Dialed: u.Dialed, Reused: u.Reused, ClosedEarly: u.ClosedEarly,
		}
		for _, pcs := range u.Early {
			l := report.Leak{Kind: string(HTTPResponse), All: callsite.Expand(pcs)}
			l.Stack = callsite.User(l.All)
			v.EarlySites = append(v.EarlySites, toPublic(l))
		}
		out = append(out, v)
	}
	return out
}

// judge applies the limits to what was used.
func (w *watch) judge() (leaks []report.Leak) {
	for _, usage := range w.meters {
		for _, u := range usage() {
			for _, l := range w.cfg.limits {
				if leak, over := l.judge(u); over {
					leaks = append(leaks, w.limitLeak(l.name, u, leak))
				}
			}
			if leak, over := w.judgeHighWater(u); over {
				leaks = append(leaks, w.limitLeak(highWaterName, u, leak))
			}
		}
	}
	return leaks
}

func (w *watch) limitLeak(name string, u Usage, l Leak) report.Leak {
	what := "leases"
	if u.Kind == HTTPConn {
		what = "requests"
	}
	r := report.Leak{
		Kind: string(l.Kind), Code: l.Code, Class: name, Test: w.name, Summary: l.Summary, Count: l.Count,
		Site: fromFrame(l.Site), Source: l.Site.Source, State: l.State, Holds: l.Holds, Hint: l.Hint, Rank: rankLimit, Role: roleExample,
		Unknown: "a limit is on all of a test's " + what + " together",
	}
	r.Stack = callsite.User(fromFrames(l.Stack))
	if r.Site.Func != "" || len(r.Stack) > 0 {
		r.Unknown = ""
	}
	if r.Kind == "" {
		r.Kind = string(u.Kind)
	}
	if r.Code == "" {
		r.Code = codeLimit
	}
	if r.Summary == "" {
		r.Summary = fmt.Sprintf("%s: %s is over its limit", name, u.Pool)
	}
	return r
}
