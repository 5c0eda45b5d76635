package main

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDatabaseSQL: the tests that database/sql has of itself come to the same through the wrapper.
func TestDatabaseSQL(t *testing.T) { check(t, "database/sql") }

// TestPQ: lib/pq's do, on a real server.
func TestPQ(t *testing.T) { check(t, "pq") }

func suiteOf(t *testing.T, name string) suite {
	for _, s := range suites {
		if s.name == name {
			return s
		}
	}
	require.FailNow(t, "no suite "+name)
	return suite{}
}

func check(t *testing.T, name string) {
	if testing.Short() {
		t.Skip("it builds and runs a driver's tests twice")
	}
	var out strings.Builder
	o, err := runSuite(suiteOf(t, name), options{log: io.Discard})
	if errors.Is(err, errNoServer) && os.Getenv("LEAKGATE_REQUIRE_SERVICES") != "1" {
		t.Skip(err)
	}
	require.NoError(t, err)
	report(&out, []outcome{o}, false)
	t.Log(out.String())
	assert.Zero(t, o.unexplained(), "tests come to something else with the wrapper")
	assert.Greater(t, o.n.open, 10, "places where the tests open a database")
	assert.Zero(t, o.plain.tally().failed, "tests that fail without the wrapper too show nothing")
}

// TestRewrite: what is rewritten, and what stays.
func TestRewrite(t *testing.T) {
	for _, c := range []struct {
		name, file, in, want string
		n                    edits
	}{
		{
			"open", "x_test.go", `package x

import "database/sql"

var db, err = sql.Open("d", "sql.Open") // sql.Open
var f = sql.OpenDB
`, `package x; import leakgate_dbcheck "github.com/leakgate/leakgate/dbcheck"

import "database/sql"

var db, err = leakgate_dbcheck.Open("d", "sql.Open") // sql.Open
var f = leakgate_dbcheck.OpenDB

var _ sql.DB
`, edits{open: 2},
		},
		{
			"another name, and a variable of that name", "x_test.go", `package x

import std "database/sql"

func f(sql conn) {
	sql.Open()
	std.Open("d", "")
	func(std conn) { std.Open() }(sql)
}
`, `package x; import leakgate_dbcheck "github.com/leakgate/leakgate/dbcheck"

import std "database/sql"

func f(sql conn) {
	sql.Open()
	leakgate_dbcheck.Open("d", "")
	func(std conn) { std.Open() }(sql)
}

var _ std.DB
`, edits{open: 1},
		},
		{
			"Raw", "x_test.go", `package x

func f() {
	c.Raw(func(dc any) error { return dc.(*conn).do() })
	c.Raw(func(dc interface{}) error {
		return nil
	})
	c.Raw(func(any) error { return nil })
	c.Raw(func(_ any) error { return nil })
	c.Raw(g)
}
`, `package x; import leakgate_driver "database/sql/driver"

func f() {
	c.Raw(func(dc any) error { if own, ok := dc.(interface{ Raw() leakgate_driver.Conn }); ok { dc = own.Raw() }; return dc.(*conn).do() })
	c.Raw(func(dc interface{}) error { if own, ok := dc.(interface{ Raw() leakgate_driver.Conn }); ok { dc = own.Raw() };
		return nil
	})
	c.Raw(func(any) error { return nil })
	c.Raw(func(_ any) error { return nil })
	c.Raw(g)
}
`, edits{raw: 2},
		},
		{"the driver's own Raw", "x.go", "package x\n\nvar e = c.Raw(func(dc any) error { return nil })\n",
			"package x\n\nvar e = c.Raw(func(dc any) error { return nil })\n", edits{}},
		{
			"package sql", "sql_test.go", `package sql

func f() {
	db, err := Open("test", "")
	c := db.freeConn[0].ci.(*fakeConn)
	getFakeConn(c.dc.ci)
	d.Open("")
}
`, `package sql

func f() {
	db, err := LeakgateOpen("test", "")
	c := leakgateBelow(db.freeConn[0].ci).(*fakeConn)
	getFakeConn(leakgateBelow(c.dc.ci))
	d.Open("")
}
`, edits{open: 1, peeks: 2},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, n, err := rewrite(c.file, []byte(c.in))
			require.NoError(t, err)
			assert.Equal(t, c.want, string(out))
			assert.Equal(t, c.n, n)
		})
	}
	_, _, err := rewrite("x.go", []byte("package"))
	assert.Error(t, err)
}

const output = `{"Action":"start"}
{"Action":"run","Test":"TestA"}
{"Action":"output","Test":"TestA","Output":"a.go:1: hello\n"}
{"Action":"run","Test":"TestA/in"}
{"Action":"%A/in","Test":"TestA/in"}
{"Action":"%A","Test":"TestA"}
{"Action":"run","Test":"TestB"}
{"Action":"%B","Test":"TestB"}
{"Action":"output","Output":"done\n"}
{"Action":"%"}
`

