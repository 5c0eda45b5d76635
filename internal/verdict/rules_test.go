package verdict_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/baseline"
	"github.com/leakgate/leakgate/internal/verdict"
)

// A rule is a case of testdata/rules.txt:
//
//	== its name
//	# why it is as it is
//	process [PACKAGE] [pid=N] [at=MS] [dir=MODULE_DIR] [main] [end[=CODE]] [short] [filtered] [module=...] [baseline-error=...]
//	test NAME RESULT MS [MS]           began, took
//	leak NAME COUNT OUTCOME MS [key=value ...]
//	unused TEXT
//	copy [cut]                         the process again, without its last leak
//	baseline [off]                     of the module of the process before it
//	entry TEST COUNT [expires=DATE] [package=...] [leak=...]     of the baseline before it
//	problem FILE TEXT
//	--
//	what the verdict says
type rule struct {
	name, reason string
	script       []string
	want         string
}

const (
	mod = "example.com/m"
	pkg = "example.com/m/p"
)

func readRules(t *testing.T) []rule {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "rules.txt"))
	require.NoError(t, err)
	var rules []rule
	for _, block := range strings.Split("\n"+string(data), "\n== ")[1:] {
		head, want, ok := strings.Cut(block+"\n", "\n--\n")
		require.True(t, ok, "a case without a line --:\n%s", block)
		lines := strings.Split(head, "\n")
		r := rule{name: lines[0], want: strings.TrimRight(want, "\n") + "\n"}
		for _, l := range lines[1:] {
			if text, ok := strings.CutPrefix(l, "#"); ok {
				r.reason = strings.TrimSpace(r.reason + " " + strings.TrimSpace(text))
			} else if l != "" {
				r.script = append(r.script, l)
			}
		}
		require.NotEmpty(t, r.reason, "the case %q needs a reason", r.name)
		rules = append(rules, r)
	}
	return rules
}

var day = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

// input makes what Merge takes of the lines of a case.
func (r rule) input(t *testing.T) verdict.Input {
	t.Helper()
	in := verdict.Input{Now: day.Add(time.Hour), Baselines: make(map[string]*baseline.File)}
	var f *fragment.Fragment
	var file *baseline.File
	ms := func(text string) time.Duration {
		n, err := strconv.Atoi(text)
		require.NoError(t, err, "in the case %q", r.name)
		return time.Duration(n) * time.Millisecond
	}
	for i, line := range r.script {
		words := strings.Fields(line)
		get := func(at int) string {
			require.Less(t, at, len(words), "too few words in %q", line)
			return words[at]
		}
		option := make(map[string]string)
		for _, w := range words[1:] {
			name, value, _ := strings.Cut(w, "=")
			option[name] = strings.ReplaceAll(value, "_", " ")
		}
		switch get(0) {
		case "process":
			f = &fragment.Fragment{Header: fragment.Header{
				Module: mod, Package: pkg, ModuleDir: option["dir"], GoVersion: "go1.26.8", GOOS: "linux", GOARCH: "amd64", PID: 10 + i, Began: day,
				BaselineError: option["baseline-error"], Baseline: option["file"],
			}}
			if len(words) > 1 && strings.HasPrefix(words[1], "example.com/") {
				f.Package = words[1]
			}
			if m, ok := option["module"]; ok {
				f.Module = m
			}
			if p, ok := option["pid"]; ok {
				f.PID = int(ms(p) / time.Millisecond)
			}
			if a, ok := option["at"]; ok {
				f.Began = day.Add(ms(a))
			}
			_, f.Main = option["main"]
			_, f.Short = option["short"]
			_, f.Filtered = option["filtered"]
			if code, ok := option["end"]; ok {
				f.End = &fragment.End{At: f.Began.Add(time.Minute)}
				if code != "" {
					f.End.Code = int(ms(code) / time.Millisecond)
				}
				_, f.End.Stopped = option["stopped"]
			}
			in.Fragments = append(in.Fragments, f)
		case "test":
			one := fragment.Test{Name: get(1), Result: get(2), Began: f.Began.Add(ms(get(3))), Took: 100 * time.Millisecond}
			if len(words) > 4 {
				one.Took = ms(words[4])
			}
			f.Tests = append(f.Tests, one)
		case "leak":
			l := fragment.Leak{
				Kind: "http-response", Code: "LK001", Test: get(1), Outcome: get(3), Summary: "a body was never closed",
				Site: fragment.Frame{Func: "example.com/m/p.Get", File: "p/get.go", Line: 7, InModule: true},
			}
			if l.Test == "-" {
				l.Test = ""
			}
			l.Count = int(ms(get(2)) / time.Millisecond)
			if get(4) != "never" {
				l.At = f.Began.Add(ms(words[4]))
			}
			l.Fingerprint = fingerprint(strings.Split(l.Test, "/")[0])
			for _, name := range slices.Sorted(maps.Keys(option)) {
				value := option[name]
				switch name {
				case "allowed":
					l.Allowed = int(ms(value) / time.Millisecond)
				case "expired":
					l.Expired = value
				case "code":
					l.Code = value
				case "summary":
					l.Summary = value
				case "leak":
					l.Fingerprint = value
				case "hint":
					l.Hint = value
				case "file":
					l.Site.File = value
				case "outside":
					l.Site = fragment.Frame{Func: "example.org/lib.Open", File: "example.org/lib@v1.0.0/open.go", Line: 3}
				case "via":
					l.Stack = []fragment.Frame{l.Site, {Func: "example.com/m/p.Via", File: value, Line: 9, InModule: true}}
				}
			}
			f.Leaks = append(f.Leaks, l)
		case "unused":
			f.End.Unused = append(f.End.Unused, strings.Join(words[1:], " "))
		case "copy":
			c := *f
			if _, cut := option["cut"]; cut {
				c.End = nil
				c.Leaks = c.Leaks[:len(c.Leaks)-1]
			}
			in.Fragments = append(in.Fragments, &c)
		case "baseline":
			module := mod
			if f != nil && f.Module != "" {
				module = f.Module
			}
			file = &baseline.File{Path: baseline.Name}
			if _, off := option["off"]; off {
				file.Path = ""
			}
			in.Baselines[module] = file
		case "entry":
			e := baseline.Entry{
				Key:  baseline.Key{Package: pkg, Fingerprint: fingerprint(strings.TrimPrefix(get(1), "-"))},
				Code: "LK001", Reason: "old", Owner: "@a", Line: 10 * i, Expires: option["expires"], Count: int(ms(get(2)) / time.Millisecond),
			}
			if p, ok := option["package"]; ok {
				e.Package = p
			}
			if l, ok := option["leak"]; ok {
				e.Fingerprint = l
			}
			file.Entries = append(file.Entries, e)
		case "problem":
			in.Problems = append(in.Problems, verdict.Problem{File: get(1), Err: errors.New(strings.Join(words[2:], " "))})
		default:
			t.Fatalf("what is %q in the case %q?", line, r.name)
		}
	}
	return in
}

