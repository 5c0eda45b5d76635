package patterns_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/deep/mode"
)

// notInDeep are the patterns that are no leak at the end of a test: they are held to a limit that deep mode, which is asked
// for nothing, does not have.
var notInDeep = map[string]string{
	"defer in a loop": "LK212 is a budget of connections at once: all of them are given back",
	"hold and wait":   "LK216 is a rule about asking for a second connection: both are given back",
}

// helpers are the functions of the code that take for a pattern what it forgets.
var helpers = map[string]string{"pool layer": "session", "rows, cancellable": "query"}

// besides are the entries that a pattern has besides its own with a real driver. The goroutine is there because of the leak, and
// ends with it: the harness, which knows the types of a driver's connection, makes it a part of the same entry. Deep mode
// does not know them.
var besides = map[string]map[string]string{
	"postgres": {"rows, cancellable": "LK102 goroutine conn_go18.go"}, // waits for the context
	"mysql":    {"pool per call": "LK102 goroutine connection.go"},    // one for each connection
}

// TestPatternsDeep runs the planted code under leakgate test, in a module of which no line is the harness's: with a driver in
// the process, which needs nothing, and with drivers whose connections are sockets. Each mistake is held to its code and its
// line, or to why it is none of deep mode's, and the same code without the mistake to silence.
func TestPatternsDeep(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the standard library with the hooks in it: left out with -short")
	}
	binary, source := deepPatterns(t)
	t.Run("plain", func(t *testing.T) { testPatternsDeep(t, deepRun{binary, "plain", ""}, source) })
	for _, name := range []string{"pq", "mysql interpolating"} {
		t.Run(name, func(t *testing.T) {
			b := bases[slices.IndexFunc(bases, func(b *base) bool { return b.name == name })]
			d := b.database(t)
			testPatternsDeep(t, deepRun{binary, d.driver, d.source}, source)
		})
	}
}

func testPatternsDeep(t *testing.T, run deepRun, source []string) {
	found := 0
	for _, p := range patterns {
		t.Run(p.name, func(t *testing.T) {
			buggy := method(p.buggy)
			out, passed := run.of(t, buggy)
			if why := notInDeep[p.name]; why != "" {
				t.Log(why)
				assert.True(t, passed, out)
				assert.Equal(t, "PASS\n", out)
			} else {
				from := helpers[p.name]
				if from == "" {
					from = buggy
				}
				want := p.code + " " + string(p.kind)
				if p.count != "" {
					want += " ×" + p.count
				}
				all := []string{fmt.Sprintf("%s code_test.go:%d", want, lineIn(t, source, from, plainly(p.line)))}
				if more := besides[run.driver][p.name]; more != "" {
					all = append(all, more)
				}
				assert.False(t, passed, out)
				if assert.Equal(t, all, findings(out), out) {
					found++
				}
			}
			out, passed = run.of(t, method(p.fixed))
			assert.True(t, passed, out)
			assert.Equal(t, "PASS\n", out)
		})
	}
	t.Logf("%d of %d planted bugs are found by deep mode alone, with the driver %s", found, len(patterns), run.driver)
}

// plainly writes code without the harness, on the same lines.
func plainly(code string) string {
	code = strings.Replace(code, `	"github.com/leakgate/leakgate/dbcheck"`, "", 1)
	return strings.ReplaceAll(code, "dbcheck.Open(", "sql.Open(")
}

