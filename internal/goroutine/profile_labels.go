package goroutine

import (
	"bytes"
	"cmp"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
)

// AttachLabels gives goroutines the labels that a dump of Go 1.25 cannot show. The goroutine profile can, for each group
// of equal stacks. Where goroutines with equal stacks have different labels, the profile says how many have which, and not
// which one has: the labels are dealt out so that the count for each is right, and goroutines that differ in nothing else
// may be swapped. dealt remembers by ID what was dealt, so that a goroutine keeps its labels from one call to the next; the
// caller may enter there what it knows better.
//
// The profile is one that LabelProfile took before the dump, so that what it counts is in the dump.
func AttachLabels(gs []*Goroutine, profile string, dealt map[uint64][]Label) {
	attach(gs, profile, dealt)
}

// LabelProfile takes a profile for AttachLabels.
func LabelProfile() string {
	var text bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&text, 1); err != nil {
		return ""
	}
	return text.String()
}

// labelGroup is a number of goroutines with equal stacks and equal labels.
type labelGroup struct {
	count  int
	labels []Label
	text   string
}

// WithLabel says, by their IDs, which goroutines have a stack that the profile has with such a label, be it theirs or that of
// another goroutine with an equal stack.
func WithLabel(gs []*Goroutine, profile string, is func(Label) bool) map[uint64]bool {
	stacks := make(map[string]bool)
	for _, record := range strings.Split(profile, "\n\n") {
		if stack, g, ok := parseRecord(record); ok && slices.ContainsFunc(g.labels, is) {
			stacks[stack] = true
		}
	}
	out := make(map[uint64]bool)
	if len(stacks) == 0 {
		return out
	}
	for _, g := range gs {
		if stacks[signature(g)] {
			out[g.ID] = true
		}
	}
	return out
}

func attach(gs []*Goroutine, profile string, dealt map[uint64][]Label) {
	groups := make(map[string][]*labelGroup)
	for _, record := range strings.Split(profile, "\n\n") {
		if stack, g, ok := parseRecord(record); ok && len(g.labels) > 0 {
			groups[stack] = append(groups[stack], &g)
		}
	}
	byStack := make(map[string][]*Goroutine)
	for _, g := range gs {
		if len(g.Labels) == 0 {
			s := signature(g)
			byStack[s] = append(byStack[s], g)
		}
	}
	for stack, same := range byStack {
		slices.SortFunc(same, func(a, b *Goroutine) int { return cmp.Compare(a.ID, b.ID) })
		all := groups[stack]
		slices.SortFunc(all, func(a, b *labelGroup) int { return cmp.Compare(a.text, b.text) })
		for _, g := range same {
			before, ok := dealt[g.ID]
			if !ok {
				continue
			}
			g.Labels = before
			for _, group := range all {
				if group.count > 0 && slices.Equal(before, group.labels) {
					group.count--
					break
				}
			}
		}
		for _, g := range same {
			for _, group := range all {
				if len(g.Labels) == 0 && group.count > 0 {
					group.count--
					g.Labels, dealt[g.ID] = group.labels, group.labels
				}
			}
		}
	}
}

// signature is what a dump and a profile print alike of a stack: functions and lines, without the runtime's own.
func signature(g *Goroutine) string {
	var b strings.Builder
	for _, f := range g.Frames {
		if !strings.HasPrefix(f.Func, "runtime.") {
			b.WriteString(f.Func + ":" + strconv.Itoa(f.Line) + "\n")
		}
	}
	return b.String()
}

// parseRecord reads one group of the profile's text form (runtime/pprof, debug=1):
//
//	2 @ 0x4732ce 0x40ae25
//	# labels: {"key":"value"}
//	#	0x4f2e2b	main.worker+0x2b	/src/main.go:12
func parseRecord(record string) (stack string, g labelGroup, ok bool) {
	var b strings.Builder
	for line := range strings.Lines(record) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "# labels: "):
			g.text = strings.TrimPrefix(line, "# labels: ")
			g.labels = parseMap(g.text)
		case strings.HasPrefix(line, "#\t"):
			fields := strings.FieldsFunc(line[2:], func(r rune) bool { return r == '\t' })
			if len(fields) < 3 {
				return "", g, false
			}
			fn, _, _ := strings.Cut(fields[1], "+0x")
			if !strings.HasPrefix(fn, "runtime.") {
				pos := fields[len(fields)-1]
				b.WriteString(fn + ":" + pos[strings.LastIndexByte(pos, ':')+1:] + "\n")
			}
		default:
			n, _, found := strings.Cut(line, " @ ")
			if c, err := strconv.Atoi(n); found && err == nil {
				g.count = c
			}
		}
	}
	return b.String(), g, g.count > 0
}

// parseMap reads {"k":"v", "k2":"v2"}: quoted as by strconv.Quote.
func parseMap(text string) (out []Label) {
	text = strings.TrimPrefix(text, "{")
	for {
		key, rest, ok := quoted(text)
		if !ok {
			return out
		}
		value, rest, ok := quoted(strings.TrimPrefix(rest, ":"))
		if !ok {
			return out
		}
		out = append(out, Label{Key: key, Value: value})
		text = strings.TrimPrefix(rest, ", ")
	}
}

func quoted(text string) (value, rest string, ok bool) {
	q, err := strconv.QuotedPrefix(text)
	if err != nil {
		return "", text, false
	}
	value, err = strconv.Unquote(q)
	return value, text[len(q):], err == nil
}
