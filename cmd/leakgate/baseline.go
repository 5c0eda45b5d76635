package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/baseline"
	"github.com/leakgate/leakgate/internal/verdict"
)

const baselineUsage = `usage: leakgate baseline accept|prune|check [flags] [packages] [-- go test flags]

Keeps leakgate.baseline, the list at a module's root of the leaks that were there when Leakgate came. What is
on it does not fail a test; one leak more does, and what is gone must leave the list.

  accept   write down what leaks now: adds, raises, lowers and removes entries; refused in CI
  prune    take out what is gone; it adds nothing, so that it is safe anywhere
  check    say whether the list is what the tests leak, without a change: for CI

  leakgate baseline accept ./...    adopt Leakgate in a suite that leaks
  leakgate baseline prune ./...     after a leak was fixed
  leakgate baseline check ./...     in CI, once a day

Each has its own help: leakgate baseline accept -h
`

const acceptUsage = `usage: leakgate baseline accept [flags] [packages] [-- go test flags]

Runs the tests and makes leakgate.baseline allow exactly what they leak: from then on only more than that
fails. Reasons, owners and dates that people wrote stay. The packages are ./... when none is named.

  leakgate baseline accept ./...                                     adopt Leakgate in a suite that leaks
  leakgate baseline accept -deep ./...                               the same, with no harness in the code
  leakgate baseline accept -reason "SHOP-12: fixed with v2" ./store  one package, with the reason of what is new
  leakgate baseline accept -n ./... -- -race -tags=integration       only show it; flags of go test come last
  leakgate baseline accept -from leaks                               from fragments that exist, without a run

FLAGS

It is refused where $CI is set: a CI run that accepts would make every new leak a known one. Run it by hand,
and commit the file with the change that explains it.

A test that fails by itself is told; what it leaks is not judged. Nothing is written when a package does not
build. Packages of several modules (go.work) are written each to the file of its module.

Exit status: 0 the file is up to date; 2 wrong usage; 3 could not run, or a package ended before its tests did.
`

const pruneUsage = `usage: leakgate baseline prune [flags] [packages] [-- go test flags]

Runs the tests and takes out of leakgate.baseline what they leak no more. It lowers and removes, and never
adds: it is safe anywhere, in CI too. An entry goes only when its test ran to its end and did not leak it:
what a filter, a skip, -short or a failure left out stays. The packages are ./... when none is named.

  leakgate baseline prune ./...              after a leak was fixed
  leakgate baseline prune -n ./...           only show what is gone
  leakgate baseline prune -from leaks        from fragments that exist, without a run

FLAGS

A baseline without entries is removed.

Exit status: 0 nothing is left to prune; 2 wrong usage; 3 could not run, or a package ended before its tests did.
`

const checkUsage = `usage: leakgate baseline check [flags] [packages] [-- go test flags]

Runs the tests and says whether leakgate.baseline is what they leak: nothing new, and nothing that is gone.
It changes nothing. The packages are ./... when none is named.

  leakgate baseline check ./...                  for CI, beside go test
  leakgate baseline check -from leaks            from the fragments of a run that was made anyway
  leakgate baseline check ./... -- -race         flags of go test come last

FLAGS

A test that fails by itself is told, and is no reason to fail here: go test fails on it.

Exit status: 0 the file is what the tests leak; 1 a leak is new, or an entry is stale; 2 wrong usage; 3 could
not run, or a package ended before its tests did.
`

// The subcommands.
const (
	accept = "accept"
	prune  = "prune"
	check  = "check"
)

func baselineCommands() []command {
	sub := func(name, about, usage string) command {
		return command{
			names: []string{name}, about: about, usage: usage, args: argPackages,
			flags: func() *flag.FlagSet { return baselineFlags(&upkeep{verb: name}) },
			run: func(ctx context.Context, args []string, c console) int {
				if wantsHelp(args) {
					return help(c.out, find(baselineCommands(), name), exitOK)
				}
				u := &upkeep{verb: name, console: c}
				code, err := u.command(ctx, args)
				if err != nil {
					return ended(u.name(), err, c)
				}
				return code
			},
		}
	}
	return []command{
		sub(accept, "write down what leaks now", acceptUsage),
		sub(prune, "take out what is gone", pruneUsage),
		sub(check, "say whether the list is what the tests leak", checkUsage),
	}
}

func baselineCommand(ctx context.Context, args []string, c console) int {
	cmd := find(commands(), "baseline")
	if len(args) == 0 {
		fmt.Fprintf(c.err, "leakgate baseline: a command is missing: %s, %s or %s\nrun \"leakgate baseline -h\" for help\n", accept, prune, check)
		return exitUsage
	}
	if sub := find(cmd.subs, args[0]); sub != nil {
		return sub.run(ctx, args[1:], c)
	}
	if wantsHelp(args[:1]) || args[0] == "help" {
		return help(c.out, cmd, exitOK)
	}
	return unknown("leakgate baseline", args[0], cmd.subs, c)
}

