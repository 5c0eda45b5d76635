package readback

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/format"
	"github.com/leakgate/leakgate/internal/verdict"
)

// command is what GitHub's runner makes of a line.
type command struct {
	name       string
	properties map[string]string
	data       string
}

// registered are commands of the runner (src/Runner.Worker/ActionCommandManager.cs in actions/runner).
var registered = []string{
	"add-mask", "add-matcher", "add-path", "debug", "echo", "endgroup", "error", "group", "notice", "remove-matcher", "save-state", "set-env",
	"set-output", "stop-commands", "warning",
}

// readLine reads a line by the rules of the runner (src/Runner.Common/ActionCommand.cs in actions/runner): "::name
// key=value,key=value::data" at the beginning but for blanks, and the older "##[name key=value;key=value]data" anywhere. A
// command ends its own escapes in the order in which the runner lists them, "%" last.
func readLine(line string) (command, bool) {
	if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, "::") {
		if info, data, ok := strings.Cut(strings.TrimLeft(line, " \t\u00a0\u0085\u2028\u2029")[2:], "::"); ok {
			name, properties, _ := strings.Cut(info, " ")
			if slices.Contains(registered, name) {
				data = undo(data, "%0D", "\r", "%0A", "\n", "%25", "%")
				return command{name, readProperties(properties, ",", "%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",", "%25", "%"), data}, true
			}
		}
	}
	if _, rest, ok := strings.Cut(line, "##["); ok {
		if info, data, ok := strings.Cut(rest, "]"); ok {
			name, properties, _ := strings.Cut(info, " ")
			if slices.Contains(registered, name) {
				return command{name, readProperties(properties, ";", "%3B", ";", "%0D", "\r", "%0A", "\n", "%5D", "]", "%25", "%"), data}, true
			}
		}
	}
	return command{}, false
}

func readProperties(text, separator string, escapes ...string) map[string]string {
	out := map[string]string{}
	for part := range strings.SplitSeq(strings.TrimSpace(text), separator) {
		if key, value, ok := strings.Cut(part, "="); ok && key != "" && value != "" {
			out[key] = undo(value, escapes...)
		}
	}
	return out
}

// undo replaces one escape after the other, and not all at once: "%250A" is "%0A" and no line end.
func undo(s string, escapes ...string) string {
	for i := 0; i < len(escapes); i += 2 {
		s = strings.ReplaceAll(s, escapes[i], escapes[i+1])
	}
	return s
}

// lineEnd is where the runner ends a line of a step's output.
var lineEnd = regexp.MustCompile("\r\n|\r|\n")

func commands(out string) (all []command) {
	for _, line := range lineEnd.Split(out, -1) {
		if c, ok := readLine(line); ok {
			all = append(all, c)
		}
	}
	return all
}

// TestRunner: the reader itself, by cases of the runner's own rules.
func TestRunner(t *testing.T) {
	for line, want := range map[string]command{
		"::error file=a.go,line=3,title=x%3Ay%2Cz::m%0An%25": {"error", map[string]string{"file": "a.go", "line": "3", "title": "x:y,z"}, "m\nn%"},
		"   ::warning::m":                     {"warning", map[string]string{}, "m"},
		"::error::%250A":                      {"error", map[string]string{}, "%0A"},
		"::error title=a=b::m":                {"error", map[string]string{"title": "a=b"}, "m"},
		"12:00 ##[add-mask]secret":            {"add-mask", map[string]string{}, "secret"},
		"x ##[error file=a.go;line=3]message": {"error", map[string]string{"file": "a.go", "line": "3"}, "message"},
	} {
		got, ok := readLine(line)
		require.True(t, ok, line)
		assert.Equal(t, want, got, line)
	}
	for _, line := range []string{"", "x ::error::m", "::error", "::unknown::m", ": :error::m", "##[section]", "# #[error]m"} {
		_, ok := readLine(line)
		assert.False(t, ok, line)
	}
}

// TestAnnotations: the runner reads the commands that we mean, with their texts, and none that the data would make.
func TestAnnotations(t *testing.T) {
	for name, v := range runs() {
		got := commands(write(t, format.GitHub, v))
		var shown []command
		for _, c := range got {
			if c.name == "error" {
				shown = append(shown, c)
				continue
			}
			assert.Equal(t, "warning", c.name, name)
			assert.True(t, strings.HasPrefix(c.properties["title"], "Leakgate"), name)
		}
		var fails []verdict.Finding
		for _, f := range v.Findings {
			if f.Fails() {
				fails = append(fails, f)
			}
		}
		require.Len(t, shown, min(10, len(fails)), name)
		for i, c := range shown {
			checkAnnotation(t, c, fails[i])
		}
	}
	// The hostile ones, which are not among the ten worst.
	v := runs()["sample"]
	hostile := slices.DeleteFunc(slices.Clone(v.Findings), func(f verdict.Finding) bool { return f.Package != "example.com/shop/cart" })
	require.Greater(t, len(hostile), 10)
	for i := range hostile {
		v.Findings = hostile[i : i+1]
		got := commands(write(t, format.GitHub, v))
		if !hostile[i].Fails() {
			continue
		}
		require.Equal(t, "error", got[0].name)
		checkAnnotation(t, got[0], hostile[i])
		for _, c := range got[1:] {
			require.Equal(t, "warning", c.name)
		}
	}
}

func checkAnnotation(t *testing.T, c command, f verdict.Finding) {
	t.Helper()
	keys := []string{"endLine", "file", "line", "title"}
	for k := range c.properties {
		assert.Contains(t, keys, k)
	}
	if f.Path != "" {
		assert.Equal(t, f.Path, c.properties["file"])
		assert.Equal(t, fmt.Sprint(f.Line), c.properties["line"])
	}
	assert.True(t, strings.HasPrefix(c.properties["title"], f.Leak.Code+" "+f.Leak.Kind), c.properties["title"])
	assert.NotContains(t, c.data, "\r")
	if len(f.Tests) > 0 {
		assert.Regexp(t, `\nTest: .+`, c.data, "its lines")
	}
	first, _, _ := strings.Cut(c.data, "\n")
	title := f.Title()
	if len(title) < 500 && !strings.ContainsAny(title, "\ufeff") {
		assert.Equal(t, title+".", first)
	}
}

// TestLogsHaveNoCommands: what is written for people goes through a runner's log too, and what is put into files may be printed.
func TestLogsHaveNoCommands(t *testing.T) {
	for name, v := range runs() {
		for _, f := range []format.Format{{Name: "text", Write: format.Text}, {Name: "summary", Write: format.Summary}, {Name: "junit", Write: format.JUnit}} {
			assert.Empty(t, commands(write(t, f.Write, v)), "%s of %s", f.Name, name)
		}
	}
}

// TestAnnotationFaults: an escape left out is seen.
func TestAnnotationFaults(t *testing.T) {
	const good = "::error file=a%3Ab.go,line=3,title=x%2Cfile=z::first%0A::add-mask::x"
	c, ok := readLine(good)
	require.True(t, ok)
	assert.Equal(t, command{"error", map[string]string{"file": "a:b.go", "line": "3", "title": "x,file=z"}, "first\n::add-mask::x"}, c)
	for fault, change := range map[string][2]string{
		"colon": {"a%3Ab", "a::b"}, "comma": {"x%2C", "x,"}, "line end": {"first%0A", "first\n"},
	} {
		all := commands(planted(t, good, change[0], change[1]))
		assert.NotEqual(t, []command{c}, all, fault)
	}
}
