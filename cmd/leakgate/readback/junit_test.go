package readback

import (
	"slices"
	"strings"
	"testing"

	"github.com/joshdk/go-junit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/format"
)

// cases reads a report with a parser that is not ours, and gives its cases by package and name.
func cases(t *testing.T, out string) (map[[2]string]junit.Test, error) {
	t.Helper()
	suites, err := junit.Ingest([]byte(out))
	if err != nil {
		return nil, err
	}
	all := map[[2]string]junit.Test{}
	for _, s := range suites {
		assert.Equal(t, s.Totals.Tests, len(s.Tests), s.Name)
		for _, c := range s.Tests {
			key := [2]string{c.Classname, c.Name}
			assert.NotContains(t, all, key, "GitLab keeps one case of a name")
			assert.Equal(t, s.Name, c.Classname)
			assert.Empty(t, c.SystemOut)
			all[key] = c
		}
	}
	return all, nil
}

// xmlName is a name as XML 1.0 can have it: U+FFFD stands for the rest.
func xmlName(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

// TestJUnit: the parser finds a failed case for each test that leaked, with the leak in it, and no other failure.
func TestJUnit(t *testing.T) {
	for name, v := range runs() {
		t.Run(name, func(t *testing.T) {
			all, err := cases(t, write(t, format.JUnit, v))
			require.NoError(t, err)
			failed := map[[2]string]bool{}
			alone := 0
			for _, f := range v.Findings {
				if !f.Fails() {
					continue
				}
				if len(f.Tests) == 0 {
					alone++
				}
				for _, test := range f.Tests {
					key := [2]string{f.Package, xmlName(test)}
					failed[key] = true
					c, ok := all[key]
					require.True(t, ok, "%q", key)
					require.Equal(t, junit.StatusFailed, c.Status, "%q", key)
					if title := f.Title(); len(title) < 500 && !strings.ContainsAny(title, "\ufeff") {
						assert.Contains(t, c.Error.Error(), f.Leak.Code+" "+f.Leak.Kind)
					}
				}
			}
			problems := 0
			for key, c := range all {
				switch c.Status {
				case junit.StatusFailed:
					if !failed[key] {
						assert.True(t, strings.HasPrefix(c.Name, "not attributed to a test: "), "%q", key)
						alone--
					}
				case junit.StatusError:
					problems++
				}
			}
			assert.Zero(t, alone)
			assert.Equal(t, len(v.Problems), problems)
			for _, run := range v.Tests {
				c, ok := all[[2]string{run.Package, xmlName(run.Name)}]
				require.True(t, ok, "%s %q", run.Package, run.Name)
				assert.GreaterOrEqual(t, c.Duration.Seconds(), 0.0)
			}
		})
	}
}

// TestJUnitFaults: what is not well formed, or says something else, is seen.
func TestJUnitFaults(t *testing.T) {
	out := write(t, format.JUnit, runs()["sample"])
	good, err := cases(t, out)
	require.NoError(t, err)
	for fault, change := range map[string][2]string{
		"markup in a name": {"TestHostile/&lt;script&gt;", "TestHostile/<script>"},
		"a quote":          {"&#34;double", `"double`},
		"an ampersand":     {"&amp;", "&"},
		"an end":           {"</testcase>", ""},
		"control":          {"control: ", "control: \x01"},
	} {
		_, err := cases(t, planted(t, out, change[0], change[1]))
		assert.Error(t, err, fault)
	}
	for fault, change := range map[string][2]string{
		"no failure":   {"<failure ", "<note "},
		"another name": {`name="TestList"`, `name="TestLists"`},
	} {
		bad := planted(t, out, change[0], change[1])
		if fault == "no failure" {
			bad = strings.Replace(bad, "</failure>", "</note>", 1)
		}
		got, err := cases(t, bad)
		require.NoError(t, err)
		assert.NotEqual(t, statuses(good), statuses(got), fault)
	}
}

func statuses(all map[[2]string]junit.Test) (out []string) {
	for k, c := range all {
		out = append(out, k[0]+" "+k[1]+" "+string(c.Status))
	}
	slices.Sort(out)
	return out
}
