package verdict

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/baseline"
)

// Merge makes the verdict. The order of the fragments does not matter, and they are not changed.
func Merge(in Input) *Verdict {
	m := merger{
		now:     in.Now,
		entries: make(map[string]map[baseline.Key]*baseline.Entry),
		groups:  make(map[baseline.Key]*group),
		byPkg:   make(map[string][]*process),
		dirs:    make(map[string]string),
	}
	for module, file := range in.Baselines {
		index := make(map[baseline.Key]*baseline.Entry)
		if file != nil {
			for i := range file.Entries {
				index[canonical(file.Entries[i].Key)] = &file.Entries[i]
			}
		}
		m.entries[module] = index
	}
	v := &Verdict{Problems: slices.Clone(in.Problems)}
	m.processes, v.Copies = distinct(in.Fragments)
	v.Fragments = len(m.processes)
	for _, p := range m.processes {
		p.module = m.moduleOf(p)
		m.byPkg[p.Package] = append(m.byPkg[p.Package], p)
		if old, ok := m.dirs[p.module]; p.ModuleDir != "" && (!ok || p.ModuleDir < old) {
			m.dirs[p.module] = p.ModuleDir
		}
	}
	for _, p := range m.processes {
		m.collect(p)
	}
	for _, g := range m.groups {
		v.Findings = append(v.Findings, m.finding(g))
	}
	slices.SortFunc(v.Findings, compareFindings)
	m.judgeEntries(v, in.Baselines)
	m.describe(v, in.Baselines)
	return v
}

type merger struct {
	now       time.Time
	processes []*process
	byPkg     map[string][]*process
	entries   map[string]map[baseline.Key]*baseline.Entry // by module
	dirs      map[string]string                           // a module's folder in the repository, by module
	groups    map[baseline.Key]*group
}

// group is all that was found under one key.
type group struct {
	key    baseline.Key
	leaks  []occurrence
	module string
}

// occurrence is one leak record: in which process, and in which run of its test there.
type occurrence struct {
	process *process
	leak    *fragment.Leak
	run     int // -1: it covers all runs together
	of      int // runs of the test in this process, at least 1
}

// canonical is for entries that were made, and not read.
func canonical(k baseline.Key) baseline.Key { return baseline.NewKey(k.Package, k.Fingerprint) }

// moduleOf gives the process's module. Where the test binary did not know it, it is the one among the baselines that has the
// package.
func (m *merger) moduleOf(p *process) string {
	if p.Module != "" {
		return p.Module
	}
	best := ""
	for module := range m.entries { // the one with the longest path, of modules within each other
		if (p.Package == module || strings.HasPrefix(p.Package, module+"/")) && len(module) > len(best) {
			best = module
		}
	}
	return best
}

// distinct leaves out nils and copies, gives the fullest copy of each, and sorts.
func distinct(fragments []*fragment.Fragment) (processes []*process, copies int) {
	type identity struct {
		module, pkg, goVersion, goos, goarch string
		pid                                  int
		began                                int64
	}
	at := make(map[identity]int)
	for _, f := range fragments {
		if f == nil {
			continue
		}
		p := newProcess(f)
		if f.Began.IsZero() { // nothing tells it from one with the same number on another machine
			processes = append(processes, p)
			continue
		}
		id := identity{f.Module, f.Package, f.GoVersion, f.GOOS, f.GOARCH, f.PID, f.Began.UnixNano()}
		i, ok := at[id]
		switch {
		case !ok:
			at[id] = len(processes)
			processes = append(processes, p)
			continue
		case p.fuller(processes[i]):
			processes[i] = p
		}
		copies++
	}
	slices.SortFunc(processes, func(a, b *process) int {
		return cmp.Or(
			cmp.Compare(a.Package, b.Package), a.Began.Compare(b.Began), cmp.Compare(a.PID, b.PID),
			cmp.Compare(a.GOOS, b.GOOS), cmp.Compare(a.GOARCH, b.GOARCH), cmp.Compare(a.GoVersion, b.GoVersion),
			cmp.Compare(a.Module, b.Module), cmp.Compare(a.records(), b.records()),
		)
	})
	return processes, copies
}

