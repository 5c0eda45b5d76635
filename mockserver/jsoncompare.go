package mockserver

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// jsonRules says what of a JSON value may differ. The zero value wants the same value.
type jsonRules struct {
	moreMembers bool // objects may have members that are not wanted
	moreItems   bool // arrays may have elements that are not wanted: at the end, or with anyOrder, anywhere
	anyOrder    bool // the elements of arrays may be in any order
}

// differences compares two values that parseJSON gave. It tells at most most differences, each with its path.
func (r jsonRules) differences(want, got any, most int) []string {
	c := jsonComparison{rules: r, most: most}
	c.compare(want, got, nil)
	return c.found
}

// same says whether there is no difference, and is much quicker at it.
func (r jsonRules) same(want, got any) bool {
	c := jsonComparison{rules: r, quick: true}
	c.compare(want, got, nil)
	return !c.differs
}

type jsonComparison struct {
	rules jsonRules
	most  int
	found []string

	quick   bool // only find out whether there is a difference
	differs bool
}

// jsonPlace is a place in a value, from the inside out. nil is the whole.
type jsonPlace struct {
	in    *jsonPlace
	name  string // of a member
	index int    // of an element, where name is not used
	item  bool
}

func (p *jsonPlace) String() string {
	var steps []string
	for ; p != nil; p = p.in {
		switch {
		case p.item:
			steps = append(steps, "["+strconv.Itoa(p.index)+"]")
		case isIdentifier(p.name):
			steps = append(steps, "."+p.name)
		default:
			steps = append(steps, "["+strconv.Quote(p.name)+"]")
		}
	}
	slices.Reverse(steps)
	return "$" + strings.Join(steps, "")
}

// done says that no more differences are looked for.
func (c *jsonComparison) done() bool {
	if c.quick {
		return c.differs
	}
	return len(c.found) >= c.most
}

// say tells a difference. text is called when it is told.
func (c *jsonComparison) say(at *jsonPlace, text func() string) {
	if !c.quick && !c.done() {
		c.found = append(c.found, clip(at.String(), 2*cell)+": "+text())
	}
	c.differs = true
}

func (c *jsonComparison) compare(want, got any, at *jsonPlace) {
	switch want := want.(type) {
	case map[string]any:
		if got, ok := got.(map[string]any); ok {
			c.members(want, got, at)
			return
		}
	case []any:
		if got, ok := got.([]any); ok {
			c.items(want, got, at)
			return
		}
	case json.Number:
		if got, ok := got.(json.Number); ok && sameNumber(string(want), string(got)) {
			return
		}
	default: // string, bool, nil
		switch got.(type) {
		case map[string]any, []any: // cannot be compared with ==
		default:
			if want == got {
				return
			}
		}
	}
	c.say(at, func() string {
		w, g := jsonKind(want), jsonKind(got)
		if w == g {
			return shortJSON(got) + ", not " + shortJSON(want)
		}
		return withKind(g, got) + ", not " + withKind(w, want)
	})
}

func (c *jsonComparison) members(want, got map[string]any, at *jsonPlace) {
	if c.quick && !c.rules.moreMembers && len(want) != len(got) {
		c.differs = true
		return
	}
	for name := range c.names(want) {
		if c.done() {
			return
		}
		place := c.member(at, name)
		if g, ok := got[name]; ok {
			c.compare(want[name], g, place)
		} else {
			c.say(place, func() string { return "is missing, " + shortJSON(want[name]) + " expected" })
		}
	}
	if c.rules.moreMembers {
		return
	}
	for name := range c.names(got) {
		if c.done() {
			return
		}
		if _, ok := want[name]; !ok {
			c.say(c.member(at, name), func() string { return shortJSON(got[name]) + " is not expected" })
		}
	}
}

// names are sorted where differences are told, so that a message is the same each time.
func (c *jsonComparison) names(of map[string]any) iter.Seq[string] {
	if c.quick {
		return maps.Keys(of)
	}
	return slices.Values(slices.Sorted(maps.Keys(of)))
}

// member and item give the place of a part, nil when no place will be told.
func (c *jsonComparison) member(in *jsonPlace, name string) *jsonPlace {
	if c.quick {
		return nil
	}
	return &jsonPlace{in: in, name: name}
}

func (c *jsonComparison) item(in *jsonPlace, index int) *jsonPlace {
	if c.quick {
		return nil
	}
	return &jsonPlace{in: in, index: index, item: true}
}

func (c *jsonComparison) items(want, got []any, at *jsonPlace) {
	if len(got) < len(want) || len(got) > len(want) && !c.rules.moreItems {
		c.say(at, func() string { return fmt.Sprintf("%s, not %d", count(len(got), "element"), len(want)) })
	}
	if c.rules.anyOrder {
		c.anyOrder(want, got, at)
		return
	}
	for i := range min(len(want), len(got)) {
		if c.done() {
			return
		}
		c.compare(want[i], got[i], c.item(at, i))
	}
}

// anyOrder looks for a place in got for each element of want, no place taken twice. An element may fit several, where
// members may be more, so one that has a place makes room when it fits elsewhere.
func (c *jsonComparison) anyOrder(want, got []any, at *jsonPlace) {
	if c.done() {
		return
	}
	fits := make([][]int, len(want))
	for i, w := range want {
		for j, g := range got {
			if c.rules.same(w, g) {
				fits[i] = append(fits[i], j)
			}
		}
	}
	takenBy := make([]int, len(got)) // one more than the index in want
	var place func(i int, tried []bool) bool
	place = func(i int, tried []bool) bool {
		for _, j := range fits[i] {
			if tried[j] {
				continue
			}
			tried[j] = true
			if takenBy[j] == 0 || place(takenBy[j]-1, tried) {
				takenBy[j] = i + 1
				return true
			}
		}
		return false
	}
	for i, w := range want {
		if !place(i, make([]bool, len(got))) {
			c.say(at, func() string { return "no element for " + shortJSON(w) })
		}
	}
}

func jsonKind(v any) string {
	switch v.(type) {
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case json.Number:
		return "number"
	case string:
		return "string"
	case bool:
		return "boolean"
	}
	return "null"
}

func withKind(kind string, v any) string {
	if kind == "null" {
		return "null"
	}
	return "the " + kind + " " + shortJSON(v)
}

func shortJSON(v any) string { return clip(jsonText(v), cell) }

// sameNumber compares the values of two JSON numbers without rounding. Numbers with an exponent outside of int64 are
// compared as they are written.
func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	x, ok := parseNumber(a)
	y, ok2 := parseNumber(b)
	return ok && ok2 && x == y
}

// number is 0.digits times ten to the power of exp. Digits neither begin nor end with a zero, and zero has none.
type number struct {
	minus  bool
	digits string
	exp    int64
}

func parseNumber(s string) (n number, ok bool) {
	s, n.minus = strings.CutPrefix(s, "-")
	mantissa, e := s, int64(0)
	expOK := true
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		var err error
		mantissa = s[:i]
		e, err = strconv.ParseInt(s[i+1:], 10, 64)
		expOK = err == nil && e > -1<<62 && e < 1<<62
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return number{}, true
	}
	n.exp = e + int64(len(digits)-len(fraction))
	n.digits = strings.TrimRight(digits, "0")
	return n, expOK
}
