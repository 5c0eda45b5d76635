package baseline

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Found is what a run found of one leak.
type Found struct {
	Key
	Code  string
	Count int // most in one run of its test
}

// Judge says why a run proves nothing about an entry of which it found less than the entry allows, such as "its test did
// not run"; "" when it does prove that less is left. A nil Judge judges none.
type Judge func(e *Entry) (unjudged string)

// Verb says what became of an entry.
type Verb string

// What became of an entry.
const (
	Added    Verb = "added"
	Raised   Verb = "raised"
	Lowered  Verb = "lowered"
	Removed  Verb = "removed"
	Renewed  Verb = "renewed"  // it had lapsed, and has a new date
	Recoded  Verb = "recoded"  // as it was, but for its code
	Kept     Verb = "kept"     // as it was
	Unjudged Verb = "unjudged" // as it was, although less was found: the run proves nothing
)

// Change is what became of one entry.
type Change struct {
	Key
	Code     string
	Verb     Verb
	From, To int    // counts
	Why      string // what still is to be said, for Unjudged why; "" for nothing
}

// String gives the change as a line of text: "lowered 3 → 1  LK001 example.com/shop/store: http-response | ...", and what is
// still to be said in parentheses after it.
func (c Change) String() string {
	counts := fmt.Sprintf("×%d", c.To)
	switch {
	case c.Verb == Removed:
		counts = fmt.Sprintf("×%d", c.From)
	case c.From != c.To && c.Verb != Added:
		counts = fmt.Sprintf("%d → %d", c.From, c.To)
	}
	s := fmt.Sprintf("%-8s %s  %s %s: %s", c.Verb, counts, c.Code, c.Package, c.Fingerprint)
	if c.Why != "" {
		s += " (" + c.Why + ")"
	}
	return s
}

// Changed says whether the file is another one for it.
func (c Change) Changed() bool { return c.Verb != Kept && c.Verb != Unjudged }

// AcceptOptions are what a person says of the entries that Accept adds.
type AcceptOptions struct {
	Reason  string // needed when something is added
	Owner   string
	Expires string // a date after Today; also the new date of entries that have lapsed and are found again
	Today   string // a date, "2026-11-21"
	Judge   Judge  // whether less than before is proven
}

// ErrNoReason says that Accept would add entries and was given no reason for them.
var ErrNoReason = errors.New("say why what is new in the baseline may stay for now")

// Accept makes the baseline allow exactly what was found: it adds, raises, lowers and removes entries. What people wrote stays,
// and so does what was not judged. A lapsed entry that is found again goes on to hide nothing, unless there is a new date. It
// gives one Change for each entry, sorted as the file is. On an error the file is as it was.
func (f *File) Accept(found []Found, opts AcceptOptions) ([]Change, error) {
	today, err := time.Parse(dateForm, opts.Today)
	if err != nil {
		return nil, fmt.Errorf("today is %q, expected a day like 2027-03-01", opts.Today)
	}
	if opts.Expires != "" && !isDate(opts.Expires) {
		return nil, fmt.Errorf("%q is no day, expected one like 2027-03-01", opts.Expires)
	}
	if opts.Expires != "" && opts.Expires <= opts.Today {
		return nil, fmt.Errorf("what expires on %s hides nothing: expected a day after %s", opts.Expires, opts.Today)
	}
	all := collect(found)
	f.tidy()
	changes := f.shrink(all, opts.Judge)
	var added []Entry
	for k, n := range all {
		e := f.Find(k)
		if e == nil {
			added = append(added, Entry{
				Key: k, Count: n.Count, Code: n.Code,
				Reason: oneLine(opts.Reason), Owner: oneLine(opts.Owner), Expires: opts.Expires, Added: opts.Today,
			})
			changes[k] = &Change{Key: k, Code: n.Code, Verb: Added, To: n.Count}
			continue
		}
		c := changes[k]
		if n.Count > e.Count {
			c.Verb, c.To = Raised, n.Count
		}
		if n.Code != "" && n.Code != e.Code {
			c.Code, c.Why = n.Code, "its code was "+e.Code
			if c.Verb == Kept {
				c.Verb = Recoded
			}
		}
		if why, lapsed := e.Lapse(today); lapsed {
			c.Why = why + ": it fails again, and needs a new date to be hidden"
			if opts.Expires != "" {
				c.Verb, c.Why = Renewed, why+": now until "+opts.Expires
			}
		}
	}
	if len(added) > 0 && oneLine(opts.Reason) == "" {
		return nil, fmt.Errorf("%w (%d to be added)", ErrNoReason, len(added))
	}
	// Nothing was changed so far.
	for k, c := range changes {
		e := f.Find(k)
		if e == nil {
			continue
		}
		e.Code = c.Code
		if c.Verb == Renewed {
			e.Expires = opts.Expires
		}
	}
	f.apply(changes)
	f.Entries = append(f.Entries, added...)
	f.tidy()
	return inOrder(changes), nil
}

