package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func lines(text ...string) results { return read(strings.NewReader(strings.Join(text, "\n"))) }

// TestCompare: the ends of tests are compared one by one, also of those that only one of the runs has.
func TestCompare(t *testing.T) {
	before := lines(
		`{"Action":"start","Package":"os"}`,
		`{"Action":"pass","Package":"os","Test":"TestA"}`,
		`{"Action":"fail","Package":"os","Test":"TestB"}`,
		`{"Action":"skip","Package":"os","Test":"TestC/one"}`,
		`{"Action":"fail","Package":"os"}`,
		`not JSON`,
	)
	with := lines(
		`{"Action":"output","Package":"os","Test":"TestA","Output":"leakgate: 1 leak: "}`,
		`{"Action":"output","Package":"os","Test":"TestA","Output":"file\n"}`,
		`{"Action":"pass","Package":"os","Test":"TestA"}`,
		`{"Action":"pass","Package":"os","Test":"TestB"}`,
		`{"Action":"pass","Package":"os","Test":"TestD"}`,
		`{"Action":"output","Package":"os","Output":"leakgate: 1 leak at the end\n"}`,
		`{"Action":"fail","Package":"os"}`,
	)
	assert.Empty(t, before.differ(before))
	differ := before.differ(with)
	assert.Equal(t, []test{{"os", "TestB"}, {"os", "TestC/one"}, {"os", "TestD"}}, differ)
	assert.Equal(t, "fail", before.end(differ[0]))
	assert.Equal(t, absent, with.end(differ[1]))
	assert.Equal(t, 1, with.toldOf("os"), "the binary's own lines are no test's")
	assert.Zero(t, before.toldOf("os"))
	require.NoError(t, with.on([]string{"io", "os"}))
	require.NoError(t, before.on([]string{"io"}), "not known to leak")
	require.EqualError(t, before.on([]string{"io", "os"}), "deep mode has told of nothing in os, whose tests are known to leak: it was not on")

	var out strings.Builder
	writeTable(&out, []string{"os"}, before, with, differ[:1], differ[1:])
	assert.Equal(t, `| package | go test | leakgate test | not the same | unsteady | tests that leak |
|---|---|---|---|---|---|
| os | 1/1/1 | 3/0/0 | 2 | 1 | 1 |

`, out.String())
	out.Reset()
	writeLeaks(&out, with)
	assert.Equal(t, "\n== os\nleakgate: 1 leak at the end\n\n== os TestA\nleakgate: 1 leak: file\n", out.String())
}

// TestPattern: what is run again is the outermost test.
func TestPattern(t *testing.T) {
	assert.Empty(t, test{"os", ""}.pattern())
	assert.Equal(t, "^TestA$", test{"os", "TestA/one#01/two"}.pattern())
	assert.Equal(t, "os TestA", test{"os", "TestA"}.String())
	assert.Equal(t, "os", test{"os", ""}.String())
}

// TestSubset: an end that only one of the ways has makes a difference.
func TestSubset(t *testing.T) {
	both := map[string]bool{"pass": true, "fail": true}
	assert.True(t, subset(map[string]bool{"pass": true}, both))
	assert.False(t, subset(map[string]bool{"pass": true, absent: true}, both))
}

// TestArgs: both ways get the same flags of go test.
func TestArgs(t *testing.T) {
	r := runner{tool: "/tmp/leakgate", short: true}
	assert.Equal(t, []string{"go", "test", "-json", "-count=1", "-short", "-run=^TestA$", "os"}, r.args(plain, "^TestA$", []string{"os"}))
	assert.Equal(t, []string{"/tmp/leakgate", "test", "-report", "-json", "-short", "os", "io"}, r.args(deep, "", []string{"os", "io"}))
	r.short = false
	assert.Equal(t, []string{"go", "test", "-json", "-count=1", "os"}, r.args(plain, "", []string{"os"}))
}
