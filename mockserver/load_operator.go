package mockserver

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/leakgate/leakgate/internal/javaregexp"
	"github.com/leakgate/leakgate/internal/jsonpath"
	"github.com/leakgate/leakgate/internal/jsontree"
)

// operator is what one of WireMock's operators wants of a value.
type operator struct {
	text string // as messages show it: equalTo "x"

	// ok is asked with nil when there is no value: there is no such header, or the body is empty. So doesNotMatch and
	// its like take what is not there, as in WireMock.
	ok  func(value *string) bool
	why func(value string) string // says of a value that is not ok what is wrong; may be nil

	absent bool // it is the operator absent
	json   bool // it is equalToJson
}

// operators has a reader for each operator. The object has no other operator, and no field but those of the schema.
var operators map[string]func(m *mappingReader, v *jsontree.Value, fields map[string]*jsontree.Value, at string) *operator

func init() { // they call each other
	operators = map[string]func(*mappingReader, *jsontree.Value, map[string]*jsontree.Value, string) *operator{
		"equalTo":                (*mappingReader).equalTo,
		"contains":               (*mappingReader).contains,
		"doesNotContain":         (*mappingReader).contains,
		"matches":                (*mappingReader).matches,
		"doesNotMatch":           (*mappingReader).matches,
		"absent":                 (*mappingReader).absent,
		"anything":               (*mappingReader).anything,
		"equalToJson":            (*mappingReader).equalToJSON,
		"matchesJsonPath":        (*mappingReader).matchesJSONPath,
		"matchesPathTemplate":    (*mappingReader).matchesPathTemplate,
		"equalToNumber":          (*mappingReader).compareNumber,
		"greaterThanNumber":      (*mappingReader).compareNumber,
		"greaterThanEqualNumber": (*mappingReader).compareNumber,
		"lessThanNumber":         (*mappingReader).compareNumber,
		"lessThanEqualNumber":    (*mappingReader).compareNumber,
		"binaryEqualTo":          (*mappingReader).binaryEqualTo,
		"and":                    (*mappingReader).logical,
		"or":                     (*mappingReader).logical,
		"not":                    (*mappingReader).not,
	}
	for name := range operators {
		matcherFields.read = append(matcherFields.read, name)
	}
	slices.Sort(matcherFields.read)
	pathFields.read = append(slices.Clone(matcherFields.read), "expression")
}

const (
	whyXML  = "XML is not compared; write contains or matches, or the stub in Go with Where"
	whyDate = "dates are not compared; write matches, or the stub in Go with Where"
)

var refusedOperators = map[string]string{
	"equalToXml":        whyXML,
	"matchesXPath":      whyXML,
	"matchesJsonSchema": "JSON schemas are not checked; write equalToJson or matchesJsonPath",
	"before":            whyDate,
	"after":             whyDate,
	"equalToDateTime":   whyDate,
	"matchesCustom":     "there are no extensions; write the stub in Go with Where",
}

// refusedOptions are fields that go with refused operators. One of them alone is as any unknown field.
var refusedOptions = []string{
	"enablePlaceholders", "placeholderOpeningDelimiterRegex", "placeholderClosingDelimiterRegex", "exemptedComparisons", "ignoreOrderOfSameNode",
	"namespaceAwareness", "xPathNamespaces", "schemaVersion", "actualFormat", "truncateExpected", "truncateActual", "applyTruncationLast",
	"expectedOffset", "expectedOffsetUnit",
}

// matcherFields is what a matcher of a value may have. init adds the operators, of which there must be one.
var matcherFields = schema{
	name:    "a matcher",
	read:    []string{"caseInsensitive", "ignoreArrayOrder", "ignoreExtraElements"},
	refused: refusedOperators,
}

// pathFields is what matchesJsonPath may have where it is an object.
var pathFields = schema{name: "matchesJsonPath", refused: refusedOperators}

// options are the fields that go with an operator.
var options = map[string][]string{
	"equalTo":     {"caseInsensitive"},
	"equalToJson": {"ignoreArrayOrder", "ignoreExtraElements"},
}

// operator reads {"equalTo": "x"}. It returns nil when something is wrong, which it has noted then.
func (m *mappingReader) operator(v *jsontree.Value, at string) *operator {
	if v.Kind == jsontree.String {
		m.bad(at, `is a text, and not a matcher; write {"equalTo": %s}`, quote(v.Text))
		return nil
	}
	return m.oneOperator(v, at, &matcherFields)
}