func fingerprint(top string) string {
	if top == "" {
		top = "-"
	}
	return "http-response | GET | example.com/m/p.Get | " + top
}

// brief is what a case says of its verdict.
func brief(v *verdict.Verdict) string {
	var b strings.Builder
	color := "green"
	if v.Red() {
		color = "red"
	}
	fmt.Fprintf(&b, "%s, %d fragments, %d copies, took %v, baseline %q\n", color, v.Fragments, v.Copies, v.Took, v.Baseline)
	for i := range v.Findings {
		f := &v.Findings[i]
		fmt.Fprintf(&b, "%s %s%s ×%d, %d of %d runs, allowed %d, at %q:%d, %s %q\n  %s\n  %s\n",
			f.Standing, f.Leak.Code, unusual(f), f.Count, f.Runs, f.Of, f.Allowed, f.Path, f.Line, f.Package, f.Tests, f.Title(), f.Ruling())
	}
	for _, s := range v.Stale {
		fmt.Fprintf(&b, "stale: line %d, %d of %d\n", s.Entry.Line, s.Count, s.Entry.Count)
	}
	for _, u := range v.Unjudged {
		fmt.Fprintf(&b, "unjudged: line %d, %d of %d: %s\n", u.Entry.Line, u.Count, u.Entry.Count, u.Why)
	}
	for _, t := range v.Tests {
		fmt.Fprintf(&b, "%s %s %s: %d\n", t.Package, t.Name, t.Result, t.Leaks)
	}
	for _, u := range v.Unused {
		fmt.Fprintf(&b, "unused: %s: %s\n", u.Package, u.Ignore)
	}
	for _, h := range v.Unended {
		fmt.Fprintf(&b, "unended: %s\n", h.Package)
	}
	for _, p := range v.Problems {
		fmt.Fprintf(&b, "problem: %s: %v\n", p.File, p.Err)
	}
	return b.String()
}

// unusual says what most cases leave as it is.
func unusual(f *verdict.Finding) (text string) {
	if f.Leak.Hint != "" {
		text = " " + f.Leak.Hint
	}
	if len(f.Leak.Test) == 0 || f.Fingerprint != fingerprint(strings.Split(f.Leak.Test, "/")[0]) {
		text += " " + strconv.Quote(f.Fingerprint)
	}
	return text
}

// TestRules: each rule of merging, with why it is so.
func TestRules(t *testing.T) {
	var out bytes.Buffer
	for _, r := range readRules(t) {
		in := r.input(t)
		got := brief(verdict.Merge(in))
		fmt.Fprintf(&out, "== %s\n# %s\n%s\n--\n%s\n", r.name, r.reason, strings.Join(r.script, "\n"), got)
		t.Run(r.name, func(t *testing.T) {
			if !*update {
				assert.Equal(t, r.want, got, r.reason)
			}
			for range 5 { // whatever the order in which files are read
				rand.Shuffle(len(in.Fragments), func(i, j int) { in.Fragments[i], in.Fragments[j] = in.Fragments[j], in.Fragments[i] })
				for _, f := range in.Fragments {
					rand.Shuffle(len(f.Leaks), func(i, j int) { f.Leaks[i], f.Leaks[j] = f.Leaks[j], f.Leaks[i] })
				}
				require.Equal(t, got, brief(verdict.Merge(in)), "the order of the fragments or of their leaks matters")
			}
		})
	}
	if *update {
		require.NoError(t, os.WriteFile(filepath.Join("testdata", "rules.txt"), append(bytes.TrimRight(out.Bytes(), "\n"), 0x0a), 0o666))
	}
}
