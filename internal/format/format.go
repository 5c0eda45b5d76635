// Package format renders a verdict: as text for people, and in the formats that continuous integration reads.
//
// What is in a verdict comes from programs under test: addresses, messages of servers, names of subtests, lines of source.
// Each format escapes all of it, so that none of it can become markup, a link or a command of a runner.
package format

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/leakgate/leakgate/internal/verdict"
)

// Options are what a caller may say about the output. The zero value is good for all formats.
type Options struct {
	Colour bool // text: ANSI colours
	All    bool // text: every finding, and not the ten worst alone
	// Repo is the tree from the repository's root. A leak without a line is shown at its test, which is looked for here, and at
	// the module's go.mod where there is no Repo or no such test.
	Repo fs.FS
	// Category is put into a SARIF file as its automation details, so that GitHub keeps several files for one commit apart; ""
	// leaves that to what uploads the file.
	Category string
	Version  string // of Leakgate, for SARIF; "" when it is not known
	// Blob is the address of the repository's root at this commit, "https://github.com/shop/shop/blob/3f1c.../": the job summary
	// links its lines when it is given.
	Blob string
}

// Format is one way to write a verdict.
type Format struct {
	Name string // "sarif"
	Text string // what it is for, in one line
	// Write renders the verdict. An error is that of w alone.
	Write func(w io.Writer, v *verdict.Verdict, o Options) error
}

// Formats lists all formats, in the order in which help shows them.
func Formats() []Format {
	return []Format{
		{"text", "for a terminal or a log: the verdict, then each leak with its line and its fix", Text},
		{"json", "everything, in the shape that docs/report-json.md describes", JSON},
		{"sarif", "SARIF 2.1.0, for GitHub code scanning and editors", SARIF},
		{"gitlab", "a GitLab code quality report", GitLab},
		{"github", "annotations of a GitHub Actions run, the ten worst", GitHub},
		{"junit", "JUnit XML, for Jenkins and the test tabs of others: a test that leaked has failed", JUnit},
	}
}

// Write renders the verdict in the format of that name. An unknown name is an error that lists the names.
func Write(w io.Writer, name string, v *verdict.Verdict, o Options) error {
	var names []string
	for _, f := range Formats() {
		if f.Name == name {
			return f.Write(w, v, o)
		}
		names = append(names, f.Name)
	}
	return fmt.Errorf("there is no format %q: it is one of %s", name, strings.Join(names, ", "))
}

// failing gives the findings that make the verdict red, worst first.
func failing(v *verdict.Verdict) []*verdict.Finding {
	var out []*verdict.Finding
	for i := range v.Findings {
		if f := &v.Findings[i]; f.Fails() {
			out = append(out, f)
		}
	}
	return out
}

// headline is the verdict in one sentence, complete in itself.
func headline(v *verdict.Verdict) string {
	n := v.Counts()
	said := ""
	switch fails := failing(v); {
	case len(fails) > 0:
		said = fmt.Sprintf("%s: %s", plural(n.FailLeaks, "leak"), title(fails[0]))
		if n.Fail > 1 {
			said += fmt.Sprintf("; and %s", plural(n.Fail-1, "more entry"))
		}
	case v.Fragments == 0:
		said = "nothing was judged: no fragment was read"
	case n.Known > 0:
		said = fmt.Sprintf("no new leaks, %d known (%s)", n.KnownLeaks, baselineName(v))
	default:
		said = "no leaks"
	}
	if n.Problems > 0 {
		said += fmt.Sprintf("; %s could not be used", plural(n.Problems, "file"))
	}
	return "leakgate: " + said
}

// ran says how much was judged.
func ran(v *verdict.Verdict) string {
	n := v.Counts()
	s := fmt.Sprintf("%s in %s, %s", plural(n.Tests, "test"), plural(n.Packages, "package"), plural(v.Fragments, "fragment"))
	if v.Baseline != "" {
		return s + ", baseline " + visible(v.Baseline)
	}
	return s + ", no baseline"
}

// ruling says why the finding has its standing.
func ruling(v *verdict.Verdict, f *verdict.Finding) string {
	if f.Standing == verdict.New && v.Baseline == "" {
		return "there is no baseline"
	}
	return visible(f.Ruling())
}

// title is the finding in one line.
func title(f *verdict.Finding) string {
	return visible(f.Title())
}

func baselineName(v *verdict.Verdict) string {
	name := v.Baseline[strings.LastIndexAny(v.Baseline, `/\`)+1:]
	if name == "" || strings.Contains(v.Baseline, ", ") { // none, or several
		return "the baseline"
	}
	return visible(name)
}

// pruneCommands are what takes the stale entries out of their files.
func pruneCommands(v *verdict.Verdict) []string {
	var in byFolder
	for _, s := range v.Stale {
		in.add(path.Dir(strings.ReplaceAll(s.File, `\`, "/")), s.Entry.Package, s.Deep)
	}
	return in.commands(v, "leakgate baseline prune ", "")
}

// acceptCommands are what puts the failing leaks into the files.
func acceptCommands(v *verdict.Verdict) []string {
	var in byFolder
	for _, f := range failing(v) {
		in.add(moduleDir(f), f.Package, f.Deep)
	}
	return in.commands(v, "leakgate baseline accept ", `-reason "why it stays" `)
}

// byFolder are packages by the folder of their module.
type byFolder struct {
	order    []string
	packages map[string][]string
	deep     map[string]bool // leakgate test ran the tests of one of them
}

func (in *byFolder) add(dir, pkg string, deep bool) {
	if in.packages == nil {
		in.packages, in.deep = map[string][]string{}, map[string]bool{}
	}
	in.deep[dir] = in.deep[dir] || deep
	if _, ok := in.packages[dir]; !ok {
		in.order = append(in.order, dir)
	}
	in.packages[dir] = append(in.packages[dir], pkg)
}

// commands gives one command for each folder, which runs the tests as they were run. With one module in the report, it is run
// where the reader is.
func (in *byFolder) commands(v *verdict.Verdict, command, flags string) []string {
	var out []string
	for _, dir := range in.order {
		c := command
		if in.deep[dir] {
			c += "-deep "
		}
		c += flags + patterns(in.packages[dir])
		if len(v.Modules) > 1 && dir != "." {
			if isArgument(dir) {
				c = "(cd " + dir + " && " + c + ")"
			} else {
				c += "   # in " + visible(dir)
			}
		}
		out = append(out, c)
	}
	return out
}

// patterns gives packages as arguments of a command. What a shell would not take as it stands is not put into one.
func patterns(pkgs []string) string {
	const most = 3
	var out []string
	seen := map[string]bool{}
	for _, p := range pkgs {
		if seen[p] {
			continue
		}
		seen[p] = true
		out = append(out, p)
		if len(out) > most || !isArgument(p) {
			return "./..."
		}
	}
	return strings.Join(out, " ")
}

// isArgument says whether a shell takes the text as one argument as it stands, and no command as a flag.
func isArgument(s string) bool {
	if s == "" || s[0] == '-' {
		return false
	}
	for _, r := range s {
		if !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._/~-", r)) {
			return false
		}
	}
	return true
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if s, ok := strings.CutSuffix(what, "y"); ok {
		return fmt.Sprintf("%d %sies", n, s)
	}
	if strings.HasSuffix(what, "s") {
		return fmt.Sprintf("%d %ses", n, what)
	}
	return fmt.Sprintf("%d %ss", n, what)
}