// Prune only lowers and removes, as far as the run proves it. It gives one Change for each entry, sorted as the file is.
func (f *File) Prune(found []Found, judge Judge) []Change {
	all := collect(found)
	f.tidy()
	changes := f.shrink(all, judge)
	for k, n := range all {
		if c := changes[k]; c != nil && n.Count > c.From {
			c.Why = fmt.Sprintf("%d were found, and prune raises nothing", n.Count)
		}
	}
	f.apply(changes)
	return inOrder(changes)
}

// collect keeps the most that was found of each leak.
func collect(found []Found) map[Key]Found {
	all := make(map[Key]Found)
	for _, n := range found {
		n.Key = canonicalKey(n.Key)
		if n.Count > all[n.Key].Count {
			all[n.Key] = n
		}
	}
	return all
}

// shrink says for each entry whether it is lower now.
func (f *File) shrink(all map[Key]Found, judge Judge) map[Key]*Change {
	changes := make(map[Key]*Change, len(f.Entries))
	for i := range f.Entries {
		e := &f.Entries[i]
		n := all[e.Key].Count
		c := &Change{Key: e.Key, Code: e.Code, Verb: Kept, From: e.Count, To: e.Count}
		changes[e.Key] = c
		if n >= e.Count {
			continue
		}
		unjudged := "nothing says what ran"
		if judge != nil {
			unjudged = judge(e)
		}
		switch {
		case unjudged != "":
			c.Verb, c.Why = Unjudged, unjudged
		case n == 0:
			c.Verb, c.To = Removed, 0
		default:
			c.Verb, c.To = Lowered, n
		}
	}
	return changes
}

func (f *File) apply(changes map[Key]*Change) {
	f.Entries = slices.DeleteFunc(f.Entries, func(e Entry) bool {
		c := changes[e.Key]
		return c != nil && c.Verb == Removed
	})
	for i := range f.Entries {
		if c := changes[f.Entries[i].Key]; c != nil {
			f.Entries[i].Count = c.To
		}
	}
	f.tidy()
}

func inOrder(changes map[Key]*Change) []Change {
	out := make([]Change, 0, len(changes))
	for _, c := range changes {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b Change) int { return compareKeys(a.Key, b.Key) })
	return out
}

// Summary counts the changes in one line: "2 added, 1 removed, 5 kept"; "nothing to do" when there is none.
func Summary(changes []Change) string {
	counts := make(map[Verb]int)
	for _, c := range changes {
		counts[c.Verb]++
	}
	var parts []string
	for _, v := range []Verb{Added, Raised, Lowered, Removed, Renewed, Recoded, Kept, Unjudged} {
		if n := counts[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, v))
		}
	}
	if parts == nil {
		return "nothing to do"
	}
	return strings.Join(parts, ", ")
}
