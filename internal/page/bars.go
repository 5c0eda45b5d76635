package page

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/leakgate/leakgate/internal/verdict"
)

// Most bars of a plot; the table has more.
const maxBars = 20

// highWater is the share of a pool's size above which a peak is marked: what a test reaches with few clients, production
// passes.
const highWater = 0.75

// full is where 100 % lies, in thousandths of the plot's width: the rest is for the numbers.
const full = 800

// bars is a plot of horizontal bars with its table.
type bars struct {
	ID, Title, Desc string
	Summary         string
	Height          int
	Rows            []bar
	Head            []string
	Table           [][]string
	TableMore       int
	Lines           []barLine
}

// barLine is a vertical line through all bars.
type barLine struct{ X, Label, Class string }

type bar struct {
	Y, TextY   int // in pixels from the top
	BarY       int
	Label      string
	Name       string // whole, for the pointer
	Value      string
	X          string // end of the first part, in percent
	Rest       string // width of the second part; "" for none
	Over       bool
	Mark       string // x of the bar's own limit; "" for none
	MarkY2     int
	MeterWidth string
}

// Sizes of a row in pixels.
const (
	rowHeight = 38
	barsTop   = 22
)

func (b *bars) place() {
	for i := range b.Rows {
		r := &b.Rows[i]
		r.Y = barsTop + i*rowHeight
		r.TextY, r.BarY = r.Y+14, r.Y+19
		r.MarkY2 = r.BarY + 12
		r.MeterWidth = percentOf(full)
	}
	b.Height = barsTop + len(b.Rows)*rowHeight + 4
}

// peak is the most that a test had out of one pool.
type peak struct {
	pkg, test, kind, pool string
	peak, size            int
	limit                 float64
}

func (p peak) share() float64 { return float64(p.peak) / float64(p.size) }

// peakBars shows the tests that came nearest to the size of a pool.
func peakBars(v *verdict.Verdict) bars {
	type key struct{ pkg, test, kind, pool string }
	at := make(map[key]int)
	var all []peak
	for i := range v.Tests {
		t := &v.Tests[i]
		for _, p := range t.Pools {
			if p.Size <= 0 {
				continue
			}
			k := key{t.Package, t.Name, p.Kind, p.Name}
			now := peak{k.pkg, k.test, k.kind, k.pool, p.Peak, p.Size, p.Limit}
			if j, ok := at[k]; !ok {
				at[k] = len(all)
				all = append(all, now)
			} else if now.share() > all[j].share() {
				all[j] = now
			}
		}
	}
	slices.SortStableFunc(all, func(a, b peak) int {
		return cmp.Or(cmp.Compare(b.share(), a.share()), cmp.Compare(b.peak, a.peak),
			cmp.Compare(a.pkg, b.pkg), cmp.Compare(a.test, b.test), cmp.Compare(a.pool, b.pool))
	})
	b := bars{
		ID: "peaks", Title: "Peak of each test against its pool's size",
		Head: []string{"Test", "Pool", "Kind", "Peak", "Size", "Share", "Limit of the test"},
		Lines: []barLine{
			{X: percentOf(int(highWater * full)), Label: percent(highWater), Class: "high"},
			{X: percentOf(full), Label: percent(1), Class: "full"},
		},
	}
	over := 0
	for i, p := range all {
		if p.share() > highWater {
			over++
		}
		if i < maxBars {
			r := bar{
				Label: shorten(p.test+" · "+p.pool, 50), Name: line(fmt.Sprintf("%s of %s, pool %s", p.test, p.pkg, p.pool)),
				Value: fmt.Sprintf("%s of %s", number(p.peak), number(p.size)),
				X:     percentOf(int(min(1, p.share()) * full)), Over: p.share() > highWater,
			}
			if r.Over {
				r.Value = "▲ " + r.Value
			}
			if p.limit > 0 && p.limit <= 1 {
				r.Mark = percentOf(int(p.limit * full))
			}
			b.Rows = append(b.Rows, r)
		}
		if i < maxRows {
			limit := "–"
			if p.limit > 0 {
				limit = percent(p.limit)
			}
			b.Table = append(b.Table, []string{line(p.test), line(p.pool), line(p.kind), number(p.peak), number(p.size),
				percent(p.share()), limit})
		}
	}
	b.TableMore = len(all) - len(b.Table)
	if len(all) > 0 {
		b.Summary = fmt.Sprintf("%s of %s went above %s of a pool's size", number(over), count(len(all), "test"), percent(highWater))
		if len(all) > maxBars {
			b.Summary += fmt.Sprintf("; the %d nearest to it are drawn", maxBars)
		}
		b.Summary += "."
		b.Desc = b.Summary + " The highest: " + fmt.Sprintf("%s of %s in pool %s, by %s.",
			number(all[0].peak), number(all[0].size), line(all[0].pool), line(all[0].test))
	}
	b.place()
	return b
}

