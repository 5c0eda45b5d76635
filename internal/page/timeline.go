package page

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/verdict"
)

// Most that the plots over time show.
const (
	maxProcesses  = 8 // drawn; the others are in the table
	maxPools      = 4 // lines of one plot; the others are added up
	closeWait     = "CLOSE_WAIT"
	columns       = 250 // steps of a line: what falls into one keeps its highest, lowest and last value
	maxBoundaries = 40  // lines through the plots, one for each test; with more there are marks above alone
	maxLetters    = 12  // tests that leaked and are named
	maxSamples    = 40  // rows of a plot's table
	unit          = 1000
)

// timeline is what processes held over the run.
type timeline struct {
	Processes []processView
	Table     []processRow
	TableMore int
	All       int
}

type processRow struct{ Package, PID, Took, Leased, Sockets, Goroutines string }

type processView struct {
	ID, Package, PID string
	From, To         string // labels of the time axis
	Note             string
	Ticks            []int // where tests begin, of 1000
	Boundaries       []int
	Leaky            []span
	Letters          []lettering
	Panels           []panel
	Head             []string
	Samples          []sampleRow
	Thinned          bool
}

// span is a test that leaked.
type span struct {
	X, Width     int
	Letter, Text string
}

// lettering is what stands above the plots, and where.
type lettering struct{ X, Text string }

type panel struct {
	ID, Title, Desc string
	Lines           []plotLine
	Grid            []gridLine
	Limit           *gridLine
	Boundaries      []int
	Leaky           []span
}

type plotLine struct {
	Class, Name, D, Area, Most string
	Told                       bool // its name says more than the plot's title
}

// gridLine is a level; Y is from the top in percent.
type gridLine struct{ Y, Label string }

type sampleRow struct {
	At    string
	Cells []string
}

// process is one series with what is known of it.
type process struct {
	series     *verdict.Series
	leaks      int
	tests      []*verdict.TestRun
	untold     bool // tests of several processes cannot be told apart
	from, to   time.Time
	pools      []string // by their peak
	leased     map[string]int
	mostLeased int      // of all pools at one moment
	sockets    int      // -1 when they cannot be counted
	states     []string // CLOSE_WAIT first, the others by their peak; nil when none is known
	fds        int      // 0 when they are not known
	heap       int64    // the same
	goroutines int
}

func newTimeline(v *verdict.Verdict) timeline {
	var all []*process
	byID := make(map[processID][]*process)
	for i := range v.Series {
		if len(v.Series[i].Samples) == 0 {
			continue
		}
		p := newProcess(&v.Series[i])
		all = append(all, p)
		id := processID{p.series.Package, p.series.PID}
		byID[id] = append(byID[id], p)
	}
	assignTests(v, byID)
	slices.SortStableFunc(all, func(a, b *process) int {
		return cmp.Or(
			cmp.Compare(b.leaks, a.leaks),
			cmp.Compare(b.mostLeased, a.mostLeased),
			cmp.Compare(b.sockets, a.sockets),
			cmp.Compare(b.goroutines, a.goroutines),
			cmp.Compare(a.series.Package, b.series.Package),
			cmp.Compare(a.series.PID, b.series.PID),
		)
	})
	t := timeline{All: len(all)}
	sizes := poolSizes(v)
	for i, p := range all {
		if i < maxProcesses {
			t.Processes = append(t.Processes, p.view(i, sizes))
		}
		if i == maxRows {
			t.TableMore = len(all) - i
			break
		}
		t.Table = append(t.Table, processRow{
			Package: line(p.series.Package), PID: strconv.Itoa(p.series.PID), Took: took(p.to.Sub(p.from)),
			Leased: number(p.mostLeased), Sockets: unknownBelow(p.sockets), Goroutines: number(p.goroutines),
		})
	}
	return t
}

func unknownBelow(n int) string {
	if n < 0 {
		return "–"
	}
	return number(n)
}

