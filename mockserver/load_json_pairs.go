package mockserver

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/leakgate/leakgate/internal/jsontree"
)

// maxPairs is how many values one comparison may look at, beside one look at each value of the body. Only lists in any
// order, with items that fit several others, come near.
const maxPairs = 2_000_000

var tooManyPairs = fmt.Sprintf("is too much to compare in any order: there are more than %d pairs of values; leave out ignoreArrayOrder, or compare a part with matchesJsonPath", maxPairs)

// loadedComparison is one comparison of a body with what is wanted.
type loadedComparison struct {
	want   *jsonWant
	left   int // values that may still be looked at; at 0 the comparison has been given up
	fields map[*jsontree.Value]map[string]*jsontree.Value
	forms  map[string]int // the number of each canonical form
	form   map[*jsontree.Value]int
}

func newLoadedComparison(w *jsonWant, size int) *loadedComparison {
	return &loadedComparison{want: w, left: maxPairs + size, fields: map[*jsontree.Value]map[string]*jsontree.Value{}}
}

func (c *loadedComparison) spend(n int) bool {
	c.left = max(c.left-n, 0)
	return c.left > 0
}

// fits is differs without a reason: it is asked of many pairs. It is false when the comparison is given up.
func (c *loadedComparison) fits(want, got *jsontree.Value) bool {
	if !c.spend(1) {
		return false
	}
	if one, ok := c.want.any[want]; ok {
		return one.ok(got)
	}
	if want.Kind != got.Kind {
		return false
	}
	switch want.Kind {
	case jsontree.Array:
		n, m := len(want.Items), len(got.Items)
		if m < n || m > n && !c.want.more {
			return false
		}
		if c.want.anyOrder {
			return c.unpaired(want.Items, got.Items) < 0
		}
		for i, one := range want.Items {
			if !c.fits(one, got.Items[i]) {
				return false
			}
		}
		return true
	case jsontree.Object:
		return c.objectFits(want, got)
	}
	return jsontree.Equal(want, got)
}

func (c *loadedComparison) objectFits(want, got *jsontree.Value) bool {
	wanted, there := c.fieldsOf(want), c.fieldsOf(got)
	for _, f := range want.Fields { // in this order, so that each run takes the same number of steps
		v, one := there[f.Name], wanted[f.Name]
		if v == nil && c.want.any[one].skip {
			continue
		}
		if v == nil || !c.fits(one, v) {
			return false
		}
	}
	if c.want.more {
		return true
	}
	for name := range there {
		if wanted[name] == nil {
			return false
		}
	}
	return true
}

// fieldsOf is Map, made once for each value.
func (c *loadedComparison) fieldsOf(v *jsontree.Value) map[string]*jsontree.Value {
	m, ok := c.fields[v]
	if !ok {
		m = v.Map()
		c.fields[v] = m
	}
	return m
}

// plain says of a wanted value that it fits those of the same canonical form, and no others.
func (c *loadedComparison) plain(want *jsontree.Value) bool {
	isTree := want.Kind == jsontree.Array || want.Kind == jsontree.Object
	return !c.want.loose[want] && !(c.want.more && isTree)
}

// formOf numbers the canonical form of a value: two values have the same number when they are equal, where the order of
// the items of lists does not count.
func (c *loadedComparison) formOf(v *jsontree.Value) int {
	if n, ok := c.form[v]; ok {
		return n
	}
	text := []byte{byte(v.Kind)}
	switch v.Kind {
	case jsontree.Bool:
		text = strconv.AppendBool(text, v.Bool)
	case jsontree.String:
		text = append(text, v.Text...)
	case jsontree.Number:
		d, _ := jsontree.ParseDecimal(v.Text)
		text = fmt.Append(text, d)
	case jsontree.Array:
		items := make([]int, len(v.Items))
		for i, one := range v.Items {
			items[i] = c.formOf(one)
		}
		slices.Sort(items)
		for _, n := range items {
			text = append(strconv.AppendInt(text, int64(n), 10), ' ')
		}
	case jsontree.Object:
		fields := c.fieldsOf(v)
		names := make([]string, 0, len(fields))
		for name := range fields {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			text = append(strconv.AppendQuote(text, name), ' ')
			text = append(strconv.AppendInt(text, int64(c.formOf(fields[name])), 10), ' ')
		}
	}
	if c.form == nil {
		c.form, c.forms = map[*jsontree.Value]int{}, map[string]int{}
	}
	n, ok := c.forms[string(text)]
	if !ok {
		n = len(c.forms)
		c.forms[string(text)] = n
	}
	c.form[v] = n
	return n
}

