package baseline

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden file anew")

// TestMalformed holds what is said of each way to break the file, with the reason why it is refused, in one file that can be
// read from top to bottom.
func TestMalformed(t *testing.T) {
	const (
		leak  = "leak: a\n"
		rest  = "package: p\ncode: LK001\ncount: 1\nreason: old\nadded: 2026-11-21\n"
		whole = leak + rest
		other = "\nleak: b\n" + rest
	)
	with := func(line string) string { return "# mine\n\n" + whole + line + "\n" + other }
	without := func(key string) string {
		var b strings.Builder
		for line := range strings.Lines(whole) {
			if !strings.HasPrefix(line, key+":") {
				b.WriteString(line)
			}
		}
		return b.String() + other
	}
	var b strings.Builder
	for _, c := range []struct{ name, reason, text string }{
		{"unknown key", "a misspelled expires would hide the leak for ever", with("expire: 2027-01-01")},
		{"unknown key, another word", "people write what they know from other tools", with("until: 2027-01-01")},
		{"unknown key, capital", "keys are written in one way", with("Reason: old")},
		{"unknown key, nothing like it", "no guess where none is near", with("severity: high")},
		{"unknown key, long", "the message stays readable", with(strings.Repeat("k", 500) + ": x")},
		{"repeated key", "which of the two holds cannot be known", with("count: 2")},
		{"repeated key, entry without a leak line", "two entries have run into one", whole + "\n" + rest},
		{"no leak line at all", "an entry has a first line", rest},
		{"missing package", "nothing could be found by it", without("package")},
		{"missing code", "generated lines are all there", without("code")},
		{"missing count", "exact counts are the point", without("count")},
		{"missing reason", "who reads it must know why", without("reason")},
		{"missing added", "its age must be known", without("added")},
		{"missing several", "each is named", leak + other},
		{"empty reason", "a reason must say something", strings.Replace(whole, "reason: old", "reason:  ", 1)},
		{"empty leak", "nothing could be found by it", strings.Replace(whole, "leak: a", "leak:", 1)},
		{"empty expires", "nobody can tell whether there is to be a date", with("expires:")},
		{"empty owner", "as above", with("owner:\t")},
		{"count 0", "an entry that allows nothing is to be removed", strings.Replace(whole, "count: 1", "count: 0", 1)},
		{"count -1", "as above", strings.Replace(whole, "count: 1", "count: -1", 1)},
		{"count in words", "a number", strings.Replace(whole, "count: 1", "count: many", 1)},
		{"count 1.5", "a whole number", strings.Replace(whole, "count: 1", "count: 1.5", 1)},
		{"count too large", "a number of this machine", strings.Replace(whole, "count: 1", "count: 99999999999999999999", 1)},
		{"count with a comment", "a comment stands on a line of its own", strings.Replace(whole, "count: 1", "count: 1 # flaky", 1)},
		{"repeated entry", "both sides of a merge may have added it", whole + other + "\n" + strings.Replace(whole, "count: 1", "count: 2", 1)},
		{"id of another entry", "a merge has mixed the lines of two", with("id: 0123456789abcdef")},
		{"line without a key", "an editor broke a long line", strings.Replace(whole, "leak: a", "leak: http-response | GET |\n  example.com/p.Get < example.com/p.TestGet | TestGet", 1)},
		{"merge conflict", "one problem for one conflict, and none for what follows from it", "# mine\n\n<<<<<<< HEAD\n" + whole + "=======\nleak: c\n>>>>>>> fix/sessions\n" + rest + other},
		{"merge conflict, two", "each conflict has its line", "<<<<<<< HEAD\r\n=======\r\n>>>>>>> b\r\n" + whole + "<<<<<<< HEAD\n||||||| 1234567\n=======\n>>>>>>> b\n"},
		{"merge conflict, half removed", "a mark that was overlooked", "# mine\n" + whole + "=======\n" + other + ">>>>>>> fix/sessions\n"},
		{"NUL", "no text", with("reason\x00: x")},
		{"escape sequence", "it would not show in a terminal as it is", with("owner: \x1b[31mred")},
		{"not UTF-8", "Latin-1 from an old editor", with("owner: J\xfcrgen")},
		{"UTF-16", "PowerShell's > writes it", "\xff\xfel\x00e\x00a\x00k\x00:\x00"},
		{"very long line", "another file", with("owner: " + strings.Repeat("x", maxLine))},
		{"JSON", "another file", "{\n  \"leaks\": []\n}\n"},
		{"many problems", "the first ten, and how many more", whole + strings.Repeat("severity: high\n", 15)},
	} {
		_, err := Parse(Name, []byte(c.text))
		require.Error(t, err, c.name)
		var e *Error
		require.ErrorAs(t, err, &e)
		for _, p := range e.Problems {
			assert.NotContains(t, p.Text, "\n", c.name)
		}
		fmt.Fprintf(&b, "=== %s: %s\n", c.name, c.reason)
		for i, line := range strings.Split(c.text, "\n") {
			if slices.ContainsFunc(e.Problems, func(p Problem) bool { return p.Line == i+1 }) {
				text := fmt.Sprintf("%q", line)
				fmt.Fprintf(&b, "%4d  %s\n", i+1, short(text[1:len(text)-1]))
			}
		}
		fmt.Fprintf(&b, "%s\n\n", err)
	}
	path := filepath.Join("testdata", "malformed.txt")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), b.String())
}