func (m *mappingReader) oneOperator(v *jsontree.Value, at string, s *schema) *operator {
	before := len(m.problems)
	for _, f := range v.Fields {
		if refusedOperators[f.Name] != "" {
			with := *s
			with.ignored = refusedOptions // it is enough to say it once
			s = &with
			break
		}
	}
	fields := m.object(v, at, s)
	if v.Kind == jsontree.Object {
		// null is a value for these two.
		for _, name := range []string{"absent", "equalToJson"} {
			if f := v.Get(name); f != nil {
				fields[name] = f
			}
		}
	}
	var names []string
	for name := range fields {
		if operators[name] != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	switch {
	case len(m.problems) > before:
		return nil
	case len(names) == 0:
		m.bad(at, `has no operator; write {"equalTo": "..."}, for example`)
		return nil
	case len(names) > 1:
		m.bad(at, `has several operators, %s, of which WireMock uses the first one alone; write {"and": [{...}, {...}]}`, strings.Join(names, " and "))
		return nil
	}
	for name := range fields {
		if name != names[0] && name != "expression" && !slices.Contains(options[names[0]], name) {
			m.bad(under(at, name), "is no option of %s", names[0])
		}
	}
	op := operators[names[0]](m, fields[names[0]], fields, under(at, names[0]))
	if len(m.problems) > before {
		return nil
	}
	return op
}

// lastName gives the name of the operator at the end of a way.
func lastName(at string) string { return at[strings.LastIndexByte(at, '.')+1:] }

func (m *mappingReader) equalTo(v *jsontree.Value, fields map[string]*jsontree.Value, at string) *operator {
	want, _ := m.str(v, at)
	if f := fields["caseInsensitive"]; f != nil && m.boolean(f, under(strings.TrimSuffix(at, ".equalTo"), "caseInsensitive")) {
		return &operator{
			text: "equalTo " + quote(want) + " in any case",
			ok:   func(got *string) bool { return got != nil && strings.EqualFold(*got, want) },
		}
	}
	return &operator{
		text: "equalTo " + quote(want),
		ok:   func(got *string) bool { return got != nil && *got == want },
		why:  func(got string) string { return unlike(got, want) },
	}
}

func (m *mappingReader) contains(v *jsontree.Value, _ map[string]*jsontree.Value, at string) *operator {
	want, _ := m.str(v, at)
	if lastName(at) == "doesNotContain" {
		return &operator{
			text: "doesNotContain " + quote(want),
			ok:   func(got *string) bool { return got == nil || !strings.Contains(*got, want) },
			why:  func(string) string { return "has it" },
		}
	}
	return &operator{
		text: "contains " + quote(want),
		ok:   func(got *string) bool { return got != nil && strings.Contains(*got, want) },
		why:  containing(want).why,
	}
}

// javaRegexp compiles an expression as WireMock does: it takes the whole text, and a dot takes line breaks too.
func (m *mappingReader) javaRegexp(v *jsontree.Value, at string) (*regexp.Regexp, string) {
	expr, ok := m.str(v, at)
	if !ok {
		return nil, ""
	}
	re, err := javaregexp.Compile(expr, javaregexp.Flags{DotAll: true})
	if err != nil {
		m.bad(at, "%s: %v", quote(expr), err)
	}
	return re, expr
}

func (m *mappingReader) matches(v *jsontree.Value, _ map[string]*jsontree.Value, at string) *operator {
	re, expr := m.javaRegexp(v, at)
	if re == nil {
		return nil
	}
	if lastName(at) == "doesNotMatch" {
		return &operator{
			text: "doesNotMatch " + quote(expr),
			ok:   func(got *string) bool { return got == nil || !re.MatchString(*got) },
			why:  func(string) string { return "matches" },
		}
	}
	return &operator{
		text: "matches " + quote(expr),
		ok:   func(got *string) bool { return got != nil && re.MatchString(*got) },
		why:  func(got string) string { return partly(expr, got) },
	}
}

// partly says of a text that an expression does not take whether it would take a part of it: that the whole text must
// match is often not known.
func partly(expr, got string) string {
	if re, err := javaregexp.Compile("(?:"+expr+")(?s:.*)", javaregexp.Flags{DotAll: true}); err == nil && re.MatchString(got) {
		return "matches the beginning and not the whole"
	}
	if re, err := javaregexp.Compile("(?s:.*)(?:"+expr+")(?s:.*)", javaregexp.Flags{DotAll: true}); err == nil && re.MatchString(got) {
		return "matches a part and not the whole"
	}
	return "does not match"
}

func (m *mappingReader) absent(v *jsontree.Value, _ map[string]*jsontree.Value, at string) *operator {
	if v.Kind == jsontree.Bool && !v.Bool {
		m.bad(at, `false means the same as true to WireMock; write {"matches": ".*"} for a value that must be there`)
	}
	return &operator{
		text:   "absent",
		absent: true,
		ok:     func(got *string) bool { return got == nil },
		why:    func(string) string { return "is there" },
	}
}

func (m *mappingReader) anything(*jsontree.Value, map[string]*jsontree.Value, string) *operator {
	return &operator{text: "anything", ok: func(*string) bool { return true }}
}

func (m *mappingReader) matchesPathTemplate(v *jsontree.Value, _ map[string]*jsontree.Value, at string) *operator {
	text, ok := m.str(v, at)
	if !ok {
		return nil
	}
	re, _, err := pathTemplate(text)
	if err != nil {
		m.bad(at, "%v", err)
		return nil
	}
	return &operator{
		text: "matchesPathTemplate " + quote(text),
		ok:   func(got *string) bool { return got != nil && re.MatchString(*got) },
	}
}

func (m *mappingReader) compareNumber(v *jsontree.Value, _ map[string]*jsontree.Value, at string) *operator {
	want, ok := jsontree.ParseDecimal(v.Text)
	if v.Kind != jsontree.Number && v.Kind != jsontree.String || !ok {
		m.bad(at, "is %s, and not a number", shown(v))
		return nil
	}
	name := lastName(at)
	return &operator{
		text: name + " " + v.Text,
		ok: func(got *string) bool {
			if got == nil {
				return false
			}
			d, ok := jsontree.ParseDecimal(strings.TrimSpace(*got))
			if !ok {
				return false
			}
			n := d.Compare(want)
			switch name {
			case "equalToNumber":
				return n == 0
			case "greaterThanNumber":
				return n > 0
			case "greaterThanEqualNumber":
				return n >= 0
			case "lessThanNumber":
				return n < 0
			}
			return n <= 0
		},
	}
}

func (m *mappingReader) binaryEqualTo(v *jsontree.Value, _ map[string]*jsontree.Value, at string) *operator {
	text, ok := m.str(v, at)
	if !ok {
		return nil
	}
	want, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		m.bad(at, "is not base64: %v", err)
		return nil
	}
	return &operator{
		text: "binaryEqualTo " + count(len(want), "byte"),
		ok: func(got *string) bool {
			if got == nil {
				return len(want) == 0 // an empty body is one of no bytes here
			}
			return *got == string(want)
		},
		why: func(got string) string {
			if bytes.HasPrefix(want, []byte(got)) || strings.HasPrefix(got, string(want)) {
				return fmt.Sprintf("has %s, not %d", count(len(got), "byte"), len(want))
			}
			return "differs"
		},
	}
}

