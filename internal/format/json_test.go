package format

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/fragment"
)

// TestJSONIsDocumented: docs/report-json.md has each member, in the section of its object, and no other.
func TestJSONIsDocumented(t *testing.T) {
	data, err := os.ReadFile("../../docs/report-json.md")
	require.NoError(t, err)
	sections := map[string][]string{}
	title := ""
	for line := range strings.Lines(string(data)) {
		if s, ok := strings.CutPrefix(line, "## "); ok {
			title = strings.TrimSpace(s)
		}
		cell, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " |")
		if !ok || !strings.HasPrefix(line, "| `") {
			continue
		}
		for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(cell, -1) {
			sections[title] = append(sections[title], m[1])
		}
	}
	for title, types := range map[string][]any{
		"":                           {jsonReport{}},
		"counts":                     {jsonCounts{}},
		"findings":                   {jsonFinding{}},
		"stale, unjudged":            {jsonStale{}},
		"tests, series and the rest": {jsonTest{}, fragment.Test{}, jsonSeries{}, jsonIgnored{}, jsonUnused{}, jsonProcess{}, jsonProblem{}},
	} {
		var want []string
		for _, v := range types {
			want = append(want, members(reflect.TypeOf(v))...)
		}
		assert.Equal(t, unique(want), unique(sections[title]), "## %s", title)
	}
}

func unique(all []string) []string {
	all = slices.Clone(all)
	slices.Sort(all)
	return slices.Compact(all)
}

// members gives the names that encoding/json uses.
func members(t reflect.Type) (out []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name != "":
			out = append(out, name)
		case f.Type.Kind() == reflect.Struct:
			out = append(out, members(f.Type)...)
		}
	}
	return out
}