// reuse is what all tests together did with the pools of one name: each test binary has its own, mostly to the same host.
type reuse struct {
	kind, pool                      string
	packages                        int
	requests, dialed, reused, early int
}

func (r reuse) share() float64 { return float64(r.reused) / float64(r.dialed+r.reused) }

// reuseBars shows how often a connection that was open served again, pools with the most dials first.
func reuseBars(v *verdict.Verdict) bars {
	at := make(map[[2]string]int)
	var all []reuse
	for _, u := range v.Pools() {
		if u.Dialed+u.Reused == 0 {
			continue
		}
		k := [2]string{u.Kind, u.Name}
		j, ok := at[k]
		if !ok {
			j = len(all)
			at[k] = j
			all = append(all, reuse{kind: u.Kind, pool: u.Name})
		}
		r := &all[j]
		r.packages++
		r.requests, r.dialed, r.reused, r.early = r.requests+u.Requests, r.dialed+u.Dialed, r.reused+u.Reused, r.early+u.Early
	}
	slices.SortStableFunc(all, func(a, b reuse) int {
		return cmp.Or(cmp.Compare(b.dialed, a.dialed), cmp.Compare(a.share(), b.share()),
			cmp.Compare(a.kind, b.kind), cmp.Compare(a.pool, b.pool))
	})
	b := bars{
		ID: "reuse", Title: "Reuse of connections by host or pool",
		Head: []string{"Host or pool", "Kind", "Packages", "Requests", "Dialed", "Reused", "Share reused", "Closed early"},
	}
	dialed, reused := 0, 0
	for i, r := range all {
		dialed, reused = dialed+r.dialed, reused+r.reused
		if i < maxBars {
			x := int(r.share() * full)
			b.Rows = append(b.Rows, bar{
				Label: shorten(r.pool, 50), Name: line(r.pool), Value: percent(r.share()),
				X: percentOf(x), Rest: percentOf(full - x),
			})
		}
		if i < maxRows {
			b.Table = append(b.Table, []string{line(r.pool), line(r.kind), number(r.packages), number(r.requests), number(r.dialed),
				number(r.reused), percent(r.share()), number(r.early)})
		}
	}
	b.TableMore = len(all) - len(b.Table)
	if len(all) > 0 {
		b.Summary = fmt.Sprintf("%s dialed, and %s served by one that was open.",
			was(dialed, "connection"), was(reused, "request"))
		if len(all) > maxBars {
			b.Summary += fmt.Sprintf(" Drawn: the %d of %s with the most dials.", maxBars, number(len(all)))
		}
		b.Desc = b.Summary + fmt.Sprintf(" Most dials: %s to %s, which reused %s.",
			number(all[0].dialed), line(all[0].pool), percent(all[0].share()))
	}
	b.place()
	return b
}

// shorten keeps both ends of a name, for where a line cannot wrap.
func shorten(s string, most int) string {
	r := []rune(line(s))
	if len(r) <= most {
		return string(r)
	}
	head := (most - 1) * 2 / 3
	return string(r[:head]) + "…" + string(r[len(r)-(most-1-head):])
}
