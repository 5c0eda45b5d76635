package jsontree

import (
	"math"
	"strconv"
	"strings"
)

// Decimal is a number as JSON writes it, exact and of any size: 0.digits × 10^exp. Its zero value is 0.
type Decimal struct {
	neg    bool
	digits string // without zeros at either end; "" is 0
	exp    int64
}

// ParseDecimal reads a JSON number. A plus sign, zeros in front, and a point without digits on one side are read too, as
// Java does.
func ParseDecimal(s string) (Decimal, bool) {
	var d Decimal
	if s != "" && (s[0] == '-' || s[0] == '+') {
		d.neg = s[0] == '-'
		s = s[1:]
	}
	exp := int64(0)
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e := s[i+1:]
		digits := strings.TrimPrefix(e, "-")
		if digits == e {
			digits = strings.TrimPrefix(e, "+")
		}
		if strings.Trim(digits, "0123456789") != "" || digits == "" {
			return Decimal{}, false
		}
		exp, _ = strconv.ParseInt(e, 10, 64) // the largest one where there are too many digits
		exp = max(min(exp, math.MaxInt64/2), math.MinInt64/2)
		s = s[:i]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return Decimal{}, false
	}
	exp += int64(len(whole))
	trimmed := strings.TrimLeft(digits, "0")
	exp -= int64(len(digits) - len(trimmed))
	d.digits = strings.TrimRight(trimmed, "0")
	if d.digits == "" {
		return Decimal{}, true
	}
	d.exp = exp
	return d, true
}

// Compare returns -1, 0 or 1.
func (d Decimal) Compare(e Decimal) int {
	switch {
	case d == e:
		return 0
	case d.sign() != e.sign():
		if d.sign() < e.sign() {
			return -1
		}
		return 1
	}
	n := 1
	if d.exp < e.exp || d.exp == e.exp && d.digits < e.digits {
		n = -1
	}
	return n * d.sign()
}

func (d Decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.neg:
		return -1
	}
	return 1
}

// Equal says whether two values are the same. The order of fields and how a number is written do not matter; the order of
// items does. Of a field that is given twice the last one counts.
func Equal(a, b *Value) bool {
	if a.Kind != b.Kind {
		return false
	}
	switch a.Kind {
	case Bool:
		return a.Bool == b.Bool
	case String:
		return a.Text == b.Text
	case Number:
		x, _ := ParseDecimal(a.Text)
		y, _ := ParseDecimal(b.Text)
		return x == y
	case Array:
		if len(a.Items) != len(b.Items) {
			return false
		}
		for i := range a.Items {
			if !Equal(a.Items[i], b.Items[i]) {
				return false
			}
		}
	case Object:
		x, y := a.Map(), b.Map()
		if len(x) != len(y) {
			return false
		}
		for name, v := range x {
			if w, ok := y[name]; !ok || !Equal(v, w) {
				return false
			}
		}
	}
	return true
}

// Map gives the fields of an object by name.
func (v *Value) Map() map[string]*Value {
	m := make(map[string]*Value, len(v.Fields))
	for _, f := range v.Fields {
		m[f.Name] = f.Value
	}
	return m
}
