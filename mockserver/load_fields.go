package mockserver

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/leakgate/leakgate/internal/jsontree"
)

// mappingReader reads one file of stub mappings and collects what is wrong with it.
type mappingReader struct {
	file     string // as messages name it: "mappings/login.json"
	bodies   *bodyFiles
	problems []string
}

// bad notes a problem. at is the way to the field: "response.proxyBaseUrl".
func (m *mappingReader) bad(at, format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	if at != "" {
		what = at + ": " + what
	}
	m.problems = append(m.problems, m.file+": "+what)
}

// under gives the way to a field of an object.
func under(at, name string) string {
	if !isFieldName(name) {
		name = "[" + strconv.Quote(clip(name, cell)) + "]"
		return at + name
	}
	if at == "" {
		return name
	}
	return at + "." + name
}

func isFieldName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '$') {
			return false
		}
	}
	return s != "" && len(s) <= cell
}

func item(at string, i int) string { return fmt.Sprintf("%s[%d]", at, i) }

// schema is what an object may have.
type schema struct {
	name    string            // of the object, in messages: "a response"
	read    []string          // fields that are read
	ignored []string          // fields that change no reply
	refused map[string]string // fields that are not supported, and why or what to do
}

// object gives the fields of an object by name, without those that are null, which is as if they were not there. It
// notes those that are unknown, not supported or given twice.
func (m *mappingReader) object(v *jsontree.Value, at string, s *schema) map[string]*jsontree.Value {
	if v.Kind != jsontree.Object {
		m.bad(at, "is %s; %s is an object: {...}", v.Kind, s.name)
		return nil
	}
	fields := map[string]*jsontree.Value{}
	seen := map[string]bool{}
	for _, f := range v.Fields {
		where := under(at, f.Name)
		if seen[f.Name] {
			m.bad(where, "given twice")
			continue
		}
		seen[f.Name] = true
		why, refused := s.refused[f.Name]
		switch {
		case f.Value.Kind == jsontree.Null, slices.Contains(s.ignored, f.Name):
			if !refused && !slices.Contains(s.ignored, f.Name) && !slices.Contains(s.read, f.Name) {
				m.unknown(where, f.Name, s)
			}
		case refused:
			if !hasNothing(f.Value) {
				m.bad(where, "not supported: %s", why)
			}
		case slices.Contains(s.read, f.Name):
			fields[f.Name] = f.Value
		default:
			m.unknown(where, f.Name, s)
		}
	}
	return fields
}

// hasNothing says of a list or an object that it is empty, so that a field which is not supported asks for nothing.
func hasNothing(v *jsontree.Value) bool {
	return (v.Kind == jsontree.Array || v.Kind == jsontree.Object) && len(v.Items)+len(v.Fields) == 0
}

func (m *mappingReader) unknown(at, name string, s *schema) {
	all := slices.Concat(s.read, s.ignored)
	for refused := range s.refused {
		all = append(all, refused)
	}
	slices.Sort(all)
	best, cost := "", 0
	for _, other := range all {
		n := distance(strings.ToLower(name), strings.ToLower(other))
		if best == "" || n < cost {
			best, cost = other, n
		}
	}
	if best != "" && cost <= 1+len(name)/4 {
		m.bad(at, "%s has no such field; did you mean %s?", s.name, best)
		return
	}
	m.bad(at, "%s has no such field", s.name)
}

// str reads a text.
func (m *mappingReader) str(v *jsontree.Value, at string) (string, bool) {
	if v.Kind != jsontree.String {
		hint := ""
		if v.Kind == jsontree.Number || v.Kind == jsontree.Bool {
			hint = "; write it in quotes"
		}
		m.bad(at, "is %s, and not a text%s", v.Kind, hint)
		return "", false
	}
	return v.Text, true
}

// integer reads a whole number from low to high. WireMock takes one in quotes too.
func (m *mappingReader) integer(v *jsontree.Value, at string, low, high int64) (int64, bool) {
	if v.Kind == jsontree.Number || v.Kind == jsontree.String {
		text := strings.TrimSpace(v.Text)
		n, err := strconv.ParseInt(text, 10, 64)
		if whole, ok := strings.CutSuffix(text, ".0"); err != nil && ok {
			n, err = strconv.ParseInt(whole, 10, 64)
		}
		if err == nil && low <= n && n <= high {
			return n, true
		}
	}
	m.bad(at, "is %s, and not a whole number from %d to %d", shown(v), low, high)
	return 0, false
}

// shown gives a number or a text, and of anything else the kind.
func shown(v *jsontree.Value) string {
	switch v.Kind {
	case jsontree.Number, jsontree.String:
		return jsonCell(v)
	}
	return v.Kind.String()
}

// boolean reads true or false. WireMock takes them in quotes too.
func (m *mappingReader) boolean(v *jsontree.Value, at string) bool {
	switch {
	case v.Kind == jsontree.Bool:
		return v.Bool
	case v.Kind == jsontree.String && (v.Text == "true" || v.Text == "false"):
		return v.Text == "true"
	}
	m.bad(at, "is %s, and not true or false", v.Kind)
	return false
}

// list reads a list.
func (m *mappingReader) list(v *jsontree.Value, at string) []*jsontree.Value {
	if v.Kind != jsontree.Array {
		m.bad(at, "is %s, and not a list", v.Kind)
		return nil
	}
	return v.Items
}

// entries reads an object whose field names are free: names of headers, for example.
func (m *mappingReader) entries(v *jsontree.Value, at string) []jsontree.Field {
	if v.Kind != jsontree.Object {
		m.bad(at, "is %s, and not an object: {...}", v.Kind)
		return nil
	}
	seen := map[string]bool{}
	for _, f := range v.Fields {
		if seen[f.Name] {
			m.bad(under(at, f.Name), "given twice")
		}
		seen[f.Name] = true
	}
	return v.Fields
}
