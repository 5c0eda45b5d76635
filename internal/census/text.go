package census

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// NotBegun is the function of goroutines that were started and have not run yet.
const NotBegun = "runtime.goexit"

// Name is what a group of goroutines is called in a line.
func (g Goroutine) Name() string {
	fn := g.Function
	switch fn {
	case "":
		fn = "a stack that is too deep to show where it begins"
	case NotBegun:
		fn = "about to begin"
	default:
		fn = short(fn)
	}
	if g.State != "" {
		fn += " [" + g.State + "]"
	}
	if g.Role != "user" && g.Role != "" {
		fn += " (" + g.Role + ")"
	}
	return fn
}

// String is a group of sockets in a line, without its number.
func (s Socket) String() string {
	out := s.Family
	if s.State != "" {
		out += " " + s.State
	}
	switch {
	case s.Local != "" && s.Remote != "":
		out += " " + s.Local + " <- " + s.Remote
	case s.Remote != "":
		out += " -> " + s.Remote
	case s.Local != "":
		out += " " + s.Local
	}
	return out
}

// Where is "file:line  function", the function without the path of its package's folder.
func (f Frame) Where() string {
	if f.Func == "" {
		return ""
	}
	if f.File == "" {
		return short(f.Func)
	}
	return fmt.Sprintf("%s:%d  %s", f.File, f.Line, short(f.Func))
}

func short(fn string) string { return fn[strings.LastIndexByte(fn, '/')+1:] }

// Age writes how long something is held: 300ms, 1.2s, 4m10s.
func Age(d time.Duration) string {
	switch {
	case d < 0:
		d = 0
	case d >= time.Minute:
		d = d.Round(time.Second)
	case d >= time.Second:
		d = d.Round(100 * time.Millisecond)
	default:
		d = d.Round(time.Millisecond)
	}
	return d.String()
}

// String says which process it is: "pid 4711 (example.com/shop)".
func (p Process) String() string {
	s := fmt.Sprintf("pid %d", p.PID)
	if p.Module != "" {
		s += " (" + p.Module + ")"
	}
	return s
}

// Text is the document for people.
func (a *Answer) Text() string {
	var b strings.Builder
	p := a.Process
	fmt.Fprintf(&b, "leakgate: what %s holds\n", p)
	fmt.Fprintf(&b, "  process     %s, %s/%s, began %s, runs for %s\n", p.Go, p.GOOS, p.GOARCH, p.Began.UTC().Format(time.RFC3339), Age(a.At.Sub(p.Began)))
	fmt.Fprintf(&b, "  moment      %s, taken %s ago; ?since=%s compares with it\n", a.Moment, Age(a.Age), a.Moment)
	fmt.Fprintf(&b, "  goroutines  %s\n", number(a.Counts.Goroutines))
	fmt.Fprintf(&b, "  sockets     %s%s\n", number(a.Counts.Sockets), byName(a.Counts.States))
	fmt.Fprintf(&b, "  leased      %s%s\n", number(a.Counts.Leased), byName(a.Counts.Pools))
	fmt.Fprintf(&b, "  children    %s\n", number(a.Counts.Children))
	for _, u := range a.Unseen {
		fmt.Fprintf(&b, "  not seen    %s\n", u)
	}
	if d := a.Since; d != nil {
		d.text(&b)
	}
	if l := a.Leases; l != nil {
		l.text(&b)
	}
	if len(a.Databases) > 0 {
		b.WriteString("\nopen database pools\n")
		for _, d := range a.Databases {
			name := d.Name
			if name == "" {
				name = "a pool"
			}
			fmt.Fprintf(&b, "  %s: %s open", name, plural(d.Open, "connection"))
			if d.Driver != "" {
				b.WriteString(", driver " + d.Driver)
			}
			b.WriteByte('\n')
		}
	}
	for i, p := range a.Probes {
		if i == 0 {
			b.WriteString("\nprobes\n")
		}
		fmt.Fprintf(&b, "  %6d  %s\n", p.Held, p.Kind)
	}
	if s := a.Sockets; s != nil {
		b.WriteString("\nsockets, the most first\n")
		for _, g := range s.Groups {
			fmt.Fprintf(&b, "  %6d  %s\n", g.Count, g)
		}
		leftOut(&b, s.LeftOut, "socket")
	}
	for i, c := range a.Children {
		if i == 0 {
			b.WriteString("\nchild processes\n")
		}
		fmt.Fprintf(&b, "  %s\n", c)
	}
	if g := a.Goroutines; g != nil {
		g.text(&b)
	}
	for _, ig := range a.Ignored {
		fmt.Fprintf(&b, "\nignored: %d (%s)\n", ig.Count, ig.Reason)
	}
	return b.String()
}

