package verdict_test

import (
	"fmt"
	"strings"

	"github.com/leakgate/leakgate/internal/verdict"
)

// dump gives what a verdict decides as text.
func dump(v *verdict.Verdict) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("red %v, %d fragments, %d copies, baseline %q, %v in %v to %v", v.Red(), v.Fragments, v.Copies, v.Baseline, v.Took,
		v.Began.Format("15:04:05"), v.Ended.Format("15:04:05"))
	line("modules  %q", v.Modules)
	line("packages %q", v.Packages)
	for i := range v.Findings {
		f := &v.Findings[i]
		line("%-7s %s %s ×%d, %d of %d runs, allowed %d, at %q:%d, %s", f.Standing, f.ID, f.Leak.Code, f.Count, f.Runs, f.Of, f.Allowed,
			f.Path, f.Line, f.Module)
		line("        %s: %q", f.Package, f.Fingerprint)
		line("        %s; %s", short(f.Title()), short(f.Ruling()))
		line("        %s", short(fmt.Sprintf("%q", f.Tests)))
	}
	for _, s := range v.Stale {
		line("stale    %s:%d %d of %d: %s %q", s.File, s.Entry.Line, s.Count, s.Entry.Count, s.Entry.Package, s.Entry.Fingerprint)
	}
	for _, u := range v.Unjudged {
		line("unjudged %s:%d %d of %d: %s %q\n         %s", u.File, u.Entry.Line, u.Count, u.Entry.Count, u.Entry.Package,
			u.Entry.Fingerprint, u.Why)
	}
	for _, t := range v.Tests {
		line("test     %s %d %s %s, %d leaked", t.Package, t.PID, short(fmt.Sprintf("%q", t.Name)), t.Result, t.Leaks)
	}
	for _, s := range v.Series {
		line("series   %s %d from %s, %d samples", s.Package, s.PID, s.Began.Format("15:04:05"), len(s.Samples))
	}
	for _, ig := range v.Ignored {
		line("ignored  %d %s", ig.Count, short(fmt.Sprintf("%q", ig.Reason)))
	}
	for _, u := range v.Unused {
		line("unused   %s %s", u.Package, u.Ignore)
	}
	for _, h := range v.Unended {
		line("unended  %s %d", h.Package, h.PID)
	}
	for _, p := range v.Problems {
		line("problem  %s: %v", p.File, p.Err)
	}
	return b.String()
}

// short cuts a long text.
func short(s string) string {
	if r := []rune(s); len(r) > 160 {
		return string(r[:160]) + "…"
	}
	return s
}
