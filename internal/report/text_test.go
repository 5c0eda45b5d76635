package report

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/callsite"
)

var update = flag.Bool("update", false, "write the golden file anew")

func site(line int) callsite.Frame {
	return callsite.Frame{Func: "example.com/app.(*Client).Get", File: "/nowhere/app/client.go", Line: line}
}

func library(name string) callsite.Frame {
	return callsite.Frame{Func: "example.com/orm.(*DB)." + name, File: "/nowhere/pkg/mod/example.com/orm@v1.2.3/orm.go", Line: 5}
}

// TestText holds whole reports, each with the reason why it is there, in one file that can be read from top to bottom.
func TestText(t *testing.T) {
	many := make([]Leak, 0, 14)
	for i := range 14 {
		many = append(many, Leak{Kind: "goroutine", Code: "LK102", Summary: fmt.Sprintf("goroutine app.worker%02d has not ended", i), Count: 1 + i%2})
	}
	deep := make([]callsite.Frame, 0, 9)
	for i := range 9 {
		deep = append(deep, callsite.Frame{Func: fmt.Sprintf("example.com/app.f%d", i), File: "/nowhere/app/deep.go", Line: i + 1})
	}
	var b strings.Builder
	for _, c := range []struct {
		name, reason string
		text         Text
	}{
		{"clean", "nothing to say is said in one line", Text{Who: "leakcheck"}},
		{"one", "one leak: the verdict alone says what, and the entry does not repeat it", Text{Who: "leakcheck", Scope: "TestA", Waited: 104 * time.Millisecond, Looks: 8, Ages: true, Leaks: []Leak{{
			Kind: "http-response", Code: "LK001", Test: "TestA", Summary: "response body of GET /session (403) was never closed", Count: 1, Stack: []callsite.Frame{site(41), site(12)},
			State: "0 of 118 bytes read", Holds: []string{"a socket", "2 goroutines"}, Hint: "defer resp.Body.Close()",
		}}}},
		{"count", "equal leaks are one entry", Text{Leaks: []Leak{{Kind: "goroutine", Code: "LK102", Summary: "goroutine app.worker has not ended", Count: 3, Role: "started at", Stack: []callsite.Frame{site(3)}, Site: site(7), Hint: "stop it", Probably: true, Holds: []string{"a socket"}}}}},
		{"another test", "the test is named when it is not the one that reports", Text{Scope: "TestB", Leaks: []Leak{{Kind: "socket", Code: "LK302", Test: "TestA", Summary: "tcp4 listener was never closed", Count: 1, Unknown: "the kernel does not say which line opened a socket"}}}},
		{"suspects", "what cannot be attributed says who could have", Text{Preface: "not attributed to one test, reported by the last that ran: TestB", Leaks: []Leak{{Kind: "socket", Code: "LK302", Suspects: []string{"TestA", "TestB", "TestC"}, Summary: "tcp4 listener was never closed", Count: 1}}}},
		{"nobody", "or that nobody is known", Text{Nobody: "not known", Leaks: []Leak{{Kind: "socket", Code: "LK302", Summary: "tcp4 listener was never closed", Count: 1}}}},
		{"note", "nothing is held now", Text{Leaks: []Leak{{Kind: "http-response", Code: "LK002", Note: true, Summary: "response body was read to EOF but never closed", Count: 1, Why: "net/http has the connection back"}}}},
		{"frames", "a deep stack is cut, and says so", Text{Leaks: []Leak{{Kind: "http-response", Code: "LK001", Summary: "response body was never closed", Count: 1, Stack: deep}}}},
		{"library", "what a library does between the site and the resource is left out, and what it does outside of it is not", Text{Leaks: []Leak{{
			Kind: "sql-rows", Code: "LK203", Summary: "sql.Rows was never closed", Count: 1, Site: site(9),
			Stack: []callsite.Frame{library("Query"), library("Rows"), site(9), library("Middleware"), site(4)},
		}}}},
		{"library alone", "where the site is a library's it is shown", Text{Leaks: []Leak{{
			Kind: "sql-rows", Code: "LK203", Summary: "sql.Rows was never closed", Count: 1, Site: library("Query"),
			Stack: []callsite.Frame{library("Query"), library("Rows")},
		}}}},
		{"ignored", "what was set aside is counted", Text{Ignored: []Ignored{{"lives as long as the process", 2}}, Leaks: []Leak{{Kind: "goroutine", Code: "LK102", Summary: "goroutine has not ended", Count: 1}}}},
		{"many", "ten are shown, the rest counted; worst first", Text{Leaks: many}},
	} {
		c.text.Leaks = Finish(c.text.Leaks)
		fmt.Fprintf(&b, "=== %s: %s\n%s\n\n", c.name, c.reason, c.text)
	}
	path := filepath.Join("testdata", "text.txt")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), b.String())
}

// TestFinish groups what is equal and puts the worst first.
func TestFinish(t *testing.T) {
	leak := func(summary string, rank int) Leak {
		return Leak{Kind: "k", Code: "LK102", Summary: summary, Rank: rank, Stack: []callsite.Frame{site(1)}, Keys: []Key{{"goroutine", 1}}}
	}
	note := leak("a note", 0)
	note.Note = true
	other := leak("b", 5)
	other.Test = "TestOther"
	got := Finish([]Leak{note, leak("b", 5), leak("a", 9), leak("b", 5), other})
	var order []string
	for _, l := range got {
		order = append(order, fmt.Sprintf("%s ×%d %s", l.Summary, l.Count, l.Test))
	}
	assert.Equal(t, []string{"b ×2 ", "b ×1 TestOther", "a ×1 ", "a note ×1 "}, order)
	assert.Len(t, got[0].Keys, 2, "the entry covers both")
	assert.Equal(t, "k | - | example.com/app.(*Client).Get | -", got[0].Fingerprint)
	assert.Equal(t, site(1), got[0].Site)
}

// TestFingerprintOfGoroutine: where a goroutine is at the moment is no part of its name; who started it and what it runs are.
func TestFingerprintOfGoroutine(t *testing.T) {
	fn := func(name string) callsite.Frame {
		return callsite.Frame{Func: "example.com/app." + name, File: "/nowhere/app/a.go", Line: 1}
	}
	l := Leak{Kind: "goroutine", Class: "user", Test: "TestA", Site: fn("Start"), Stack: []callsite.Frame{fn("wait"), fn("loop"), fn("run")}}
	moved := l
	moved.Stack = []callsite.Frame{fn("work"), fn("run")}
	for _, one := range []Leak{l, moved} {
		assert.Equal(t, "goroutine | user | example.com/app.Start < example.com/app.run | TestA", Finish([]Leak{one})[0].Fingerprint)
	}
	l.Site = callsite.Frame{}
	assert.Equal(t, "goroutine | user | example.com/app.run < example.com/app.loop < example.com/app.wait | TestA", Finish([]Leak{l})[0].Fingerprint)
}