// upkeep is one run of a subcommand.
type upkeep struct {
	console
	verb     string
	reason   string
	owner    string
	expires  string
	dry      bool
	from     several
	baseline string
	root     string
	deep     bool
	json     bool
	verbose  bool

	evidence *evidence
	ledgers  []ledger
	failed   []failure
	silent   []string // packages that have tests and wrote no fragment
}

// ledger is one module's baseline.
type ledger struct {
	module module
	file   *baseline.File
	old    []byte // as it was
}

func (u *upkeep) name() string { return "baseline " + u.verb }

func baselineFlags(u *upkeep) *flag.FlagSet {
	fs := newFlags(u.name())
	if u.verb == accept {
		fs.StringVar(&u.reason, "reason", "", "write `TEXT` as the reason why what is new may stay; needed when the file has entries already "+
			"and others are added (default, for the first ones, \""+firstReason+"\")")
		fs.StringVar(&u.owner, "owner", "", "write `NAME` as the one who takes care of what is new")
		fs.StringVar(&u.expires, "expires", "", "let what is new fail again from `DATE` on, such as 2027-01-31; entries whose date has come get it too")
	}
	if u.verb != check {
		fs.BoolVar(&u.dry, "n", false, "only show what would change")
		fs.BoolVar(&u.dry, "dry-run", false, "the same as -n")
	}
	fs.BoolVar(&u.deep, "deep", false, "run the tests as leakgate test does, which needs no harness in the code")
	fs.Var(&u.from, "from", "judge the fragments in `DIR`, and run nothing; may be repeated")
	fs.StringVar(&u.baseline, "baseline", "", "keep the list in `FILE` (default $LEAKGATE_BASELINE, else leakgate.baseline at the module's root)")
	fs.StringVar(&u.root, "root", "", "take `DIR` for the repository's root, from which -from finds the modules")
	fs.BoolVar(&u.json, "json", false, "write one JSON object to standard output, for programs")
	fs.BoolVar(&u.verbose, "v", false, "also show what go test prints, on standard error")
	return fs
}

// firstReason is written when a module's baseline is made.
const firstReason = "was there when the baseline was made"

func (u *upkeep) command(ctx context.Context, args []string) (int, error) {
	rest, extra, err := parseFlags(baselineFlags(u), args, true)
	if err == nil {
		err = u.checkFlags(rest, extra)
	}
	if err != nil {
		return 0, err
	}
	if ci := u.env("CI"); u.verb == accept && !u.dry && ci != "" && ci != "false" && ci != "0" {
		return 0, problem{
			what: "accept is refused here, because CI is set (to " + ci + "): a CI run that accepts would make every new leak a known one",
			todo: "run leakgate baseline accept by hand and commit " + baseline.Name + "; in CI use leakgate baseline check, or prune; " +
				"if this is no CI run, unset CI",
		}
	}
	g, err := u.ground(u.root)
	if err != nil {
		return 0, err
	}
	if len(u.from) > 0 {
		err = u.read(&g)
	} else {
		err = u.test(ctx, &g, rest, extra)
	}
	if err != nil {
		return 0, err
	}
	return u.keep(time.Now())
}

func (u *upkeep) checkFlags(packages, extra []string) error {
	switch {
	case len(u.from) > 0 && u.deep:
		return usagef("-from judges what was written down, and runs no tests: leave out -deep")
	case len(u.from) > 0 && (len(packages) > 0 || len(extra) > 0):
		return usagef("-from judges what was written down, and runs no tests: leave out %s", strings.Join(append(packages, extra...), " "))
	case u.baseline == off:
		return usagef("-baseline off: there is no file then; name one")
	case strings.ContainsAny(u.reason, "\r\n"):
		return usagef("-reason: it must be one line")
	}
	if u.expires != "" {
		if _, err := time.Parse(time.DateOnly, u.expires); err != nil {
			return usagef("-expires %s is no date such as 2027-01-31", u.expires)
		}
	}
	return checkExtra(extra)
}

// ledgerOf opens a module's baseline.
func (u *upkeep) ledgerOf(m module) (*baseline.File, error) {
	if u.baseline != "" {
		path, err := u.path(u.baseline)
		if err != nil {
			return nil, err
		}
		return u.baselineFile(path, false)
	}
	name := u.env(baselineEnv)
	if name == "" || name == off { // off: the tests see everything, and the file is kept all the same
		name = baseline.Name
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(m.dir, name) // as the tests read it
	}
	return u.baselineFile(name, false)
}

