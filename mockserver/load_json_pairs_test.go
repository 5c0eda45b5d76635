package mockserver

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/jsontree"
)

// wantJSON reads the operand of equalToJson.
func wantJSON(t *testing.T, text string, anyOrder, more bool) (*jsonWant, *jsontree.Value) {
	t.Helper()
	v, err := jsontree.Parse([]byte(text))
	require.NoError(t, err)
	w := &jsonWant{anyOrder: anyOrder, more: more, any: map[*jsontree.Value]jsonWildcard{}, loose: map[*jsontree.Value]bool{}}
	m := &mappingReader{}
	m.wildcards(w, v, "$")
	require.Empty(t, m.problems)
	return w, v
}

// plainFits is what a comparison means, tried out in every order.
func plainFits(w *jsonWant, want, got *jsontree.Value) bool {
	if one, ok := w.any[want]; ok {
		return one.ok(got)
	}
	switch {
	case want.Kind != got.Kind:
		return false
	case want.Kind == jsontree.Array:
		n, m := len(want.Items), len(got.Items)
		if m < n || m > n && !w.more {
			return false
		}
		used := make([]bool, m)
		var place func(i int) bool
		place = func(i int) bool {
			if i == n {
				return true
			}
			for j, one := range got.Items {
				if used[j] || !w.anyOrder && j != i || !plainFits(w, want.Items[i], one) {
					continue
				}
				used[j] = true
				if place(i + 1) {
					return true
				}
				used[j] = false
			}
			return false
		}
		return place(0)
	case want.Kind == jsontree.Object:
		wanted, there := want.Map(), got.Map()
		for name, one := range wanted {
			if v := there[name]; v == nil && !w.any[one].skip || v != nil && !plainFits(w, one, v) {
				return false
			}
		}
		for name := range there {
			if wanted[name] == nil && !w.more {
				return false
			}
		}
		return true
	}
	return jsontree.Equal(want, got)
}

func TestLoadedComparison(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewSource(1))
	pick := func(of ...string) string { return of[rnd.Intn(len(of))] }
	var value func(depth int, placeholders bool) string
	value = func(depth int, placeholders bool) string {
		if depth > 0 && rnd.Intn(3) == 0 {
			var all []string
			if rnd.Intn(2) == 0 {
				for range rnd.Intn(4) {
					all = append(all, value(depth-1, placeholders))
				}
				return "[" + strings.Join(all, ",") + "]"
			}
			for range rnd.Intn(3) {
				all = append(all, fmt.Sprintf("%q:%s", pick("a", "b"), value(depth-1, placeholders)))
			}
			return "{" + strings.Join(all, ",") + "}"
		}
		if placeholders && rnd.Intn(4) == 0 {
			return pick(`"${json-unit.any-string}"`, `"${json-unit.any-number}"`, `"${json-unit.ignore}"`, `"${json-unit.ignore-element}"`, `"${json-unit.regex}1.*"`)
		}
		return pick("1", "1.0", "2", `"x"`, `"y"`, `"1"`, "null", "true", "false")
	}
	list := func(n int, placeholders bool) string {
		items := make([]string, n)
		for i := range items {
			items[i] = value(2, placeholders)
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	results := map[bool]int{}
	for range 20_000 {
		n := 1 + rnd.Intn(5)
		anyOrder, more := rnd.Intn(4) > 0, rnd.Intn(2) == 0
		wantText, gotText := list(n, rnd.Intn(3) > 0), list(n+rnd.Intn(2), false)
		if rnd.Intn(2) == 0 { // shuffled, so that more of them fit
			v, err := jsontree.Parse([]byte(gotText))
			require.NoError(t, err)
			rnd.Shuffle(len(v.Items), func(i, j int) { v.Items[i], v.Items[j] = v.Items[j], v.Items[i] })
			wantText = string(v.Append(nil))
			if rnd.Intn(2) == 0 {
				wantText = strings.Replace(wantText, pick("1", "2", `"x"`, "null"), pick(`"${json-unit.ignore}"`, `"${json-unit.any-number}"`, `"${json-unit.regex}1"`), 1+rnd.Intn(2))
				wantText = strings.ReplaceAll(wantText, `"""`, `"`)
			}
			if _, err := jsontree.Parse([]byte(wantText)); err != nil {
				continue
			}
		}
		w, want := wantJSON(t, wantText, anyOrder, more)
		got, err := jsontree.Parse([]byte(gotText))
		require.NoError(t, err)
		fits := plainFits(w, want, got)
		results[fits]++
		require.Equal(t, fits, newLoadedComparison(w, len(gotText)).fits(want, got), "%+v %s %s", w, wantText, gotText)
		require.Equal(t, fits, newLoadedComparison(w, len(gotText)).differs(want, got, "$") == "", "%+v %s %s", w, wantText, gotText)
	}
	assert.Greater(t, results[true], 2000)
	assert.Greater(t, results[false], 2000)
}

// The work is counted, not timed: a list in any order must not cost the square of its length.
func TestLoadedComparisonSteps(t *testing.T) {
	t.Parallel()
	const n = 1500
	list := func(item string, last string) string {
		var b strings.Builder
		for i := n; i > 0; i-- {
			fmt.Fprintf(&b, item+",", i, i)
		}
		return "[" + b.String() + last + "]"
	}
	reversed := func(text string) string {
		v, err := jsontree.Parse([]byte(text))
		require.NoError(t, err)
		for i, j := 0, len(v.Items)-1; i < j; i, j = i+1, j-1 {
			v.Items[i], v.Items[j] = v.Items[j], v.Items[i]
		}
		return string(v.Append(nil))
	}
	item := `{"id":%d,"name":"n%d"}`
	loose := `{"id":%d,"name":"n%d","at":"${json-unit.ignore-element}"}`
	same := `{"id":1,"name":"x"}` + strings.Repeat(`,{"id":1,"name":"x"}`, n)
	for _, c := range []struct {
		name      string
		want, got string
		more      bool
		fits      bool
		most      int // steps
	}{
		{"another order", list(item, "0"), reversed(list(item, "0")), false, true, 10},
		{"near miss", list(item, "0"), reversed(list(item, "1")), false, false, 10},
		{"all the same", "[" + same + ",2]", "[2," + same + "]", false, true, 10},
		{"all the same, near miss", "[" + same + ",2]", "[3," + same + "]", false, false, 10},
		{"placeholders in order", list(loose, "0"), list(item, "0"), false, true, 6 * n},
		{"placeholders in order, near miss", list(loose, "0"), list(item, "1"), false, false, 8 * n},
		{"more fields in order, near miss", list(item, "0"), list(loose, "1"), true, false, 8 * n},
	} {
		w, want := wantJSON(t, c.want, true, c.more)
		got, err := jsontree.Parse([]byte(c.got))
		require.NoError(t, err)
		cmp := newLoadedComparison(w, 0)
		assert.Equal(t, c.fits, cmp.fits(want, got), c.name)
		assert.LessOrEqual(t, maxPairs-cmp.left, c.most, c.name)
		assert.Equal(t, c.fits, cmp.differs(want, got, "$") == "", c.name)
	}

	// What is left has a limit, and says so.
	w, want := wantJSON(t, list(loose, `"${json-unit.any-string}"`), true, false)
	got, err := jsontree.Parse([]byte(reversed(list(item, "1"))))
	require.NoError(t, err)
	cmp := newLoadedComparison(w, 0)
	assert.False(t, cmp.fits(want, got))
	assert.Zero(t, cmp.left)
}
