package jsonpath

import (
	"strings"
	"unicode/utf16"

	"github.com/leakgate/leakgate/internal/jsontree"
)

// comparison is two operands with an operator between them.
type comparison struct {
	left, right operand
	op          string
}

func (c comparison) holds(s *search, at *jsontree.Value) (bool, error) {
	a, err := c.left.get(s, at)
	if err != nil {
		return false, err
	}
	b, err := c.right.get(s, at)
	if err != nil {
		return false, err
	}
	switch c.op {
	case "==":
		return same(a, b), nil
	case "!=":
		return !same(a, b), nil
	case "===":
		return sameType(a, b) && same(a, b), nil
	case "!==":
		return !sameType(a, b) || !same(a, b), nil
	case "<", "<=", ">", ">=":
		n, ok := order(a, b)
		return ok && (n < 0 && c.op[0] == '<' || n > 0 && c.op[0] == '>' || n == 0 && len(c.op) == 2), nil
	case "=~":
		re, v := c.right.re, a
		if re == nil {
			re, v = c.left.re, b
		}
		if v != nil && v.Kind == jsontree.Array {
			for _, item := range v.Items {
				if re.MatchString(plain(item)) {
					return true, nil
				}
			}
			return false, nil
		}
		return re.MatchString(plain(v)), nil
	case "in":
		return isList(b) && has(b, a), nil
	case "nin":
		return !isList(b) || !has(b, a), nil
	case "subsetof":
		return isList(a) && isList(b) && common(a, b) == len(a.Items), nil
	case "anyof":
		return isList(a) && isList(b) && common(a, b) > 0, nil
	case "noneof":
		return isList(a) && isList(b) && common(a, b) == 0, nil
	case "all":
		return isList(a) && isList(b) && common(b, a) == len(b.Items) || a != nil && a.Kind == jsontree.Object, nil
	case "contains":
		if a != nil && b != nil && a.Kind == jsontree.String && b.Kind == jsontree.String {
			return strings.Contains(a.Text, b.Text), nil
		}
		return isList(a) && has(a, b), nil
	case "size":
		n, ok := size(a)
		d, isNumber := number(b)
		m, _ := jsontree.ParseDecimal(n)
		return ok && isNumber && d == m, nil
	case "empty":
		if a == nil || b == nil || b.Kind != jsontree.Bool {
			return false, nil
		}
		switch a.Kind {
		case jsontree.String:
			return (a.Text == "") == b.Bool, nil
		case jsontree.Array, jsontree.Object:
			return (len(a.Items)+len(a.Fields) == 0) == b.Bool, nil
		}
	}
	return false, nil
}

func isList(v *jsontree.Value) bool { return v != nil && v.Kind == jsontree.Array }

func has(list, v *jsontree.Value) bool {
	for _, item := range list.Items {
		if same(v, item) {
			return true
		}
	}
	return false
}

// common counts the items of a that b has too.
func common(a, b *jsontree.Value) int {
	n := 0
	for _, item := range a.Items {
		if has(b, item) {
			n++
		}
	}
	return n
}

// same says whether two values are equal. A number and a text are when they look the same; nothing is equal to a missing
// value, not even another one.
func same(a, b *jsontree.Value) bool {
	if a == nil || b == nil {
		return false
	}
	switch {
	case a.Kind == jsontree.String && b.Kind == jsontree.Number:
		return a.Text == b.Text
	case a.Kind == jsontree.Number && b.Kind == jsontree.String:
		d, ok := jsontree.ParseDecimal(b.Text)
		e, _ := jsontree.ParseDecimal(a.Text)
		return ok && d == e
	}
	return jsontree.Equal(a, b)
}

func sameType(a, b *jsontree.Value) bool {
	isTree := func(v *jsontree.Value) bool { return v.Kind == jsontree.Array || v.Kind == jsontree.Object }
	return a != nil && b != nil && (a.Kind == b.Kind || isTree(a) && isTree(b))
}

// order compares two numbers or two texts, and nothing else.
func order(a, b *jsontree.Value) (n int, ok bool) {
	if a == nil || b == nil || a.Kind != b.Kind {
		return 0, false
	}
	switch a.Kind {
	case jsontree.Number:
		x, _ := number(a)
		y, _ := number(b)
		return x.Compare(y), true
	case jsontree.String:
		return strings.Compare(a.Text, b.Text), true
	}
	return 0, false
}

func number(v *jsontree.Value) (jsontree.Decimal, bool) {
	if v == nil || v.Kind != jsontree.Number {
		return jsontree.Decimal{}, false
	}
	return jsontree.ParseDecimal(v.Text)
}

// size is the number of items, or of characters as Java counts them.
func size(v *jsontree.Value) (string, bool) {
	switch {
	case isList(v):
		return itoa(len(v.Items)), true
	case v != nil && v.Kind == jsontree.String:
		return itoa(len(utf16.Encode([]rune(v.Text)))), true
	}
	return "", false
}

// plain is what a regular expression sees of a value.
func plain(v *jsontree.Value) string {
	if v == nil {
		return ""
	}
	switch v.Kind {
	case jsontree.String, jsontree.Number:
		return v.Text
	case jsontree.Bool:
		if v.Bool {
			return "true"
		}
		return "false"
	}
	return ""
}