// open opens the baselines of the modules.
func (u *upkeep) open(modules []module) error {
	u.evidence.baselines = make(map[string]*baseline.File)
	for _, m := range modules {
		file, err := u.ledgerOf(m)
		if err != nil {
			return err
		}
		for _, l := range u.ledgers {
			if l.file.Path == file.Path {
				return usagef("%s is one file, and the packages are of the modules %s and %s: run it in each of them, or without -baseline",
					u.shown(file.Path), l.module.path, m.path)
			}
		}
		u.ledgers = append(u.ledgers, ledger{m, file, file.Format()})
		u.evidence.baselines[m.path] = file
	}
	return nil
}

// read takes the fragments that exist.
func (u *upkeep) read(g *ground) error {
	e, err := u.readAll(u.from)
	if err != nil {
		return err
	}
	u.evidence = e
	u.told(u.name(), e.problems)
	if len(e.fragments) == 0 {
		return noFragment("no fragment was found in " + list(u.from))
	}
	if len(e.problems) > 0 && u.verb == accept {
		return problem{
			what: "not every fragment could be read",
			todo: "nothing was written, because what is missing would be new the next time: make the fragments again, or delete those files",
		}
	}
	g.settle(e.fragments, u.root != "")
	var modules []module
	for _, f := range e.fragments {
		m, ok := g.moduleOf(&f.Header)
		if !ok {
			return problem{
				what: fmt.Sprintf("the folder of module %s, which fragments are of, is not known here", f.Module),
				todo: "go to the folder of its go.mod, or name the repository's root with -root DIR",
			}
		}
		if f.Module == "" {
			f.Module = m.path
		}
		if !slices.Contains(modules, m) {
			modules = append(modules, m)
		}
	}
	return u.open(modules)
}

// test runs the tests.
func (u *upkeep) test(ctx context.Context, g *ground, packages, extra []string) error {
	if len(packages) == 0 {
		packages = []string{"./..."}
	}
	goCmd, err := findGo()
	if err != nil {
		return err
	}
	s := &suite{goCmd: goCmd, dir: g.dir, environ: u.environ, patterns: packages, extra: extra}
	if s.environ == nil {
		s.environ = os.Environ()
	}
	if u.deep {
		if err := s.deepen(ctx, u.console); err != nil {
			return err
		}
	}
	p := &progress{w: u.err, live: u.live && !u.verbose, quiet: true}
	defer p.end()
	p.step("looking for packages")
	if err := s.find(ctx); err != nil {
		return err
	}
	u.evidence = &evidence{}
	if err := u.open(s.modules); err != nil {
		return err
	}
	if u.unread() {
		s.environ = append(slices.Clone(s.environ), baselineEnv+"="+off)
	}
	folder, err := reportFolder()
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	total := len(s.packages)
	p.step(fmt.Sprintf("go test: 0 of %s done", count(total, "package", "packages")))
	var echo io.Writer
	if u.verbose {
		echo = u.err
	}
	run, err := s.run(ctx, folder, echo, func(done int, current string) {
		p.change(fmt.Sprintf("go test: %d of %s done  %s", done, count(total, "package", "packages"), current))
	})
	if err != nil {
		return err
	}
	p.end()
	if err := run.broken(); err != nil {
		return err
	}
	u.evidence.read(u.console, folder)
	for i := range u.evidence.problems {
		u.evidence.problems[i].File = filepath.Base(u.evidence.problems[i].File)
	}
	u.told(u.name(), u.evidence.problems)
	g.settle(u.evidence.fragments, true)
	u.failed = run.failures(u.evidence.fragments)
	u.tellFailures(u.name(), u.failed)
	u.silent = s.silent(u.evidence)
	if len(u.evidence.fragments) == 0 && u.deep {
		return problem{
			what: "none of the tests wrote down what it leaks",
			todo: "see whether leakgate test finds something to run: a TestMain that does not call m.Run leaves nothing to look at",
		}
	}
	if len(u.evidence.fragments) == 0 {
		return problem{
			what: "none of the tests wrote down what it leaks",
			todo: "call leakcheck.Main in TestMain, or leakcheck.Verify in each test: https://github.com/leakgate/leakgate/blob/main/docs/adopting.md shows how",
		}
	}
	u.tellSilent()
	return nil
}

// unread says that the tests should read no baseline: they read another one than -baseline names, and fail where
// LEAKGATE_BASELINE names one that is still to be made. What they leak is in the fragments either way.
func (u *upkeep) unread() bool {
	if u.baseline != "" {
		return true
	}
	if u.env(baselineEnv) == "" {
		return false
	}
	return slices.ContainsFunc(u.ledgers, func(l ledger) bool {
		_, err := os.Stat(l.file.Path)
		return errors.Is(err, fs.ErrNotExist)
	})
}

