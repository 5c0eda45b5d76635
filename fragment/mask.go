package fragment

import (
	"math"
	"time"

	"github.com/leakgate/leakgate/internal/redact"
)

// Every text of a header or record goes through one of these before it is written. A fingerprint stays as it is: it is made
// of names in the code, and the baseline finds it by its exact text.

func maskHeader(h Header) Header {
	mask(&h.Module, &h.Package, &h.Dir, &h.ModuleDir, &h.GoVersion, &h.GOOS, &h.GOARCH, &h.Baseline, &h.BaselineError)
	h.Began = writable(h.Began)
	return h
}

func maskTest(t Test) Test {
	mask(&t.Name, &t.Result)
	t.Began = writable(t.Began)
	t.Pools = each(t.Pools, func(p Pool) Pool {
		mask(&p.Kind, &p.Name)
		if math.IsNaN(p.Limit) || math.IsInf(p.Limit, 0) {
			p.Limit = 0
		}
		return p
	})
	return t
}

func maskLeak(l Leak) Leak {
	mask(&l.Kind, &l.Code, &l.Class, &l.Test, &l.Outcome, &l.Expired, &l.Summary, &l.Role, &l.State, &l.Why, &l.Hint, &l.Unknown)
	l.Suspects = each(l.Suspects, redact.Text)
	l.Holds = each(l.Holds, redact.Text)
	l.Site = maskFrame(l.Site)
	l.Stack = each(l.Stack, maskFrame)
	l.At = writable(l.At)
	return l
}

func maskFrame(f Frame) Frame {
	mask(&f.Func, &f.File)
	f.Source = redact.Code(f.Source)
	return f
}

func maskIgnored(i Ignored) Ignored {
	mask(&i.Test, &i.Reason)
	return i
}

func maskSample(s Sample) Sample {
	s.At = writable(s.At)
	s.Leased, s.States = maskNames(s.Leased), maskNames(s.States)
	return s
}

// maskNames masks the keys.
func maskNames(by map[string]int) map[string]int {
	if len(by) == 0 {
		return nil
	}
	out := make(map[string]int, len(by))
	for name, n := range by {
		out[redact.Text(name)] += n // two names that differ in what is masked are one
	}
	return out
}

func maskEnd(e End) End {
	e.At = writable(e.At)
	e.Unused = each(e.Unused, redact.Text)
	return e
}

func mask(texts ...*string) {
	for _, t := range texts {
		*t = redact.Text(*t)
	}
}

// each gives a new list, so that the caller's own stays as it is.
func each[T any](list []T, f func(T) T) []T {
	if list == nil {
		return nil
	}
	out := make([]T, len(list))
	for i, v := range list {
		out[i] = f(v)
	}
	return out
}

// writable is the time without its monotonic clock, or the zero time where JSON has no text for it.
func writable(t time.Time) time.Time {
	if y := t.UTC().Year(); y < 1 || y > 9998 {
		return time.Time{}
	}
	return t.Round(0).UTC()
}

// shorten cuts the texts and lists of a record that is too large.
func shorten(r *record) {
	cut := func(texts ...*string) {
		for _, t := range texts {
			if len(*t) > maxString {
				*t = (*t)[:maxString] + "…"
			}
		}
	}
	cutAll := func(list []string) []string {
		list = list[:min(len(list), maxList)]
		for i := range list {
			cut(&list[i])
		}
		return list
	}
	if t := r.Test; t != nil {
		cut(&t.Name, &t.Result)
		t.Pools = t.Pools[:min(len(t.Pools), maxList)]
		for i := range t.Pools {
			cut(&t.Pools[i].Kind, &t.Pools[i].Name)
		}
	}
	if l := r.Leak; l != nil {
		cut(&l.Kind, &l.Code, &l.Class, &l.Test, &l.Outcome, &l.Expired, &l.Summary, &l.Role, &l.State, &l.Why, &l.Hint, &l.Unknown)
		l.Suspects, l.Holds = cutAll(l.Suspects), cutAll(l.Holds)
		l.Stack = l.Stack[:min(len(l.Stack), maxList)]
		for i := range l.Stack {
			cut(&l.Stack[i].Func, &l.Stack[i].File, &l.Stack[i].Source)
		}
		cut(&l.Site.Func, &l.Site.File, &l.Site.Source)
	}
	if i := r.Ignored; i != nil {
		cut(&i.Test, &i.Reason)
	}
	if e := r.End; e != nil {
		e.Unused = cutAll(e.Unused)
	}
}