func newProcess(s *verdict.Series) *process {
	states := make(map[string]int)
	p := &process{series: s, leased: make(map[string]int), sockets: -1, from: s.Samples[0].At, to: s.Samples[0].At}
	if !s.Began.IsZero() && s.Began.Before(p.from) {
		p.from = s.Began
	}
	for i := range s.Samples {
		m := &s.Samples[i]
		if m.At.Before(p.from) {
			p.from = m.At
		}
		if m.At.After(p.to) {
			p.to = m.At
		}
		sum := 0
		for name, n := range m.Leased {
			p.leased[name] = max(p.leased[name], n)
			sum += n
		}
		p.mostLeased = max(p.mostLeased, sum)
		p.sockets = max(p.sockets, m.Sockets)
		p.goroutines = max(p.goroutines, m.Goroutines)
		p.fds, p.heap = max(p.fds, m.FDs), max(p.heap, m.HeapInUse)
		for name, n := range m.States {
			states[name] = max(states[name], n)
		}
	}
	for name := range states {
		p.states = append(p.states, name)
	}
	slices.SortFunc(p.states, func(a, b string) int {
		return cmp.Or(first(a == closeWait, b == closeWait), cmp.Compare(states[b], states[a]), cmp.Compare(a, b))
	})
	for name := range p.leased {
		p.pools = append(p.pools, name)
	}
	slices.SortFunc(p.pools, func(a, b string) int {
		return cmp.Or(cmp.Compare(p.leased[b], p.leased[a]), cmp.Compare(a, b))
	})
	return p
}

// first puts what is so before what is not.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// processID tells the processes of one machine apart.
type processID struct {
	pkg string
	pid int
}

// assignTests finds the process of each test. Two machines may have given processes of one package the same number: then the
// time tells, where it does.
func assignTests(v *verdict.Verdict, byID map[processID][]*process) {
	for i := range v.Tests {
		t := &v.Tests[i]
		var of []*process
		same := byID[processID{t.Package, t.PID}]
		for _, p := range same {
			if len(same) == 1 || !t.Began.Before(p.from) && !t.Began.After(p.to) {
				of = append(of, p)
			}
		}
		switch len(of) {
		case 0:
		case 1:
			of[0].tests = append(of[0].tests, t)
			of[0].leaks += t.Leaks
		default:
			for _, p := range of {
				p.untold = true
			}
		}
	}
	for _, ps := range byID {
		for _, p := range ps {
			slices.SortStableFunc(p.tests, func(a, b *verdict.TestRun) int {
				return cmp.Or(a.Began.Compare(b.Began), cmp.Compare(a.Name, b.Name))
			})
			for _, t := range p.tests {
				if !t.Began.IsZero() && t.Began.Before(p.from) {
					p.from = t.Began
				}
				if end := t.Began.Add(t.Took); end.After(p.to) {
					p.to = end
				}
			}
		}
	}
}

// poolSizes gives the size of each pool of each package, where tests agree about it.
func poolSizes(v *verdict.Verdict) map[[2]string]int {
	sizes := make(map[[2]string]int)
	for i := range v.Tests {
		for _, p := range v.Tests[i].Pools {
			key := [2]string{v.Tests[i].Package, p.Name}
			switch had, ok := sizes[key]; {
			case !ok:
				sizes[key] = p.Size
			case had != p.Size:
				sizes[key] = 0
			}
		}
	}
	return sizes
}

// x places a moment between 0 and 1000.
func (p *process) x(at time.Time) int {
	all := p.to.Sub(p.from)
	if all <= 0 {
		return 0
	}
	return max(0, min(unit, int(float64(at.Sub(p.from))/float64(all)*unit+0.5)))
}

