package mockserver

import (
	"encoding/json"
	"fmt"
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

type jsonComparison struct {
	rules jsonRules
	most  int
	found []string
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

func (c *jsonComparison) full() bool { return len(c.found) >= c.most }

func (c *jsonComparison) say(at *jsonPlace, format string, args ...any) {
	if !c.full() {
		c.found = append(c.found, clip(at.String(), 2*cell)+fmt.Sprintf(format, args...))
	}
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
	if c.full() {
		return
	}
	w, g := jsonKind(want), jsonKind(got)
	if w == g {
		c.say(at, ": %s, not %s", shortJSON(got), shortJSON(want))
		return
	}
	c.say(at, ": %s, not %s", withKind(g, got), withKind(w, want))
}

func (c *jsonComparison) members(want, got map[string]any, at *jsonPlace) {
	// Sorted, so that a message is the same each time. To find out whether there is any difference, no order is needed.
	each := maps.Keys(want)
	if c.most > 1 {
		each = slices.Values(slices.Sorted(each))
	}
	for name := range each {
		if c.full() {
			return
		}
		place := &jsonPlace{in: at, name: name}
		if g, ok := got[name]; ok {
			c.compare(want[name], g, place)
		} else {
			c.say(place, ": is missing, %s expected", shortJSON(want[name]))
		}
	}
	if c.rules.moreMembers {
		return
	}
	each = maps.Keys(got)
	if c.most > 1 {
		each = slices.Values(slices.Sorted(each))
	}
	for name := range each {
		if _, ok := want[name]; !ok {
			if c.full() {
				return
			}
			c.say(&jsonPlace{in: at, name: name}, ": %s is not expected", shortJSON(got[name]))
		}
	}
}

func (c *jsonComparison) items(want, got []any, at *jsonPlace) {
	if len(got) < len(want) || len(got) > len(want) && !c.rules.moreItems {
		c.say(at, ": %s, not %d", count(len(got), "element"), len(want))
	}
	if c.rules.anyOrder {
		c.anyOrder(want, got, at)
		return
	}
	for i := range min(len(want), len(got)) {
		if c.full() {
			return
		}
		c.compare(want[i], got[i], &jsonPlace{in: at, index: i, item: true})
	}
}

// anyOrder looks for a place in got for each element of want, no place taken twice. An element may fit several, where
// members may be more, so one that has a place makes room when it fits elsewhere.
func (c *jsonComparison) anyOrder(want, got []any, at *jsonPlace) {
	if c.full() {
		return
	}
	fits := make([][]int, len(want))
	for i, w := range want {
		for j, g := range got {
			if len(c.rules.differences(w, g, 1)) == 0 {
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
			c.say(at, ": no element for %s", shortJSON(w))
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