func resultsOf(t *testing.T, a, b, all string) results {
	r, err := readResults(strings.NewReader(strings.NewReplacer("%A/in", a, "%A", a, "%B", b, `"%"`, `"`+all+`"`).Replace(output)))
	require.NoError(t, err)
	return r
}

// TestCompare: which tests are said to differ.
func TestCompare(t *testing.T) {
	good := resultsOf(t, "pass", "skip", "pass")
	assert.Equal(t, tally{passed: 2, skipped: 1}, good.tally())
	assert.Empty(t, good.cut())
	assert.Empty(t, compare(good, good))

	bad := resultsOf(t, "fail", "skip", "fail")
	assert.Equal(t, []difference{{test: "TestA/in", plain: "pass", wrapped: "fail"}}, compare(good, bad), "the innermost alone")

	ran := resultsOf(t, "pass", "pass", "pass")
	assert.Equal(t, []difference{{test: "TestB", plain: "skip", wrapped: "pass"}}, compare(good, ran))

	lost := resultsOf(t, "pass", "skip", "pass")
	delete(lost, "TestB")
	assert.Equal(t, []difference{{test: "TestB", plain: "skip", wrapped: "absent"}}, compare(good, lost))

	// TestB never ended, and neither did the run.
	ended := resultsOf(t, "pass", "output", "output")
	assert.Equal(t, "(the whole run), TestB", ended.cut())
	assert.Equal(t, []difference{{test: "TestB", plain: "skip", wrapped: "unfinished"}}, compare(good, ended))

	whole1 := resultsOf(t, "pass", "skip", "fail") // a failure that belongs to no test
	assert.Equal(t, []difference{{test: whole, plain: "pass", wrapped: "fail", output: "done\n"}}, compare(good, whole1))

	_, err := readResults(strings.NewReader("no JSON\n"))
	assert.ErrorContains(t, err, "test2json wrote")
}

// TestReport: the table, and what stands below it.
func TestReport(t *testing.T) {
	var out strings.Builder
	o := outcome{
		suite:   suite{name: "x", module: "example.org/x", pkg: "example.org/x/sql", skip: []skip{{"^TestTLS$", "no TLS"}}},
		version: "v1.2.3", goVersion: "go1.26.8", server: "Server 1", hide: "secret", n: edits{open: 3, raw: 1},
		plain: resultsOf(t, "pass", "skip", "pass"), wrapped: resultsOf(t, "fail", "skip", "fail"),
		diffs: []difference{
			{test: "TestA", plain: "pass", wrapped: "fail", output: "a_test.go:3: user:secret@host"},
			{test: "TestB", plain: "pass", wrapped: "skip", why: "it looks inside"},
			{test: "TestC", plain: "pass", wrapped: "fail", unsteady: true},
			{test: "TestE1", plain: "pass", wrapped: "absent"}, {test: "TestE2", plain: "pass", wrapped: "absent"},
			{test: "TestE3", plain: "pass", wrapped: "absent"}, {test: "TestE4", plain: "pass", wrapped: "absent"},
			{test: "TestE5", plain: "pass", wrapped: "absent"},
		},
		stale: []known{{"TestD", "it was so"}},
	}
	report(&out, []outcome{o}, false)
	assert.Equal(t, 7, o.unexplained())
	assert.Equal(t, `| suite | Go | server | rewritten | passed / failed / skipped | wrapped | known | unexplained |
|---|---|---|---|---|---|---|---|
| example.org/x/sql v1.2.3 | go1.26.8 | Server 1 | 3 sql.Open/OpenDB, 1 Raw | 2 / 0 / 1 | 0 / 2 / 1 | 2 | 7 |

x: left out in both runs: ^TestTLS$: no TLS

x: DIFFERS: TestA: pass without the wrapper, fail with it
    a_test.go:3: user:…@host

x: known: TestB: pass without the wrapper, skip with it: it looks inside

x: unsteady: TestC: pass without the wrapper, fail with it, and not again in 3 more runs of both

x: DIFFERS: TestE1: pass without the wrapper, absent with it

x: DIFFERS: TestE2: pass without the wrapper, absent with it

x: DIFFERS: TestE3: pass without the wrapper, absent with it

x: and 2 more that did not run

x: TestD is said to differ and does not: take it out of the list of known differences
`, out.String())
}

// TestCommand: what it refuses.
func TestCommand(t *testing.T) {
	var out, errs strings.Builder
	assert.Equal(t, 2, command([]string{"-driver", "oracle"}, &out, &errs))
	assert.Equal(t, "upstream: no suite \"oracle\": there are database/sql, mattn, modernc, pq, pgx, mysql\n", errs.String())
	assert.Empty(t, out.String())
}
