// Package jsonpath finds values in a JSON document by a path, with the meaning that WireMock's users know: that of the
// Java library Jayway JsonPath.
//
//	$.store.book[0].title     $['store']['book']     $..price     $.book[*]     $.book[-1]     $.book[1:3]
//	$.book[0,2]               $['a','b']             $.book[?(@.price < 10 && @.isbn)]         $.book.length()
//
// It is written here, and not a library, because the module gives its users no dependency that is used in tests alone.
// What Jayway knows and this does not (other functions than length and size, the operators type and matches) is an error
// of Compile, never a path that matches nothing.
//
// A path that has a dot-name with a sign in it, as $.a=='b', is an error as well, where Jayway looks for a field of that
// name: it is meant to be $[?(@.a == 'b')].
package jsonpath

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/leakgate/leakgate/internal/jsontree"
)

// Path is a compiled path. It may be used by several goroutines.
type Path struct {
	text     string
	relative bool // begins with @
	steps    []step
	definite bool
}

// String gives the path as it was compiled.
func (p *Path) String() string { return p.text }

// Definite says that the path leads to one value at most: it has no wildcard, filter, slice, union or "..".
func (p *Path) Definite() bool { return p.definite }

type stepKind uint8

const (
	name     stepKind = iota // one field or several
	index                    // one item or several
	slice                    // items from, to
	wildcard                 // all fields or items
	filter                   // the items, or the object itself, that an expression is true for
	descend                  // "..": what follows is done at every level
	length                   // a function
)

type step struct {
	kind    stepKind
	names   []string
	indexes []int
	from    *int
	to      *int
	cond    expr
}

// definite says that a step leads from one value to one. last: several names at the end make one object.
func (st step) definite(last bool) bool {
	switch st.kind {
	case name:
		return len(st.names) == 1 || last
	case index:
		return len(st.indexes) == 1
	case length:
		return true
	}
	return false
}

// maxWork is how many values one search may look at, beside maxPasses looks at each value of the document. No path that
// is written for a request comes near; the square of a document does.
const (
	maxWork   = 200_000
	maxPasses = 8
)

// The errors of Find.
var (
	// ErrNotFound: a field or item that the path names one by one is not there.
	ErrNotFound = errors.New("nothing is at this path")
	// ErrNoList: a filter stands behind a value that has neither items nor fields.
	ErrNoList = errors.New("a filter is applied to a value that is no list and no object")
	// ErrTooMuch: the search was given up.
	ErrTooMuch = errors.New("the path looks at too much: at the same values of the document over and over; write names in place of .. and *")
)

// Find returns the values that the path leads to. For a definite path this is one value, or ErrNotFound. Others give any
// number of values, and ErrNotFound when the definite part in front of the first indefinite step leads nowhere.
func (p *Path) Find(doc *jsontree.Value) ([]*jsontree.Value, error) {
	left := maxWork + maxPasses*count(doc)
	s := &search{root: doc, left: &left}
	return s.run(p, doc)
}

// count is the number of values in a value, and itself.
func count(v *jsontree.Value) int {
	n := 1
	for _, item := range v.Items {
		n += count(item)
	}
	for _, f := range v.Fields {
		n += count(f.Value)
	}
	return n
}

// search is one evaluation, of the path or of a path in a filter.
type search struct {
	root    *jsontree.Value
	left    *int // values that it may still look at
	require bool // in a check for existence: no field may be missing
	found   []*jsontree.Value
}

func (s *search) run(p *Path, at *jsontree.Value) ([]*jsontree.Value, error) {
	if err := s.walk(p.steps, at, true); err != nil {
		return nil, err
	}
	if p.definite && len(s.found) == 0 {
		return nil, ErrNotFound
	}
	if p.definite {
		return s.found[len(s.found)-1:], nil
	}
	return s.found, nil
}

// walk does the steps from a value on. sure says that the steps until here were definite, so that what is missing is
// an error.
func (s *search) walk(steps []step, v *jsontree.Value, sure bool) error {
	if *s.left--; *s.left < 0 {
		return ErrTooMuch
	}
	if len(steps) == 0 {
		s.found = append(s.found, v)
		return nil
	}
	st, rest := steps[0], steps[1:]
	next := sure && st.definite(len(rest) == 0)
	switch st.kind {
	case name:
		return s.names(st, rest, v, sure)
	case index, slice:
		if v.Kind != jsontree.Array {
			if sure {
				return ErrNotFound
			}
			return nil
		}
		for _, i := range st.numbers(len(v.Items)) {
			if err := s.walk(rest, v.Items[i], next); err != nil {
				return err
			}
		}
	case wildcard:
		for _, item := range children(v) {
			err := s.walk(rest, item, next)
			if errors.Is(err, ErrNotFound) && v.Kind == jsontree.Array && !s.require {
				continue
			}
			if err != nil {
				return err
			}
		}
	case filter:
		switch v.Kind {
		case jsontree.Array:
			for _, item := range v.Items {
				if err := s.filter(st, rest, item); err != nil {
					return err
				}
			}
		case jsontree.Object:
			return s.filter(st, rest, v)
		default:
			if sure {
				return ErrNoList
			}
		}
	case descend:
		return s.descend(rest, v)
	case length:
		n := -1
		switch v.Kind {
		case jsontree.Array:
			n = len(v.Items)
		case jsontree.Object:
			n = len(v.Map())
		}
		if n < 0 {
			s.found = append(s.found, &jsontree.Value{Kind: jsontree.Null})
			return nil
		}
		s.found = append(s.found, &jsontree.Value{Kind: jsontree.Number, Text: fmt.Sprint(n)})
	}
	return nil
}