func (p *process) view(n int, sizes map[[2]string]int) processView {
	v := processView{
		ID: "p" + strconv.Itoa(n+1), Package: line(p.series.Package), PID: strconv.Itoa(p.series.PID),
		From: p.from.UTC().Format("15:04:05 UTC"), To: "+" + took(p.to.Sub(p.from)),
	}
	p.marks(&v)
	if len(p.pools) > 0 {
		v.Panels = append(v.Panels, p.leasedPanel(v.ID, sizes))
	}
	switch {
	case len(p.states) > 0:
		v.Panels = append(v.Panels, p.panel(v.ID+"-sockets", "Sockets by state", 0, p.stateTracks()))
	case p.sockets >= 0:
		v.Panels = append(v.Panels, p.panel(v.ID+"-sockets", "Sockets", 0, []track{
			{name: "sockets", of: func(s *fragment.Sample) int { return s.Sockets }},
		}))
	}
	if p.fds > 0 {
		v.Panels = append(v.Panels, p.panel(v.ID+"-fds", "File descriptors", 0, []track{{name: "file descriptors", of: fds}}))
	}
	v.Panels = append(v.Panels, p.panel(v.ID+"-goroutines", "Goroutines", 0, []track{
		{name: "goroutines", of: func(s *fragment.Sample) int { return s.Goroutines }},
	}))
	if p.heap > 0 {
		unit, name := p.heapUnit()
		v.Panels = append(v.Panels, p.panel(v.ID+"-heap", "Heap in use, "+name, 0, []track{{name: "heap in use, " + name, of: heapIn(unit)}}))
	}
	for i := range v.Panels {
		v.Panels[i].Boundaries, v.Panels[i].Leaky = v.Boundaries, v.Leaky
	}
	p.table(&v)
	return v
}

// marks fills in where tests begin, and which of them leaked.
func (p *process) marks(v *processView) {
	top, leaky := 0, 0
	last := -1
	for _, t := range p.tests {
		if t.Leaks > 0 {
			leaky++
			if leaky <= maxLetters {
				x := p.x(t.Began)
				to := max(x+4, p.x(t.Began.Add(t.Took)))
				v.Leaky = append(v.Leaky, span{
					X: x, Width: to - x, Text: fmt.Sprintf("%s leaked %s", shorten(t.Name, 80), number(t.Leaks)),
				})
			}
		}
		if strings.Contains(t.Name, "/") {
			continue
		}
		top++
		if x := p.x(t.Began); last < 0 || x-last >= 4 {
			v.Ticks = append(v.Ticks, x)
			last = x
		}
	}
	v.Letters = letter(v.Leaky)
	if top <= maxBoundaries {
		v.Boundaries = v.Ticks
	}
	switch {
	case p.untold:
		v.Note = "Another machine ran this package at the same time in a process of the same number: which tests ran here cannot be told."
	case top > 0:
		v.Note = fmt.Sprintf("A mark above stands where a test begins (%s).", count(top, "test"))
	}
	if leaky > maxLetters {
		v.Note += fmt.Sprintf(" %s more that leaked are not named.", number(leaky-maxLetters))
	}
}

// letter names the spans from left to right. Letters that would lie on each other become one: "B–E".
func letter(spans []span) []lettering {
	middle := func(s span) int { return min(985, max(15, s.X+s.Width/2)) }
	slices.SortStableFunc(spans, func(a, b span) int { return cmp.Compare(middle(a), middle(b)) })
	type cluster struct{ first, last, from, to int }
	var clusters []cluster
	for i := range spans {
		spans[i].Letter = string(rune('A' + i))
		x := middle(spans[i])
		if n := len(clusters) - 1; n >= 0 {
			room := 45
			if clusters[n].last > clusters[n].first {
				room = 80
			}
			if x-(clusters[n].from+clusters[n].to)/2 < room {
				clusters[n].last, clusters[n].to = i, x
				continue
			}
		}
		clusters = append(clusters, cluster{first: i, last: i, from: x, to: x})
	}
	var out []lettering
	for _, c := range clusters {
		text := spans[c.first].Letter
		if c.last > c.first {
			text += "–" + spans[c.last].Letter
		}
		out = append(out, lettering{X: percentOf((c.from + c.to) / 2), Text: text})
	}
	return out
}

// percentOf writes thousandths as a length in percent.
func percentOf(n int) string { return strconv.FormatFloat(float64(n)/10, 'f', -1, 64) + "%" }

// track is one line of a plot.
type track struct {
	name  string
	class string                     // "" for the next of the usual ones
	of    func(*fragment.Sample) int // -1 when it is not known
}