func (l *Leases) text(b *strings.Builder) {
	b.WriteString("\nleases, the oldest first\n")
	if l.Held == 0 {
		b.WriteString("  none\n")
	}
	for _, g := range l.Groups {
		fmt.Fprintf(b, "  %s %s", g.Code, g.Kind)
		if g.Count > 1 {
			fmt.Fprintf(b, " ×%d", g.Count)
		}
		fmt.Fprintf(b, ", held for %s", Age(g.Oldest))
		if g.Count > 1 {
			fmt.Fprintf(b, " (the newest %s)", Age(g.Newest))
		}
		b.WriteByte('\n')
		row := func(name, text string) {
			if text != "" {
				fmt.Fprintf(b, "    %-11s %s\n", name, text)
			}
		}
		row("what", g.Summary)
		row("pool", g.Pool)
		row("taken at", g.Site.Where())
		if g.Site.Source != "" {
			row("", "    "+g.Site.Source)
		}
		name := "via"
		for _, f := range g.Stack {
			if f.Func != g.Site.Func || f.Line != g.Site.Line {
				row(name, f.Where())
				name = ""
			}
		}
		row("state", g.State)
		row("note", g.Note)
		row("fix", g.Hint)
	}
	leftOut(b, l.LeftOut, "lease")
	if len(l.Pools) > 0 {
		b.WriteString("\npools\n")
	}
	for _, p := range l.Pools {
		size := "no limit known"
		if p.Size > 0 {
			size = "of " + fmt.Sprint(p.Size)
		}
		fmt.Fprintf(b, "  %s (%s): %d leased, %s; peak %d", p.Name, p.Kind, p.Leased, size, p.Peak)
		if p.Leased > 0 {
			fmt.Fprintf(b, "; the longest held for %s", Age(p.Longest))
		}
		b.WriteByte('\n')
	}
}

func (g *Goroutines) text(b *strings.Builder) {
	if !g.Listed {
		b.WriteString("\ngoroutines\n  there are many, and their listing is made beside this answer: ask again, or with ?fresh, which waits for it\n")
		return
	}
	fmt.Fprintf(b, "\ngoroutines, the most first, as of %s before; %d idle ones of net/http among them\n", Age(g.Age), g.Idle)
	for _, x := range g.Groups {
		fmt.Fprintf(b, "  %6d  %s\n", x.Count, x.Name())
		name := "at"
		for i, f := range x.Stack {
			if i == 3 {
				fmt.Fprintf(b, "          %-3s … %s more\n", "", plural(len(x.Stack)-i, "frame"))
				break
			}
			fmt.Fprintf(b, "          %-3s %s\n", name, f.Where())
			name = ""
		}
	}
	leftOut(b, g.LeftOut, "goroutine")
}

func (d *Diff) text(b *strings.Builder) {
	fmt.Fprintf(b, "\nsince %s, %s before\n", d.Moment, Age(d.Ago))
	if len(d.Changes) == 0 {
		b.WriteString("  no change\n")
	}
	for _, c := range d.Changes {
		fmt.Fprintf(b, "  %-6s %-9s %d -> %d  %s", c.Change, c.Of, c.Before, c.Now, c.Name)
		if c.Fresh > 0 && c.Fresh != c.Now-c.Before {
			fmt.Fprintf(b, " (%d taken since)", c.Fresh)
		}
		b.WriteByte('\n')
		if w := c.Site.Where(); w != "" {
			fmt.Fprintf(b, "                   %s\n", w)
		}
	}
	leftOut(b, d.LeftOut, "change")
	if len(d.Missing) > 0 {
		fmt.Fprintf(b, "  not compared, because they were not listed then: %s\n", strings.Join(d.Missing, ", "))
	}
}

func leftOut(b *strings.Builder, n int, what string) {
	if n > 0 {
		fmt.Fprintf(b, "  … and %s more, not shown\n", plural(n, what))
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func number(n int) string {
	if n < 0 {
		return "not known"
	}
	return fmt.Sprint(n)
}

// byName lists counts: " (CLOSE_WAIT 1, LISTEN 2)".
func byName(m map[string]int) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		name := k
		if name == "" {
			name = "state not known"
		}
		out = append(out, fmt.Sprintf("%s %d", name, m[k]))
	}
	if len(out) == 0 {
		return ""
	}
	return " (" + strings.Join(out, ", ") + ")"
}