func (m *mappingReader) logical(v *jsontree.Value, _ map[string]*jsontree.Value, at string) *operator {
	name := lastName(at)
	var all []*operator
	for i, one := range m.list(v, at) {
		op := m.operator(one, item(at, i))
		if op == nil {
			continue
		}
		all = append(all, op)
	}
	if len(all) == 0 {
		if hasNothing(v) {
			m.bad(at, "has no matcher in its list")
		}
		return nil
	}
	texts := make([]string, len(all))
	for i, op := range all {
		texts[i] = op.text
	}
	return &operator{
		text: "(" + strings.Join(texts, " "+name+" ") + ")",
		ok: func(got *string) bool {
			for _, op := range all {
				if op.ok(got) == (name == "or") {
					return name == "or"
				}
			}
			return name == "and"
		},
		why: func(got string) string {
			for _, op := range all {
				if name == "and" && !op.ok(&got) && op.why != nil {
					return op.why(got) + ": " + op.text
				}
			}
			return "does not match"
		},
	}
}

func (m *mappingReader) not(v *jsontree.Value, _ map[string]*jsontree.Value, at string) *operator {
	op := m.operator(v, at)
	if op == nil {
		return nil
	}
	return &operator{
		text: "not " + op.text,
		ok:   func(got *string) bool { return !op.ok(got) },
		why:  func(string) string { return "matches" },
	}
}