// collect puts the leaks of a process to their keys.
func (m *merger) collect(p *process) {
	for i := range p.Leaks {
		l := &p.Leaks[i]
		k := baseline.NewKey(p.Package, l.Fingerprint)
		g := m.groups[k]
		if g == nil {
			g = &group{key: k, module: p.module}
			m.groups[k] = g
		}
		run, of := p.runOf(l)
		g.leaks = append(g.leaks, occurrence{p, l, run, of})
	}
}

// finding makes one of a group.
func (m *merger) finding(g *group) Finding {
	f := Finding{Key: g.key, ID: g.key.ID(), Module: g.module, ModuleDir: m.dirs[g.module]}
	f.Deep = slices.ContainsFunc(g.leaks, func(o occurrence) bool { return o.process.Deep })
	held := judged
	if !slices.ContainsFunc(g.leaks, func(o occurrence) bool { return judged(o.leak) }) {
		f.Standing = Noted
		held = func(l *fragment.Leak) bool { return l.Outcome == fragment.Excused }
		f.Excused = slices.ContainsFunc(g.leaks, func(o occurrence) bool { return held(o.leak) })
		if !f.Excused {
			held = func(*fragment.Leak) bool { return true }
		}
	}
	f.Count, f.Runs = g.count(held)
	if f.Standing != Noted { // a run that failed by itself had it too
		_, f.Runs = g.count(there)
	}
	f.Of = max(f.Runs, m.runsOf(g))
	f.Leak = *g.worst()
	f.Tests = g.tests()
	f.Path, f.Line = place(f.ModuleDir, &f.Leak)
	if f.Standing == Noted {
		// What a failed test left undecided is no news when the baseline has all of it.
		if e := m.entries[g.module][g.key]; f.Excused && e != nil && m.standing(e, f.Count) == Known {
			f.Standing, f.Entry, f.Allowed, f.Excused = Known, e, e.Count, false
		}
		return f
	}
	if index, ok := m.entries[g.module]; ok {
		f.Entry = index[g.key]
		f.Standing = m.standing(f.Entry, f.Count)
		if f.Entry != nil && f.Standing != Expired {
			f.Allowed = f.Entry.Count
		}
		return f
	}
	f.Standing, f.Allowed = g.recorded()
	return f
}

// there says whether something was held, whoever judges it.
func there(l *fragment.Leak) bool { return l.Outcome != fragment.Noted }

// judged says whether a baseline decides about the leak.
func judged(l *fragment.Leak) bool {
	return l.Outcome != fragment.Excused && l.Outcome != fragment.Noted
}

func (m *merger) standing(e *baseline.Entry, count int) Standing {
	switch {
	case e == nil:
		return New
	case e.Expired(m.now):
		return Expired
	case count > e.Count:
		return Over
	}
	return Known
}

// recorded gives the worst that the processes themselves said.
func (g *group) recorded() (Standing, int) {
	standing, allowed := Known, 0
	for _, o := range g.leaks {
		s := Known
		switch {
		case !judged(o.leak):
			continue
		case o.leak.Outcome == fragment.Known:
		case o.leak.Expired != "":
			s = Expired
		case o.leak.Allowed > 0:
			s = Over
		default:
			s = New
		}
		switch rank := slices.Index(Standings(), s) - slices.Index(Standings(), standing); {
		case rank < 0:
			standing, allowed = s, o.leak.Allowed
		case rank == 0:
			allowed = max(allowed, o.leak.Allowed)
		}
	}
	if standing == New || standing == Expired {
		allowed = 0
	}
	return standing, allowed
}

