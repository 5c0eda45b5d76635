package mockserver

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/leakgate/leakgate/internal/javaregexp"
	"github.com/leakgate/leakgate/internal/jsontree"
)

// jsonWant is what equalToJson wants. Texts in it may be placeholders as ${json-unit.any-string}.
type jsonWant struct {
	anyOrder bool                             // of the items of lists
	more     bool                             // lists and objects may have more
	any      map[*jsontree.Value]jsonWildcard // of the values that are placeholders
	loose    map[*jsontree.Value]bool         // the values that have a placeholder in them, or are one
}

// jsonWildcard takes any value of a kind.
type jsonWildcard struct {
	text string
	ok   func(v *jsontree.Value) bool
	skip bool // the field may also be missing
}

func (m *mappingReader) equalToJSON(v *jsontree.Value, fields map[string]*jsontree.Value, at string) *operator {
	front := strings.TrimSuffix(at, ".equalToJson")
	w := &jsonWant{any: map[*jsontree.Value]jsonWildcard{}, loose: map[*jsontree.Value]bool{}}
	if f := fields["ignoreArrayOrder"]; f != nil {
		w.anyOrder = m.boolean(f, under(front, "ignoreArrayOrder"))
	}
	if f := fields["ignoreExtraElements"]; f != nil {
		w.more = m.boolean(f, under(front, "ignoreExtraElements"))
	}
	want := v
	if v.Kind == jsontree.String {
		var err error
		if want, err = jsontree.ParseRelaxed([]byte(v.Text)); err != nil {
			m.bad(at, "the text is not JSON: %v", err)
			return nil
		}
	}
	m.wildcards(w, want, at)
	text := clip(string(want.Append(nil)), cell)
	name := "equalToJson "
	if w.anyOrder {
		name += "(any order) "
	}
	if w.more {
		name += "(may have more) "
	}
	return &operator{
		text: name + text,
		json: true,
		ok: func(got *string) bool {
			if got == nil {
				return false
			}
			doc, err := jsontree.Parse([]byte(*got))
			return err == nil && newLoadedComparison(w, len(*got)).fits(want, doc)
		},
		why: func(got string) string {
			doc, err := jsontree.Parse([]byte(got))
			if err != nil {
				return fmt.Sprintf("is not JSON: %v", err)
			}
			c := newLoadedComparison(w, len(got))
			if why := c.differs(want, doc, "$"); c.left > 0 {
				return why
			}
			return tooManyPairs
		},
	}
}

var placeholder = regexp.MustCompile(`\A[$#]\{json-unit\.([a-z-]+)(?::[^}]*)?\}`)

// wildcards finds the placeholders of JsonUnit, which WireMock compares with, and the values around them.
func (m *mappingReader) wildcards(w *jsonWant, v *jsontree.Value, at string) {
	for _, one := range v.Items {
		m.wildcards(w, one, at)
		w.loose[v] = w.loose[v] || w.loose[one]
	}
	for _, f := range v.Fields {
		m.wildcards(w, f.Value, at)
		w.loose[v] = w.loose[v] || w.loose[f.Value]
	}
	if v.Kind != jsontree.String {
		return
	}
	found := placeholder.FindStringSubmatch(v.Text)
	if found == nil {
		return
	}
	kind := func(k jsontree.Kind) func(*jsontree.Value) bool {
		return func(v *jsontree.Value) bool { return v.Kind == k }
	}
	one := jsonWildcard{text: v.Text}
	switch whole := found[0] == v.Text; {
	case found[1] == "ignore" && whole:
		one.ok = func(*jsontree.Value) bool { return true }
	case found[1] == "ignore-element" && whole:
		one.ok, one.skip = func(*jsontree.Value) bool { return true }, true
	case found[1] == "any-string" && whole:
		one.ok = kind(jsontree.String)
	case found[1] == "any-number" && whole:
		one.ok = kind(jsontree.Number)
	case found[1] == "any-boolean" && whole:
		one.ok = kind(jsontree.Bool)
	case found[1] == "regex":
		re, err := javaregexp.Compile(v.Text[len(found[0]):], javaregexp.Flags{})
		if err != nil {
			m.bad(at, "%s: %v", quote(v.Text), err)
			return
		}
		one.ok = func(v *jsontree.Value) bool {
			return (v.Kind == jsontree.String || v.Kind == jsontree.Number) && re.MatchString(v.Text)
		}
	default:
		m.bad(at, "not supported: the placeholder %s; there are ignore, ignore-element, any-string, any-number, any-boolean and regex", quote(v.Text))
		return
	}
	w.any[v], w.loose[v] = one, true
}

// differs says in what a value is not as wanted, with the way to it, or "". It says nothing of use when left is 0 after it.
func (c *loadedComparison) differs(want, got *jsontree.Value, at string) string {
	if one, ok := c.want.any[want]; ok {
		if one.ok(got) {
			return ""
		}
		return fmt.Sprintf("%s is %s, not %s", at, jsonCell(got), one.text)
	}
	if want.Kind != got.Kind {
		return fmt.Sprintf("%s is %s, not %s", at, jsonCell(got), jsonCell(want))
	}
	switch want.Kind {
	case jsontree.Array:
		return c.listDiffers(want, got, at)
	case jsontree.Object:
		return c.objectDiffers(want, got, at)
	}
	if !jsontree.Equal(want, got) {
		return fmt.Sprintf("%s is %s, not %s", at, jsonCell(got), jsonCell(want))
	}
	return ""
}

func (c *loadedComparison) objectDiffers(want, got *jsontree.Value, at string) string {
	wanted, there := c.fieldsOf(want), c.fieldsOf(got)
	for _, f := range want.Fields {
		v := there[f.Name]
		if v == nil {
			if c.want.any[wanted[f.Name]].skip {
				continue
			}
			return jsonStep(at, f.Name) + " is missing"
		}
		if why := c.differs(wanted[f.Name], v, jsonStep(at, f.Name)); why != "" {
			return why
		}
	}
	if c.want.more {
		return ""
	}
	for _, f := range got.Fields {
		if wanted[f.Name] == nil {
			return jsonStep(at, f.Name) + " is not expected"
		}
	}
	return ""
}

func (c *loadedComparison) listDiffers(want, got *jsontree.Value, at string) string {
	n, m := len(want.Items), len(got.Items)
	if m < n || m > n && !c.want.more {
		return fmt.Sprintf("%s has %s, not %d", at, count(m, "item"), n)
	}
	if !c.want.anyOrder {
		for i, one := range want.Items {
			if why := c.differs(one, got.Items[i], fmt.Sprintf("%s[%d]", at, i)); why != "" {
				return why
			}
		}
		return ""
	}
	if i := c.unpaired(want.Items, got.Items); i >= 0 {
		return fmt.Sprintf("%s has no item for %s", at, jsonCell(want.Items[i]))
	}
	return ""
}

func jsonCell(v *jsontree.Value) string { return clip(string(v.Append(nil)), cell) }

func jsonStep(at, name string) string {
	if isFieldName(name) {
		return at + "." + name
	}
	return at + "[" + strconv.Quote(clip(name, cell)) + "]"
}
