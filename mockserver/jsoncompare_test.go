package mockserver

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func parsed(t testing.TB, text string) any {
	t.Helper()
	v, err := parseJSON([]byte(text))
	require.NoError(t, err, text)
	return v
}

func TestJSONDifferences(t *testing.T) {
	t.Parallel()
	subset, anyOrder, all := jsonRules{moreMembers: true}, jsonRules{anyOrder: true}, jsonRules{true, true, true}
	for _, c := range []struct {
		rules     jsonRules
		want, got string
		diffs     []string
	}{
		{jsonRules{}, `{"user":{"name":"alice"}}`, `{"user":{"name":"bob"}}`, []string{`$.user.name: "bob", not "alice"`}},
		{jsonRules{}, `{"a":1,"b":2}`, `{"b":3,"c":4}`, []string{`$.a: is missing, 1 expected`, `$.b: 3, not 2`, `$.c: 4 is not expected`}},
		{subset, `{"a":1,"b":2}`, `{"b":3,"c":4}`, []string{`$.a: is missing, 1 expected`, `$.b: 3, not 2`}},
		{jsonRules{}, `[1,2,3]`, `[1,5]`, []string{`$: 2 elements, not 3`, `$[1]: 5, not 2`}},
		{jsonRules{}, `{"a b":{"c":[{"d":null}]}}`, `{"a b":{"c":[{"d":0}]}}`, []string{`$["a b"].c[0].d: the number 0, not null`}},
		{jsonRules{}, `1`, `"1"`, []string{`$: the string "1", not the number 1`}},
		{jsonRules{}, `{}`, `[]`, []string{`$: the array [], not the object {}`}},
		{jsonRules{}, `true`, `false`, []string{`$: false, not true`}},
		{jsonRules{}, `"<&>"`, `"x"`, []string{`$: "x", not "<&>"`}},
		{jsonRules{}, `null`, `{"a":1}`, []string{`$: the object {"a":1}, not null`}},
		{anyOrder, `[1,2,3]`, `[3,1,2]`, nil},
		{anyOrder, `[1,1,2]`, `[1,2,2]`, []string{`$: no element for 1`}},
		{anyOrder, `[1]`, `[1,2]`, []string{`$: 2 elements, not 1`}},
		{anyOrder, `{"a":[[1,2],[3]]}`, `{"a":[[3],[2,1]]}`, nil},
		{all, `[{"a":1},{"b":2}]`, `[{"x":0},{"a":1,"b":2},{"a":1}]`, nil}, // the first must make room for the second
		{all, `[{"a":1},{"b":2}]`, `[{"a":1,"b":2}]`, []string{`$: 1 element, not 2`, `$: no element for {"b":2}`}},
		{jsonRules{moreItems: true}, `[1]`, `[1,2]`, nil},
		{jsonRules{moreItems: true}, `[2]`, `[1,2]`, []string{`$[0]: 1, not 2`}},
		{jsonRules{}, `{"a":"` + strings.Repeat("x", 100) + `"}`, `{"a":1}`, []string{`$.a: the number 1, not the string "` + strings.Repeat("x", 56) + `...`}},
	} {
		want, got := parsed(t, c.want), parsed(t, c.got)
		assert.Equal(t, c.diffs, c.rules.differences(want, got, 100), "%v %s %s", c.rules, c.want, c.got)
		assert.Equal(t, len(c.diffs) == 0, c.rules.same(want, got), "the quick way agrees: %s %s", c.want, c.got)
	}
	assert.Equal(t, `$[0]: 9, not 0; $[1]: 9, not 1; $[2]: 9, not 2; and 2 more`,
		jsonReason(jsonRules{}, parsed(t, `[0,1,2,3,4]`), parsed(t, `[9,9,9,9,9]`)))
	assert.Equal(t, `$[0]: 9, not 0; $[1]: 9, not 0; $[2]: 9, not 0; and 97 or more others`,
		jsonReason(jsonRules{}, parsed(t, `[0`+strings.Repeat(`,0`, 499)+`]`), parsed(t, `[9`+strings.Repeat(`,9`, 499)+`]`)))
}