func (s *search) names(st step, rest []step, v *jsontree.Value, sure bool) error {
	if v.Kind != jsontree.Object {
		if sure {
			return ErrNotFound
		}
		return nil
	}
	if len(st.names) > 1 && len(rest) == 0 {
		merged := &jsontree.Value{Kind: jsontree.Object}
		for _, n := range st.names {
			f := v.Get(n)
			if f == nil && s.require {
				return ErrNotFound
			}
			if f != nil {
				merged.Fields = append(merged.Fields, jsontree.Field{Name: n, Value: f})
			}
		}
		s.found = append(s.found, merged)
		return nil
	}
	next := sure && len(st.names) == 1
	for _, n := range st.names {
		f := v.Get(n)
		if f == nil {
			if s.require || next && len(rest) > 0 {
				return ErrNotFound
			}
			continue
		}
		if err := s.walk(rest, f, next); err != nil {
			return err
		}
	}
	return nil
}

func (s *search) filter(st step, rest []step, v *jsontree.Value) error {
	ok, err := s.holds(st.cond, v)
	if err != nil || !ok {
		return err
	}
	return s.walk(rest, v, false)
}

func (s *search) holds(e expr, v *jsontree.Value) (bool, error) {
	ok, err := e.holds(s, v)
	if errors.Is(err, ErrNoList) {
		return false, nil
	}
	return ok, err
}

// descend does the steps at a value and at everything below it. Fields and names want an object there, indexes a list.
func (s *search) descend(steps []step, v *jsontree.Value) error {
	if *s.left--; *s.left < 0 {
		return ErrTooMuch
	}
	here := false
	switch st := steps[0]; st.kind {
	case name:
		here = v.Kind == jsontree.Object
		if len(st.names) == 1 || len(steps) == 1 {
			for _, n := range st.names {
				here = here && v.Get(n) != nil
			}
		}
	case index, slice:
		here = v.Kind == jsontree.Array
	case wildcard:
		here = v.Kind == jsontree.Array || v.Kind == jsontree.Object
	case filter:
		if v.Kind == jsontree.Array || v.Kind == jsontree.Object {
			var err error
			if here, err = s.holds(st.cond, v); err != nil {
				return err
			}
		}
	}
	if here {
		if err := s.walk(steps, v, false); err != nil {
			return err
		}
	}
	for _, child := range children(v) {
		if err := s.descend(steps, child); err != nil {
			return err
		}
	}
	return nil
}

// numbers gives the indexes that a step takes of a list.
func (st step) numbers(n int) []int {
	var all []int
	if st.kind == index {
		for _, i := range st.indexes {
			if i < 0 {
				i += n
			}
			if 0 <= i && i < n {
				all = append(all, i)
			}
		}
		return all
	}
	from, to := 0, n
	switch {
	case st.from != nil && st.to != nil: // with two ends they are taken as they are
		from, to = *st.from, *st.to
	case st.from != nil:
		if from = *st.from; from < 0 {
			from += n
		}
	case st.to != nil:
		if to = *st.to; to < 0 {
			to += n
		}
	}
	for i := from; i < min(to, n); i++ {
		j := i
		if j < 0 && st.to != nil && st.from != nil {
			j += n
		}
		if 0 <= j && j < n {
			all = append(all, j)
		}
		if i < -n {
			i = max(i, -n-1) // nothing is there
		}
	}
	return all
}

func children(v *jsontree.Value) []*jsontree.Value {
	if v.Kind == jsontree.Array {
		return v.Items
	}
	all := make([]*jsontree.Value, len(v.Fields))
	for i, f := range v.Fields {
		all[i] = f.Value
	}
	return all
}

// expr is an expression of a filter.
type expr interface {
	holds(s *search, at *jsontree.Value) (bool, error)
}

type or []expr

func (o or) holds(s *search, at *jsontree.Value) (bool, error) {
	for _, e := range o {
		if ok, err := e.holds(s, at); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

type and []expr

func (a and) holds(s *search, at *jsontree.Value) (bool, error) {
	for _, e := range a {
		if ok, err := e.holds(s, at); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

type not struct{ expr }

func (n not) holds(s *search, at *jsontree.Value) (bool, error) {
	ok, err := n.expr.holds(s, at)
	return !ok && err == nil, err
}

// exists is a path alone. One with a wildcard or the like exists when its definite beginning does, even if it finds
// nothing: that is what Jayway does.
type exists struct{ path *Path }

func (e exists) holds(s *search, at *jsontree.Value) (bool, error) {
	_, err := s.sub(e.path, at, true)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (s *search) sub(p *Path, at *jsontree.Value, require bool) ([]*jsontree.Value, error) {
	inner := &search{root: s.root, left: s.left, require: require}
	if !p.relative {
		at = s.root
	}
	return inner.run(p, at)
}

// operand is one side of a comparison: a path, a value, or a regular expression.
type operand struct {
	path  *Path
	value *jsontree.Value
	re    *regexp.Regexp
}

// get gives the value of an operand, or nil where a path leads nowhere.
func (o operand) get(s *search, at *jsontree.Value) (*jsontree.Value, error) {
	if o.path == nil {
		return o.value, nil
	}
	found, err := s.sub(o.path, at, false)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if o.path.definite {
		return found[0], nil
	}
	return &jsontree.Value{Kind: jsontree.Array, Items: found}, nil
}