// silent gives the packages that have tests and wrote no fragment: they do not use the harness.
func (s *suite) silent(e *evidence) (out []string) {
	for _, p := range s.packages {
		wrote := slices.ContainsFunc(e.fragments, func(f *fragment.Fragment) bool { return f.Package == p.ImportPath })
		if p.tests() && !wrote {
			out = append(out, p.ImportPath)
		}
	}
	return out
}

func (u *upkeep) tellSilent() {
	if len(u.silent) == 0 {
		return
	}
	why := "no leakcheck.Main or Verify that ran"
	if u.deep {
		why = "no m.Run that ran"
	}
	fmt.Fprintf(u.err, "leakgate %s: %s tests and %s: nothing is known of %s\n", u.name(),
		count(len(u.silent), "package has", "packages have"), why, list(few(u.silent, 5)))
}

// keep compares the files with what was found, changes them where the command does that, and tells.
func (u *upkeep) keep(now time.Time) (int, error) {
	v := u.evidence.merge(now)
	t := telling{Leakgate: "baseline", Version: 1, Command: u.verb, DryRun: u.dry, Failed: u.failed, Silent: u.silent}
	for _, p := range v.Problems {
		t.Problems = append(t.Problems, told{p.File, problemText(p)})
	}
	for i := range u.ledgers {
		ft, err := u.keepOne(&u.ledgers[i], v, now)
		if err != nil {
			return 0, err
		}
		t.Files = append(t.Files, ft)
	}
	if err := u.save(&t); err != nil {
		return 0, err
	}
	t.Exit = u.exit(&t, v)
	var text []byte
	if u.json {
		text = t.json()
	} else {
		text = t.text(u)
	}
	return t.Exit, u.print(text)
}

// found gives what the tests of a module leak, in the sense of its baseline.
func found(v *verdict.Verdict, m module) (out []baseline.Found) {
	for i := range v.Findings {
		f := &v.Findings[i]
		if f.Module == m.path && f.Standing != verdict.Noted {
			out = append(out, baseline.Found{Key: f.Key, Code: f.Leak.Code, Count: f.Count})
		}
	}
	return out
}

// proof says what the verdict proves about entries of which less was found.
func proof(v *verdict.Verdict) baseline.Judge {
	why := make(map[baseline.Key]string)
	for _, u := range v.Unjudged {
		why[u.Entry.Key] = u.Why
	}
	return func(e *baseline.Entry) string { return why[e.Key] }
}

func (u *upkeep) keepOne(l *ledger, v *verdict.Verdict, now time.Time) (fileTold, error) {
	ft := fileTold{Module: l.module.path, Path: filepath.ToSlash(u.shown(l.file.Path))}
	switch u.verb {
	case accept:
		o := baseline.AcceptOptions{Reason: u.reason, Owner: u.owner, Expires: u.expires, Today: now.Format(time.DateOnly), Judge: proof(v)}
		if o.Reason == "" && (len(l.file.Entries) == 0 || u.dry) { // what is only shown needs no words yet
			o.Reason = firstReason
		}
		changes, err := l.file.Accept(found(v, l.module), o)
		if errors.Is(err, baseline.ErrNoReason) {
			return ft, usagef("-reason is missing: %s has entries, and who adds to them says why it may stay for now; nothing was written",
				u.shown(l.file.Path))
		}
		if err != nil {
			return ft, problem{
				what: fmt.Sprintf("%s: %v", u.shown(l.file.Path), err),
				todo: "nothing was written; give what is missing and run it again",
			}
		}
		ft.add(u, changes, leaksOf(v))
	case prune:
		ft.add(u, l.file.Prune(found(v, l.module), proof(v)), leaksOf(v))
		ft.addNew(v, l.module, true)
	case check:
		ft.addNew(v, l.module, false)
		ft.addStale(v, l.file)
	}
	ft.Entries = len(l.file.Entries)
	ft.file = l.file
	ft.changed = string(l.file.Format()) != string(l.old)
	return ft, nil
}

// save writes the files that changed.
func (u *upkeep) save(t *telling) error {
	for i := range t.Files {
		ft := &t.Files[i]
		if u.verb == check || u.dry || !ft.changed {
			continue
		}
		if err := ft.file.Save(); err != nil {
			return problem{what: fmt.Sprintf("%s could not be written: %v", ft.Path, err), todo: "make the folder one that can be written"}
		}
		ft.Written = true
	}
	return nil
}

// exit gives the exit status.
func (u *upkeep) exit(t *telling, v *verdict.Verdict) int {
	if u.verb == check {
		for _, ft := range t.Files {
			if len(ft.Changes) > 0 {
				return exitLeaks
			}
		}
	}
	died := len(v.Problems) > 0 || len(v.Unended) > 0
	for _, f := range u.failed {
		died = died || f.Died || f.Test == ""
	}
	if died {
		return exitCouldNot
	}
	return exitOK
}