// math/big says which numbers are the same.
func TestSameNumber(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"1", "1.0", true}, {"1", "1e0", true}, {"10", "1E1", true}, {"0.1", "10e-2", true}, {"-0", "0", true}, {"0", "0e999", true},
		{"-1", "1", false}, {"100", "1e2", true}, {"0.001", "1e-3", true}, {"1e400", "10e399", true}, {"1e400", "1e401", false},
		{"9007199254740993", "9007199254740992", false}, {"0.1", "0.10000000000000001", false},
		{"1e99999999999999999999", "1e99999999999999999999", true}, {"1e99999999999999999999", "1", false},
		{"0e99999999999999999999", "0", true}, {"1e9223372036854775807", "1e-9223372036854775808", false},
	} {
		assert.Equal(t, c.want, sameNumber(c.a, c.b), "%s %s", c.a, c.b)
		assert.Equal(t, c.want, sameNumber(c.b, c.a), "%s %s", c.b, c.a)
	}
	rnd := rand.New(rand.NewSource(1))
	one := func() string {
		s := fmt.Sprint([]string{"", "-"}[rnd.Intn(2)], rnd.Intn(3)*[]int{1, 10, 100}[rnd.Intn(3)])
		if rnd.Intn(2) == 0 {
			s += fmt.Sprintf(".%0*d", 1+rnd.Intn(3), rnd.Intn(2)*10)
		}
		if rnd.Intn(2) == 0 {
			s += fmt.Sprintf("e%d", rnd.Intn(7)-3)
		}
		return s
	}
	same := 0
	for range 20_000 {
		a, b := one(), one()
		x, ok := new(big.Rat).SetString(a)
		require.True(t, ok, a)
		y, ok := new(big.Rat).SetString(b)
		require.True(t, ok, b)
		require.Equal(t, x.Cmp(y) == 0, sameNumber(a, b), "%s %s", a, b)
		if a != b && x.Cmp(y) == 0 {
			same++
		}
	}
	assert.Greater(t, same, 500)
}

func FuzzJSONCompare(f *testing.F) {
	for _, s := range []string{``, `1`, `1.0`, `-0`, `1e999999999999999999999`, `"a"`, `null`, `[]`, `{}`, `[1,[2]]`, `{"a":{"b":[{}]}}`, `{"a":1,"a":2}`, `"\ud800"`, "\"\xff\"", `{"":0}`, `[[[[`, `1 2`} {
		f.Add(s, s)
		f.Add(s, `{"a":[1,2]}`)
	}
	f.Fuzz(func(t *testing.T, x, y string) {
		a, err := parseJSON([]byte(x))
		if err != nil {
			assert.False(t, json.Valid([]byte(x)), "%q: %v", x, err)
			return
		}
		for _, r := range []jsonRules{{}, {moreMembers: true}, {true, true, true}, {anyOrder: true}} {
			require.Empty(t, r.differences(a, a, 10), "%q is like itself", x)
		}
		b, err := parseJSON([]byte(y))
		if err != nil {
			return
		}
		exact := jsonRules{}.same(a, b)
		require.Equal(t, exact, jsonRules{}.same(b, a), "symmetric: %q %q", x, y)
		require.Equal(t, jsonRules{anyOrder: true}.same(a, b), jsonRules{anyOrder: true}.same(b, a), "symmetric: %q %q", x, y)
		for _, r := range []jsonRules{{}, {moreMembers: true}, {true, true, true}, {anyOrder: true}} {
			require.Equal(t, r.same(a, b), len(r.differences(a, b, 50)) == 0, "the quick way agrees: %q %q", x, y)
			if exact {
				require.True(t, r.same(a, b), "every rule takes the same value: %q %q", x, y)
			}
		}
		m := WithJSONSubset(x)
		require.NoError(t, m.problem())
		in := &incoming{Request: &Request{Body: []byte(y)}}
		_, why := m.show(in)
		require.Equal(t, m.takes(in), why == "")
	})
}
