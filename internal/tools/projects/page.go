package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// A place is what was found at one line of code, by as many tests as may be.
type place struct {
	finding
	class class
	index int
	leaks int // findings
}

// places folds the findings of one place and kind.
func (r *result) places(p *project) []*place {
	var list []*place
	for _, f := range r.Findings {
		i := slices.IndexFunc(list, func(o *place) bool {
			return o.Kind == f.Kind && o.File == f.File && o.Line == f.Line && o.Func == f.Func && (f.File != "" || o.Title == f.Title)
		})
		if i < 0 {
			c, at := p.class(f)
			list = append(list, &place{finding: f, class: c, index: at, leaks: 1})
			continue
		}
		o := list[i]
		o.leaks++
		for _, t := range f.Tests {
			if !slices.Contains(o.Tests, t) {
				o.Tests = append(o.Tests, t)
			}
		}
	}
	return list
}

// tell prints what was found, and says whether nothing differs and all is classed.
func (r *result) tell(w io.Writer, p *project) bool {
	clean := len(r.Differs) == 0
	fmt.Fprintf(w, "\n%s %s, %s\n", r.Module, r.Version, r.Go)
	for _, c := range []struct {
		name string
		counts
	}{{"plain", r.Plain}, {"told", r.Deep}, {"failing", r.Failing}} {
		fmt.Fprintf(w, "  %-8s %5d passed %4d failed %4d skipped %7.1f s\n", c.name, c.Pass, c.Fail, c.Skip, c.Seconds)
	}
	for i, d := range r.Differs {
		if i == maxTold {
			fmt.Fprintf(w, "  DIFFERS  and %d more\n", len(r.Differs)-i)
			break
		}
		fmt.Fprintf(w, "  DIFFERS  %v\n", d)
	}
	for _, name := range topTests(r.Unsteady) {
		fmt.Fprintf(w, "  unsteady, plain or not: %s\n", name)
	}
	used := make(map[int]bool)
	for _, o := range r.places(p) {
		used[o.index] = true
		name := o.class.Class
		if name == "" {
			name, clean = "NO CLASS", false
		}
		fmt.Fprintf(w, "  %-12s %s:%d %s\n               %s ×%d: %s\n               %s\n               %d tests: %s\n",
			name, o.File, o.Line, o.Func, o.Kind, o.leaks, o.Title, o.Source, len(o.Tests), strings.Join(o.Tests[:min(len(o.Tests), 4)], " "))
	}
	for i, c := range p.Reports {
		if !used[i] {
			fmt.Fprintf(w, "  not found    %s %s\n", c.Kind, c.At)
		}
	}
	fmt.Fprintf(w, "  %d process-wide\n", len(r.Shared))
	return clean
}

// maxTold bounds how many differences are printed.
const maxTold = 12

// pageHead is what the page says before its tables.
const pageHead = `# Deep mode on public projects

The tests of public projects, run plain (go test -count=1) and under deep mode, and every report that deep mode made of
them, read by hand in the project's code. The page is written by go run ./internal/tools/projects -doc docs/deep-projects.md,
which runs all of this again; the classes and their proofs are in internal/tools/projects/projects.json.

The projects were taken as published, with no change and no configuration for leakgate. Servers (PostgreSQL, MariaDB, Redis,
RabbitMQ, memcached) were real ones, started empty for each run.

`

// pageMended is what the first runs found wrong in deep mode itself.
const pageMended = `
## What was false, and is mended

The first runs over these projects found, in deep mode itself:

- What a subtest holds was told at its end, also where the test around it gives it back, as in lib/pq. A subtest is judged with the test around it.
- A timer of the harness's own was told as a goroutine of a test of pgx's.
- Of tests that fail by themselves, a sql.DB that was closed a moment before was said to be still held, as in lib/pq.
- The server that redigo's tests keep in a package-level variable was told as the leak of the test that started it: now its pipe and its goroutine
  are listed as process-wide.
- Connections to localhost had no line, as in miekg/dns, and what an example opened had a line of the generated main function, as in puddle.
`

// page is the page of the documentation.
func page(all []*result) string {
	var b strings.Builder
	b.WriteString(pageHead)
	b.WriteString("## What a report can be\n\n| class | what |\n|---|---|\n")
	for _, c := range classes {
		fmt.Fprintf(&b, "| %s | %s |\n", c.name, c.what)
	}
	b.WriteString("\n## The results\n\n" +
		"A test counts with its subtests, each as one. *Same* says that every single test ended in deep mode as it did plain. " +
		"*Leaks fail* is how many tests pass plain and fail for a leak without -report. The last columns are call sites.\n\n" +
		"| project | servers | passed | failed | skipped | same | leaks fail | project | tests | process-wide | false |\n" +
		"|---|---|---:|---:|---:|---|---:|---:|---:|---:|---:|\n")
	total := make(map[string]int)
	passed := 0
	for _, r := range all {
		n := make(map[string]int)
		for _, o := range r.places(r.project) {
			n[o.class.Class]++
			total[o.class.Class]++
		}
		passed += r.Plain.Pass
		same := "yes"
		if len(r.Differs) > 0 {
			same = fmt.Sprintf("%d differ", len(r.Differs))
		} else if len(r.Unsteady) > 0 {
			same = "yes, but for unsteady ones"
		}
		fmt.Fprintf(&b, "| %s %s | %s | %d | %d | %d | %s | %d | %d | %d | %d | %d |\n", r.Module, r.Version, strings.Join(r.project.Needs, ", "),
			r.Plain.Pass, r.Plain.Fail, r.Plain.Skip, same, max(0, r.Failing.Fail-r.Plain.Fail), n["project"], n["tests"], n["process-wide"], n["false"])
	}
	fmt.Fprintf(&b, "\n%d projects, %d tests passed. Call sites: %d in projects, %d in tests, %d process-wide, %d false.\n",
		len(all), passed, total["project"], total["tests"], total["process-wide"], total["false"])
	b.WriteString(pageMended + "\n## Each call site\n")
	for _, r := range all {
		fmt.Fprintf(&b, "\n### %s %s\n\n%s, %s.", r.Module, r.Version, r.Date, r.Go)
		if note := r.project.Note; note != "" {
			fmt.Fprintf(&b, " %s.", strings.TrimSuffix(note, "."))
		}
		if len(r.Shared) > 0 {
			fmt.Fprintf(&b, " Listed as process-wide, and failing nothing: %d.", len(r.Shared))
		}
		b.WriteString("\n")
		if names := topTests(r.Unsteady); len(names) > 0 {
			fmt.Fprintf(&b, "Tests whose result changes from run to run, plain as well: %s.\n", strings.Join(names, ", "))
		}
		for _, d := range r.Differs {
			fmt.Fprintf(&b, "Differs: %v.\n", d)
		}
		places := r.places(r.project)
		if len(places) == 0 {
			b.WriteString("No report.\n")
			continue
		}
		b.WriteString("\n| call site | kind | class | why |\n|---|---|---|---|\n")
		for _, o := range places {
			at := o.Title
			if o.File != "" {
				at = fmt.Sprintf("`%s:%d` %s", o.File, o.Line, o.Func)
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", cell(at), o.Kind, or(o.class.Class, "not classed"), cell(o.class.Why))
		}
	}
	return b.String()
}

// cell is a text as one of a table.
func cell(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "|", "\\|"), "\n", " ") }