// stateTracks gives a line for each state of sockets, CLOSE_WAIT in its own colour: it is what a leak looks like from outside.
func (p *process) stateTracks() (tracks []track) {
	shown := p.shownStates()
	for _, name := range shown {
		t := track{name: name, of: func(s *fragment.Sample) int { return inState(s, name) }}
		if name == closeWait {
			t.class = "waits"
		}
		tracks = append(tracks, t)
	}
	if rest := p.states[len(shown):]; len(rest) > 0 {
		tracks = append(tracks, track{name: count(len(rest), "other state"), of: func(s *fragment.Sample) int {
			sum := 0
			for _, name := range rest {
				n := inState(s, name)
				if n < 0 {
					return n
				}
				sum += n
			}
			return sum
		}})
	}
	return tracks
}

// shownStates are the states with a line, and a column, of their own.
func (p *process) shownStates() []string {
	if len(p.states) > maxPools {
		return p.states[:maxPools-1]
	}
	return p.states
}

// inState counts the sockets in a state; -1 when it is not known.
func inState(s *fragment.Sample, state string) int {
	if s.Sockets < 0 || s.Sockets > 0 && len(s.States) == 0 {
		return -1
	}
	return s.States[state]
}

// fds gives the open file descriptors; -1 when they are not known.
func fds(s *fragment.Sample) int {
	if s.FDs <= 0 {
		return -1
	}
	return s.FDs
}

// heapUnit is what the heap is counted in, in bytes and by name: whole numbers should have two digits or more.
func (p *process) heapUnit() (unit int64, name string) {
	if p.heap < 10<<20 {
		return 1 << 10, "KiB"
	}
	return 1 << 20, "MiB"
}

// heapIn gives the heap in use in a unit; -1 when it is not known.
func heapIn(unit int64) func(*fragment.Sample) int {
	return func(s *fragment.Sample) int {
		if s.HeapInUse <= 0 {
			return -1
		}
		return int(min(s.HeapInUse/unit, math.MaxInt32))
	}
}

func (p *process) leasedPanel(id string, sizes map[[2]string]int) panel {
	shown := p.pools
	if len(shown) > maxPools {
		shown = shown[:maxPools-1]
	}
	var tracks []track
	for _, name := range shown {
		tracks = append(tracks, track{name: name, of: func(s *fragment.Sample) int { return s.Leased[name] }})
	}
	if rest := p.pools[len(shown):]; len(rest) > 0 {
		tracks = append(tracks, track{name: count(len(rest), "other pool"), of: func(s *fragment.Sample) int {
			sum := 0
			for _, name := range rest {
				sum += s.Leased[name]
			}
			return sum
		}})
	}
	size := 0
	if len(shown) == 1 || p.leased[shown[0]] > p.leased[shown[1]] {
		size = sizes[[2]string{p.series.Package, shown[0]}]
	}
	if p.leased[shown[0]]*4 < size {
		size = 0 // the lines would lie on the ground
	}
	return p.panel(id+"-leased", "Leased connections", size, tracks)
}

// panel draws the tracks, and the size of the pool of the first unless it is 0.
func (p *process) panel(id, title string, size int, tracks []track) panel {
	top := size
	for _, t := range tracks {
		for i := range p.series.Samples {
			top = max(top, t.of(&p.series.Samples[i]))
		}
	}
	scale := roundUp(top)
	out := panel{ID: id, Title: title}
	for _, level := range []int{scale, scale / 2} {
		if level > 0 && (level*2 == scale || level == scale) {
			out.Grid = append(out.Grid, gridLine{Y: percentOf(unit - level*unit/scale), Label: number(level)})
		}
	}
	if size > 0 {
		out.Limit = &gridLine{
			Y: percentOf(unit - size*unit/scale), Label: fmt.Sprintf("size of %s: %s", shorten(tracks[0].name, 40), number(size)),
		}
	}
	var said []string
	for i, t := range tracks {
		d, area, most, last, at := p.draw(t, scale)
		class := t.class
		if class == "" {
			class = "l" + strconv.Itoa(i+1)
		}
		l := plotLine{Class: class, Name: shorten(t.name, 60), D: d, Most: number(most), Told: !strings.EqualFold(t.name, title)}
		if len(tracks) == 1 {
			l.Area = area
		}
		out.Lines = append(out.Lines, l)
		said = append(said, fmt.Sprintf("%s: at most %s, first reached after %s, and %s at the end",
			l.Name, number(most), took(at), number(last)))
	}
	out.Desc = strings.Join(said, "; ") + "."
	if size > 0 {
		out.Desc += fmt.Sprintf(" The pool's size is %s.", number(size))
	}
	return out
}

