package leakcheck

import (
	"fmt"
	"time"

	"github.com/leakgate/leakgate/internal/callsite"
)

// codeExhausted is the code of a pool that was exhausted under load.
const codeExhausted = "LK603"

// exhausted gives an entry for each pool that was exhausted, and for longer than the share of the time.
func (l *Load) exhausted(share float64) (leaks []Leak) {
	for _, p := range l.Pools {
		if p.exhausted && (share == 0 || float64(p.FullFor) > share*float64(l.Took)) {
			leaks = append(leaks, p.leak(l))
		}
	}
	return leaks
}

func (p PoolLoad) leak(l *Load) Leak {
	out := Leak{
		Kind: p.Kind, Code: codeExhausted, Count: 1,
		Summary: fmt.Sprintf("%s was exhausted: %s out, and others had to wait for one, %s", p.Pool, p.all(), times(p.Waits)),
		Hint:    "give the connection back before what takes long, and take it again after; a bigger pool helps as far as the numbers above say",
	}
	if p.Kind == HTTPConn {
		out.Hint = "let fewer requests run at once, and close each body as soon as it is read; a higher MaxConnsPerHost helps as far as the numbers above say"
	}
	if len(p.AtExhaustion) > 0 {
		top := p.AtExhaustion[0]
		out.Site = top.Site
		for _, f := range top.stack {
			out.Stack = append(out.Stack, frame(f))
		}
	}
	who := p.atExhaustion()
	out.State = who[0]
	out.Holds = append(out.Holds, who[1:]...)
	out.Holds = append(out.Holds, p.numbers(l)...)
	return out
}

// atExhaustion says who held what at the moment of exhaustion, a line each; nil when there was none.
func (p PoolLoad) atExhaustion() (lines []string) {
	if !p.exhausted {
		return nil
	}
	if len(p.AtExhaustion) == 0 {
		return []string{"who held the connections then was not seen"}
	}
	head := "all were out at once, taken at:"
	if p.Waiting > 0 {
		head = fmt.Sprintf("all were out and %d waited when that was first seen; taken at:", p.Waiting)
	}
	lines = append(lines, head)
	for i, h := range p.AtExhaustion {
		if i == 3 {
			lines = append(lines, fmt.Sprintf("… and %s more", many(len(p.AtExhaustion)-i, "line")))
			break
		}
		at := "a line that is not known"
		if h.Site.Function != "" {
			at = whereIs(fromFrame(h.Site))
		}
		lines = append(lines, fmt.Sprintf("%d × %s, for %s", h.Count, at, brief(h.Held)))
	}
	return lines
}

// numbers says what the load needs and what another size would do, a line each.
func (p PoolLoad) numbers(l *Load) (lines []string) {
	peak := fmt.Sprintf("%d of %d", p.Peak, p.Size)
	if p.Size == 0 {
		peak = fmt.Sprintf("%d, and the pool has no limit", p.Peak)
	}
	lines = append(lines, fmt.Sprintf("held %s each at %s a second needs %s on average; the peak was %s",
		brief(p.MeanHold), number(perSecond(p.Leases, l.Took)), plural(number(p.Need), "connection"), peak))
	if p.Waits > 0 {
		lines = append(lines, fmt.Sprintf("waited for a connection: %s, %s in all, %s each on average", times(p.Waits), brief(p.Waited), brief(p.Waited/time.Duration(p.Waits))))
	}
	if p.FullFor > 0 {
		lines = append(lines, fmt.Sprintf("all were out for %s of the load's %s", p.ofTime(l), brief(l.Took)))
	}
	longest := fmt.Sprintf("longest hold: %s", brief(p.LongestHold))
	if p.LongestSite.Function != "" {
		longest += ", taken at " + callsite.Short(p.LongestSite.File) + fmt.Sprintf(":%d", p.LongestSite.Line)
	}
	lines = append(lines, longest)
	if p.exhausted && p.MeanHold > 0 {
		most := float64(p.Size) / p.MeanHold.Seconds()
		lines = append(lines, fmt.Sprintf("at %s each, a pool of %d lends at most %s a second, one of %d at most %s; for %s to wait for none takes one for each",
			brief(p.MeanHold), p.Size, number(most), 2*p.Size, number(2*most), many(l.Clients, "client")))
	}
	return lines
}

// all is "its 10 connections were all".
func (p PoolLoad) all() string {
	if p.Size == 1 {
		return "its only connection was"
	}
	return fmt.Sprintf("its %d connections were all", p.Size)
}

// ofTime is for how long the pool was full: "531ms (97%)".
func (p PoolLoad) ofTime(l *Load) string {
	s := brief(p.FullFor)
	if l.Took > 0 {
		s += fmt.Sprintf(" (%.0f%%)", 100*float64(p.FullFor)/float64(l.Took))
	}
	return s
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func plural(n, what string) string {
	if n == "1" {
		return n + " " + what
	}
	return n + " " + what + "s"
}