// deepPatterns compiles the planted code, and gives its lines.
func deepPatterns(t *testing.T) (binary string, source []string) {
	dir := t.TempDir()
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	require.NoError(t, err)
	text, err := os.ReadFile("code_test.go")
	require.NoError(t, err)
	code := plainly(string(text))
	require.NotContains(t, code, "leakgate")
	require.NotContains(t, code, "dbcheck")
	plain, err := os.ReadFile(filepath.Join("testdata", "deep", "plain_test.go"))
	require.NoError(t, err)
	// Of this module's own version, so that nothing is downloaded.
	mod, err := os.ReadFile(filepath.Join("..", "go.mod"))
	require.NoError(t, err)
	drivers := ""
	for _, name := range []string{"github.com/lib/pq", "github.com/go-sql-driver/mysql", "filippo.io/edwards25519"} {
		line := regexp.MustCompile(`(?m)^\t` + regexp.QuoteMeta(name) + ` v\S+`).FindString(string(mod))
		require.NotEmpty(t, line, name)
		drivers += line + "\n"
	}
	sums, err := os.ReadFile(filepath.Join("..", "go.sum"))
	require.NoError(t, err)
	table := "package patterns_test\n\nimport (\n\t\"context\"\n\n\t_ \"github.com/go-sql-driver/mysql\"\n\t_ \"github.com/lib/pq\"\n)\n\nvar planted = map[string]func(store, context.Context) error{\n"
	for _, p := range patterns {
		for _, m := range []string{method(p.buggy), method(p.fixed)} {
			table += fmt.Sprintf("\t%q: store.%s,\n", m, m)
		}
	}
	for name, text := range map[string]string{
		"go.mod": "module example.com/planted\n\ngo 1.25.0\n\nrequire (\n" + drivers + ")\n", "go.sum": string(sums),
		"code_test.go": code, "plain_test.go": string(plain), "table_test.go": table + "}\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	tool, binary := filepath.Join(dir, "leakgate.exe"), filepath.Join(dir, "planted.test.exe")
	build := exec.Command("go", "build", "-o", tool, "./cmd/leakgate")
	build.Dir = root
	build.Env = append(os.Environ(), "GOWORK=off")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	compile := exec.Command(tool, "test", "-c", "-o", binary)
	compile.Dir = dir
	compile.Env = append(os.Environ(), "GOWORK=off", "LEAKGATE_CACHE="+filepath.Join(dir, "cache"))
	out, err = compile.CombinedOutput()
	require.NoError(t, err, "%s", out)
	if len(out) > 0 {
		t.Logf("leakgate test -c: %s", out) // what it cannot see
	}
	return binary, strings.Split(code, "\n")
}

// deepRun is the compiled code with one driver.
type deepRun struct{ binary, driver, source string }

// of runs one function of the code in a process of its own.
func (r deepRun) of(t *testing.T, function string) (out string, passed bool) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.binary, "-test.timeout=40s")
	cmd.Dir = filepath.Dir(r.binary)
	cmd.Env = append(os.Environ(), mode.Env+"="+mode.On, "PLANTED="+function, "PLANTED_DRIVER="+r.driver, "PLANTED_SOURCE="+r.source)
	text, err := cmd.CombinedOutput()
	require.NoError(t, ctx.Err(), "hung: %s", text)
	return strings.ReplaceAll(string(text), "\r\n", "\n"), err == nil
}

// method names a method of store.
func method(f func(store, context.Context) error) string {
	name := runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name()
	return name[strings.LastIndex(name, ".")+1:]
}

// lineIn gives the number of the only such line of a function of the code.
func lineIn(t *testing.T, source []string, function, line string) (number int) {
	t.Helper()
	inside := false
	for i, l := range source {
		if strings.HasPrefix(l, "func ") {
			inside = strings.HasPrefix(l, "func (s store) "+function+"(")
		}
		if inside && strings.TrimSpace(l) == line {
			require.Zero(t, number, "%s has the line twice: %s", function, line)
			number = i + 1
		}
	}
	require.NotZero(t, number, "%s has no line %s", function, line)
	return number
}

var (
	deepEntry = regexp.MustCompile(`^ +(LK\d{3} \S+(?: ×\d+)?)`)
	deepSite  = regexp.MustCompile(`^ +(?:taken|started|opened) at +(\S+?)(:\d+) `)
)

// findings are the entries of a report, each with the lines that it names; of a driver's lines the file alone.
func findings(out string) (all []string) {
	for line := range strings.Lines(out) {
		if m := deepEntry.FindStringSubmatch(line); m != nil {
			all = append(all, m[1])
		} else if m := deepSite.FindStringSubmatch(line); m != nil && len(all) > 0 {
			site := path.Base(filepath.ToSlash(m[1]))
			if site == m[1] {
				site += m[2]
			}
			all[len(all)-1] += " " + site
		}
	}
	return all
}