// roundUp gives a round number that is not below n, for the top of an axis.
func roundUp(n int) int {
	for scale := 1; scale <= math.MaxInt/100; scale *= 10 {
		for _, f := range []int{2, 4, 6, 10} {
			if n <= f*scale {
				return f * scale
			}
		}
	}
	return n // what is round does not fit
}

// draw makes a stair of the samples: a value holds until the next is known. What falls into one column of the plot goes to its
// highest, its lowest and its last value, so that no peak is lost.
func (p *process) draw(t track, scale int) (d, area string, most, last int, at time.Duration) {
	var b strings.Builder
	started := false
	x, y, first := 0, 0, 0
	level := func(n int) int { return unit - int(int64(n)*unit/int64(scale)) }
	up := func(n int) {
		if to := level(n); to != y {
			y = to
			fmt.Fprintf(&b, "V%d", y)
		}
	}
	flush := func(column, high, low, end int) {
		if !started {
			started, x, first, y = true, column, column, level(high)
			fmt.Fprintf(&b, "M%d %d", x, y)
		} else if column != x {
			if level(high) != y || level(low) != y || level(end) != y {
				x = column
				fmt.Fprintf(&b, "H%d", x)
			}
		}
		up(high)
		up(low)
		up(end)
	}
	column, high, low := -1, 0, 0
	end := 0
	for i := range p.series.Samples {
		s := &p.series.Samples[i]
		n := t.of(s)
		if n < 0 {
			continue
		}
		if n > most {
			most, at = n, s.At.Sub(p.from)
		}
		const step = unit / columns
		c := p.x(s.At) / step * step
		if c != column {
			if column >= 0 {
				flush(column, high, low, end)
			}
			column, high, low = c, n, n
		}
		high, low, end = max(high, n), min(low, n), n
	}
	if column < 0 {
		return "", "", 0, 0, 0
	}
	flush(column, high, low, end)
	stop := max(p.x(p.series.Samples[len(p.series.Samples)-1].At), min(unit, first+4))
	if stop > x {
		fmt.Fprintf(&b, "H%d", stop)
	}
	d = b.String()
	return d, fmt.Sprintf("%sV%dH%dZ", d, unit, first), most, end, at
}

// table lists the samples in words: all, or those with the highest and lowest counts.
func (p *process) table(v *processView) {
	v.Head = []string{"After"}
	pools := p.pools
	if len(pools) > maxPools {
		pools = pools[:maxPools]
	}
	for _, name := range pools {
		v.Head = append(v.Head, "leased of "+line(name))
	}
	if p.sockets >= 0 {
		v.Head = append(v.Head, "sockets")
	}
	states := p.shownStates()
	for _, name := range states {
		v.Head = append(v.Head, "in "+line(name))
	}
	if p.fds > 0 {
		v.Head = append(v.Head, "file descriptors")
	}
	v.Head = append(v.Head, "goroutines")
	unit, name := p.heapUnit()
	if p.heap > 0 {
		v.Head = append(v.Head, "heap in use, "+name)
	}

	thin := p.series.Thin(maxSamples)
	v.Thinned = len(thin) < len(p.series.Samples)
	for i := range thin {
		s := &thin[i]
		row := sampleRow{At: took(s.At.Sub(p.from))}
		for _, name := range pools {
			row.Cells = append(row.Cells, number(s.Leased[name]))
		}
		if p.sockets >= 0 {
			row.Cells = append(row.Cells, unknownBelow(s.Sockets))
		}
		for _, name := range states {
			row.Cells = append(row.Cells, unknownBelow(inState(s, name)))
		}
		if p.fds > 0 {
			row.Cells = append(row.Cells, unknownBelow(fds(s)))
		}
		row.Cells = append(row.Cells, number(s.Goroutines))
		if p.heap > 0 {
			row.Cells = append(row.Cells, unknownBelow(heapIn(unit)(s)))
		}
		v.Samples = append(v.Samples, row)
	}
}