func (g *group) tests() []string {
	var names []string
	for _, o := range g.leaks {
		if o.leak.Test != "" {
			names = append(names, o.leak.Test)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// worst gives the example to show: one that failed rather than one that is known, the most, with a line.
func (g *group) worst() *fragment.Leak {
	worst := g.leaks[0].leak
	for _, o := range g.leaks[1:] {
		if compareLeaks(o.leak, worst) < 0 {
			worst = o.leak
		}
	}
	return worst
}

// place gives the file to point at. A path that leaves the repository is none: formats hand it to other programs.
func place(moduleDir string, l *fragment.Leak) (string, int) {
	frame := l.Site
	if !frame.InModule {
		i := slices.IndexFunc(l.Stack, func(f fragment.Frame) bool { return f.InModule })
		if i < 0 {
			return "", 0
		}
		frame = l.Stack[i]
	}
	// It may begin with "..": a file of another module of the same repository.
	file := path.Join(moduleDir, frame.File)
	if frame.File == "" || strings.HasSuffix(frame.File, ".") || path.IsAbs(frame.File) || !fs.ValidPath(file) {
		return "", 0
	}
	return file, max(frame.Line, 1)
}

// describe fills in what is told of the run beside its leaks.
func (m *merger) describe(v *Verdict, files map[string]*baseline.File) {
	ignored := make(map[string]int)
	for _, p := range m.processes {
		v.Packages = append(v.Packages, p.Package)
		if p.module != "" {
			v.Modules = append(v.Modules, p.module)
		}
		v.Tests = append(v.Tests, p.testRuns()...)
		if len(p.Samples) > 0 {
			samples := slices.Clone(p.Samples)
			slices.SortStableFunc(samples, func(a, b fragment.Sample) int { return a.At.Compare(b.At) })
			v.Series = append(v.Series, Series{Package: p.Package, PID: p.PID, Began: p.Began, Samples: samples})
		}
		for _, ig := range p.Ignored {
			ignored[ig.Reason] += ig.Count
		}
		if p.Main && p.End == nil {
			v.Unended = append(v.Unended, p.Header)
		}
		if p.BaselineError != "" {
			v.Problems = append(v.Problems, Problem{File: m.baselineOf(p), Err: errors.New(p.BaselineError)})
		}
		began, ended := p.span()
		if v.Began.IsZero() || !began.IsZero() && began.Before(v.Began) {
			v.Began = began
		}
		if ended.After(v.Ended) {
			v.Ended = ended
		}
		v.Took = max(v.Took, ended.Sub(began))
	}
	slices.SortFunc(v.Tests, compareTests)
	slices.Sort(v.Packages)
	v.Packages = slices.Compact(v.Packages)
	slices.Sort(v.Modules)
	v.Modules = slices.Compact(v.Modules)
	for reason, n := range ignored {
		v.Ignored = append(v.Ignored, fragment.Ignored{Reason: reason, Count: n})
	}
	slices.SortFunc(v.Ignored, func(a, b fragment.Ignored) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	slices.SortStableFunc(v.Problems, compareProblems)
	v.Problems = slices.CompactFunc(v.Problems, func(a, b Problem) bool { return compareProblems(a, b) == 0 })
	v.Unused = m.unused()
	v.Baseline = m.baselines(files)
}

func compareProblems(a, b Problem) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(errorText(a.Err), errorText(b.Err)))
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// baselineOf gives the file that the process read, from the repository's root where that is known.
func (m *merger) baselineOf(p *process) string {
	if p.Baseline == "" || p.Baseline == "off" {
		return p.Baseline
	}
	if path.IsAbs(p.Baseline) {
		return p.Baseline
	}
	return path.Join(m.dirs[p.module], p.Baseline)
}

// baselines names the files that decided.
func (m *merger) baselines(files map[string]*baseline.File) string {
	used := make(map[string]bool)
	for _, f := range files {
		if f != nil && f.Path != "" && len(f.Entries) > 0 { // one that is not there has a path too
			used[f.Path] = true
		}
	}
	for _, p := range m.processes {
		if _, ok := files[p.module]; !ok {
			if name := m.baselineOf(p); name != "" && name != "off" {
				used[name] = true
			}
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(used)), ", ")
}

// unused gives the ignores that matched nothing in any run of their package that ended.
func (m *merger) unused() []UnusedIgnore {
	var out []UnusedIgnore
	for pkg, processes := range m.byPkg {
		seen, ended := make(map[string]int), 0
		for _, p := range processes {
			if p.End == nil || p.Filtered || p.Short {
				continue
			}
			ended++
			for _, name := range slices.Compact(slices.Sorted(slices.Values(p.End.Unused))) {
				seen[name]++
			}
		}
		for name, n := range seen {
			if n == ended {
				out = append(out, UnusedIgnore{pkg, name})
			}
		}
	}
	slices.SortFunc(out, func(a, b UnusedIgnore) int {
		return cmp.Or(cmp.Compare(a.Package, b.Package), cmp.Compare(a.Ignore, b.Ignore))
	})
	return out
}
