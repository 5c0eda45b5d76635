package leakcheck

import (
	"fmt"
	"reflect"
	"sync"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/fold"
	"github.com/leakgate/leakgate/internal/report"
)

// codeProbe is the code of what a probe of the user's reports without one of its own.
const codeProbe = "LK501"

// rankProbe puts a probe's findings among the database's: it knows its pool best.
const rankProbe = 20

func toPublic(l report.Leak) Leak {
	p := Leak{
		Kind: Kind(l.Kind), Test: l.Test, Suspects: l.Suspects, Summary: l.Summary, Count: max(l.Count, 1),
		Site: frame(l.Site), State: l.State, Holds: l.Holds, Hint: l.Hint, Code: l.Code,
		Fingerprint: l.Fingerprint, Note: l.Note, all: l.All, createdBy: l.CreatedBy, remotes: l.Remotes,
	}
	if l.Site == (callsite.Frame{}) {
		p.Site = frame(callsite.Pick(l.Stack))
	}
	if p.Site.Function == "" && p.Hint == "" {
		p.Hint = l.Unknown
	}
	for _, f := range l.Stack {
		p.Stack = append(p.Stack, frame(f))
	}
	return p
}

func toPublicAll(leaks []report.Leak) []Leak {
	out := make([]Leak, 0, len(leaks))
	for _, l := range leaks {
		out = append(out, toPublic(l))
	}
	return out
}

func frame(f callsite.Frame) Frame {
	if f.Func == "" {
		return Frame{}
	}
	return Frame{Function: f.Func, File: f.File, Line: f.Line, Source: callsite.Source(f)}
}

func fromFrame(f Frame) callsite.Frame {
	return callsite.Frame{Func: f.Function, File: f.File, Line: f.Line}
}

func fromFrames(stack []Frame) (out []callsite.Frame) {
	for _, f := range stack {
		out = append(out, fromFrame(f))
	}
	return out
}

// fromPublic takes what a probe said of one resource.
func fromPublic(l Leak, p probedID, b fold.Blame) report.Leak {
	kind := kindOf(p.probe)
	if l.Kind == "" {
		l.Kind = kind
	}
	if l.Code == "" {
		l.Code = codeProbe
	}
	if l.Summary == "" {
		l.Summary = string(l.Kind) + " was not given back"
	}
	r := report.Leak{
		Kind: string(l.Kind), Code: l.Code, Class: string(kind), Test: b.Test, Suspects: b.Suspects, Summary: l.Summary,
		Count: l.Count, Site: fromFrame(l.Site), State: l.State, Holds: l.Holds, Hint: l.Hint, Rank: rankProbe,
		Fingerprint: l.Fingerprint, Note: l.Note, Keys: []report.Key{{List: probeList(p.probe), ID: p.id}},
	}
	if l.Test != "" {
		r.Test, r.Suspects = l.Test, nil
	}
	r.All = fromFrames(l.Stack)
	r.Stack = callsite.User(r.All)
	if c, ok := p.probe.(counter); ok {
		if c.CountsLeases() {
			r.Class = classCounted
		}
		r.Unknown = "only their number is known"
	}
	if m, ok := p.probe.(mover); ok {
		r.Moving = m.Moving()
	}
	return r
}

// leakyProbes numbers the probes that had something to report.
var leakyProbes struct {
	sync.Mutex
	numbers map[Probe]int
}

// probeList names the list that a probe's IDs are on. Two probes of one kind, for two pools, may count from 1 both. A probe
// that cannot be compared has its kind alone.
func probeList(p Probe) string {
	kind := string(kindOf(p))
	if !reflect.ValueOf(p).Comparable() {
		return "probe " + kind
	}
	leakyProbes.Lock()
	defer leakyProbes.Unlock()
	n, ok := leakyProbes.numbers[p]
	if !ok {
		if leakyProbes.numbers == nil {
			leakyProbes.numbers = make(map[Probe]int)
		}
		n = len(leakyProbes.numbers) + 1
		leakyProbes.numbers[p] = n
	}
	return fmt.Sprintf("probe %s %d", kind, n)
}

// isNil says whether an interface holds nothing, or a nil pointer.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan, reflect.Interface:
		return r.IsNil()
	}
	return false
}