// TestTolerated is the clean twin of TestMalformed: what looks odd and is read all the same.
func TestTolerated(t *testing.T) {
	for name, text := range map[string]string{
		"indented":              "\tleak: a\n  package : p\ncode:LK001\n\tcount:\t1\nreason: old\nadded: 2026-11-21\n",
		"an odd date":           "leak: a\npackage: p\ncode: LK001\ncount: 1\nreason: old\nadded: yesterday\nexpires: soon\n",
		"a mark in a comment":   "# =======\n#<<<<<<<\nleak: a\npackage: p\ncode: LK001\ncount: 1\nreason: ======= <<<<<<<\nadded: d\n",
		"a colon in a value":    "leak: a: b\npackage: p\ncode: LK001\ncount: 01\nreason: a: b\nadded: d\n",
		"two packages, one key": "leak: a\npackage: p\ncode: LK001\ncount: 1\nreason: old\nadded: d\nleak: a\npackage: q\ncode: LK001\ncount: 1\nreason: old\nadded: d\n",
		"a long reason":         "leak: a\npackage: p\ncode: LK001\ncount: 1\nreason: " + strings.Repeat("é", 30000) + "\nadded: d\n",
	} {
		f, err := Parse(Name, []byte(text))
		require.NoError(t, err, name)
		assert.NotEmpty(t, f.Entries, name)
	}
	f := parse(t, "leak: a\npackage: p\ncode: LK001\ncount: 1\nreason: old\nadded: yesterday\nexpires: soon\n")
	assert.True(t, f.Entries[0].Expired(time.Time{}), "what cannot be read as a date hides nothing")
}

// TestParseWorstCases gives each part of the parser what it is slow at. Where one takes time by the square of the size, this
// test is what takes minutes.
func TestParseWorstCases(t *testing.T) {
	for name, unit := range map[string]string{
		"comments": "#\n", "blank lines": "\n", "leak lines alone": "leak: a\n", "marks": "<<<<<<<\n", "no key": "x\n",
		"comments between": "leak: a\n#\n\n", "one entry": "count: 1\n", "long keys": strings.Repeat("k", maxLine-10) + ":\n", "one line": "x",
		"entries": "leak: a\npackage: p\ncode: c\ncount: 1\nreason: r\nadded: d\n",
	} {
		f, err := Parse(Name, []byte(strings.Repeat(unit, (1<<18)/len(unit))))
		if err == nil {
			assert.Empty(t, f.Entries, name)
			continue
		}
		assert.Less(t, len(err.Error()), 10*600, "%s: the message stays one that can be read", name)
	}
}