// matchesJSONPath reads a path alone, which is to lead to a value, or {"expression": path, "equalTo": ...}.
func (m *mappingReader) matchesJSONPath(v *jsontree.Value, _ map[string]*jsontree.Value, at string) *operator {
	text := v
	if v.Kind == jsontree.Object {
		if text = v.Get("expression"); text == nil || text.Kind == jsontree.Null {
			m.bad(at, `has no expression; write {"expression": "$.name", "equalTo": "x"}`)
			return nil
		}
	}
	expr, ok := m.str(text, at)
	if !ok {
		return nil
	}
	path, err := jsonpath.Compile(expr)
	if err != nil {
		m.bad(at, "%s: %v", quote(expr), err)
		return nil
	}
	if v.Kind != jsontree.Object {
		return &operator{
			text: "matchesJsonPath " + quote(expr),
			ok: func(got *string) bool {
				found, err := findPath(path, got)
				return err == nil && len(found) > 0 && (!path.Definite() || found[0].Kind != jsontree.Null)
			},
			why: func(got string) string {
				switch found, err := findPath(path, &got); {
				case err != nil:
					return err.Error()
				case len(found) > 0:
					return "is null"
				}
				return "nothing is found"
			},
		}
	}
	op := m.oneOperator(v, at, &pathFields)
	if op == nil {
		return nil
	}
	return &operator{
		text: fmt.Sprintf("matchesJsonPath %s %s", quote(expr), op.text),
		ok: func(got *string) bool {
			values, err := pathTexts(path, got, op.json)
			if err != nil {
				return false
			}
			if len(values) == 0 {
				return op.absent
			}
			return slices.ContainsFunc(values, func(s string) bool { return op.ok(&s) })
		},
		why: func(got string) string {
			values, err := pathTexts(path, &got, op.json)
			switch {
			case err != nil:
				return err.Error()
			case len(values) == 0:
				return "nothing is found"
			case len(values) == 1 && op.why != nil:
				return op.why(values[0]) + ": " + quote(values[0])
			}
			return "found " + quoteAll(values)
		},
	}
}

func findPath(path *jsonpath.Path, text *string) ([]*jsontree.Value, error) {
	if text == nil {
		return nil, jsonpath.ErrNotFound
	}
	doc, err := jsontree.Parse([]byte(*text))
	if err != nil {
		return nil, fmt.Errorf("is not JSON: %w", err)
	}
	return path.Find(doc)
}

// pathTexts gives what a path leads to as texts, each item of a list by itself. whole keeps a list as one.
func pathTexts(path *jsonpath.Path, text *string, whole bool) ([]string, error) {
	found, err := findPath(path, text)
	switch {
	case err == jsonpath.ErrNotFound:
		return nil, nil
	case err != nil:
		return nil, err
	}
	if path.Definite() {
		switch v := found[0]; {
		case v.Kind == jsontree.Null:
			return nil, nil
		case v.Kind == jsontree.Array && !whole:
			found = v.Items
		}
	} else if whole {
		found = []*jsontree.Value{{Kind: jsontree.Array, Items: found}}
	}
	all := make([]string, len(found))
	for i, v := range found {
		all[i] = javaText(v)
	}
	return all, nil
}

// javaText writes a value as Java prints it. Lists and objects are JSON.
func javaText(v *jsontree.Value) string {
	switch v.Kind {
	case jsontree.String:
		return v.Text
	case jsontree.Number:
		if strings.ContainsAny(v.Text, ".eE") {
			if f, err := strconv.ParseFloat(v.Text, 64); err == nil {
				return javaDouble(f)
			}
		}
		return v.Text
	}
	return string(v.Append(nil))
}

// javaDouble is Java's Double.toString: 10.0 and 1.0E10.
func javaDouble(f float64) string {
	if abs := math.Abs(f); abs != 0 && (abs < 1e-3 || abs >= 1e7) {
		digits, exp, _ := strings.Cut(strconv.FormatFloat(f, 'E', -1, 64), "E")
		if !strings.Contains(digits, ".") {
			digits += ".0"
		}
		n, _ := strconv.Atoi(exp)
		return digits + "E" + strconv.Itoa(n)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// pathTemplate compiles /users/{id} and /files/**. names are those of its variables, in the order of the groups.
func pathTemplate(text string) (re *regexp.Regexp, names []string, err error) {
	var b strings.Builder
	b.WriteString(`\A`)
	rest := text
	for rest != "" {
		if end := strings.IndexByte(rest, '}'); rest[0] == '{' && end > 1 {
			name := strings.Map(func(r rune) rune {
				if strings.ContainsRune(".;*", r) {
					return -1
				}
				return r
			}, rest[1:end])
			names = append(names, name)
			b.WriteString(`([^/]+)`)
			rest = rest[end+1:]
			continue
		}
		if strings.HasPrefix(rest, "**") {
			b.WriteString(`(?:.*?)`)
			rest = rest[2:]
			continue
		}
		n := strings.IndexFunc(rest[1:], func(r rune) bool { return r == '{' || r == '*' }) + 1
		if n == 0 {
			n = len(rest)
		}
		b.WriteString(regexp.QuoteMeta(rest[:n]))
		rest = rest[n:]
	}
	re, err = regexp.Compile(b.String() + `\z`)
	return re, names, err
}