// unpaired gives every wanted item one of its own, and returns the index of one that gets none, or -1. A placeholder may
// take what another item needs, so that items change what they have (augmenting paths). It looks only at the pairs that
// it needs: a plain item goes to one of its form, and another one first tries what stands at its own place.
func (c *loadedComparison) unpaired(want, got []*jsontree.Value) int {
	p := &pairing{c: c, want: want, got: got, owner: make([]int, len(got)), seen: make([]int, len(got)), known: make([][]int8, len(want))}
	for i := range want {
		p.round = i + 1
		if !p.pair(i) {
			return i
		}
	}
	return -1
}

// pairing is the state of unpaired.
type pairing struct {
	c         *loadedComparison
	want, got []*jsontree.Value
	owner     []int           // 1 + the wanted item that has it
	seen      []int           // the round in which it was last tried
	round     int             // 1 + the wanted item that is to get one
	known     [][]int8        // of the pairs that were compared: 1 when they fit, -1 when not
	same      map[int]*bucket // the items of got by form
}

// bucket is the items of one form.
type bucket struct {
	items []int
	taken int // so many of them, from the front, have an owner, and keep having one
	round int // the round that next is of
	next  int // those in front of it were tried in this round
}

func (p *pairing) pair(i int) bool {
	if p.c.plain(p.want[i]) {
		return p.pairPlain(i)
	}
	for k := range p.got {
		if j := (i + k) % len(p.got); p.owner[j] == 0 && p.fits(i, j) {
			p.owner[j] = i + 1
			return true
		}
	}
	for j := range p.got {
		if p.seen[j] != p.round && p.fits(i, j) && p.move(i, j) {
			return true
		}
	}
	return false
}

// move gives j to i when the owner of j finds another one.
func (p *pairing) move(i, j int) bool {
	p.seen[j] = p.round
	if !p.pair(p.owner[j] - 1) {
		return false
	}
	p.owner[j] = i + 1
	return true
}

func (p *pairing) pairPlain(i int) bool {
	if p.same == nil {
		p.same = map[int]*bucket{}
		for j, v := range p.got {
			n := p.c.formOf(v)
			if p.same[n] == nil {
				p.same[n] = &bucket{}
			}
			p.same[n].items = append(p.same[n].items, j)
		}
	}
	b := p.same[p.c.formOf(p.want[i])]
	if b == nil {
		return false
	}
	for ; b.taken < len(b.items); b.taken++ {
		if j := b.items[b.taken]; p.owner[j] == 0 {
			p.owner[j] = i + 1
			return true
		}
	}
	if b.round != p.round {
		b.round, b.next = p.round, 0
	}
	for b.next < len(b.items) {
		j := b.items[b.next]
		b.next++
		// Another plain item that has one of this form can go nowhere else.
		if p.seen[j] != p.round && !p.c.plain(p.want[p.owner[j]-1]) && p.move(i, j) {
			return true
		}
	}
	return false
}

// fits compares each pair once.
func (p *pairing) fits(i, j int) bool {
	if !p.c.spend(1) {
		return false
	}
	if p.known[i] == nil {
		p.known[i] = make([]int8, len(p.got))
	}
	if p.known[i][j] == 0 {
		p.known[i][j] = -1
		if p.c.fits(p.want[i], p.got[j]) {
			p.known[i][j] = 1
		}
	}
	return p.known[i][j] > 0
}
