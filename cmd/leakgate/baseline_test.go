package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/baseline"
)

// What the three commands say and write, by fragments that exist.
func TestBaselineFrom(t *testing.T) {
	dir := checkout(t)
	shop := filepath.Join(dir, "shop")
	tests := []string{"TestGet", "TestPut", "TestNew"}
	old, worse, better, none := filepath.Join(dir, "old"), filepath.Join(dir, "worse"), filepath.Join(dir, "better"), filepath.Join(dir, "none")
	get, put := leak(storePkg, "TestGet", "Get", 2), leak(storePkg, "TestPut", "Put", 1)
	ran(t, old, storePkg, tests, get, put)
	ran(t, worse, storePkg, tests, leak(storePkg, "TestGet", "Get", 3), put, leak(storePkg, "TestNew", "New", 1))
	ran(t, better, storePkg, []string{"TestGet", "TestNew"}, leak(storePkg, "TestGet", "Get", 1))
	ran(t, none, storePkg, tests)

	s := newTranscript(t, shop)
	s.names[dir] = "REPO"
	assert.Equal(t, exitLeaks, s.call("without a file all is new", "baseline", "check", "-from", "../old"))
	assert.Equal(t, exitOK, s.call("prune has nothing to do then", "baseline", "prune", "-from", "../old"))
	assert.Equal(t, exitOK, s.call("a look before it is written", "baseline", "accept", "-n", "-from", "../old"))
	s.show("leakgate.baseline")
	assert.Equal(t, exitOK, s.call("adopt", "baseline", "accept", "-from", "../old"))
	s.show("leakgate.baseline")
	assert.Equal(t, exitOK, s.call("once more changes nothing", "baseline", "accept", "-from", "../old"))
	assert.Equal(t, exitOK, s.call("what is known is no failure", "baseline", "check", "-from", "../old"))
	assert.Equal(t, exitLeaks, s.call("one leak more, and a new one", "baseline", "check", "-from", "../worse"))
	assert.Equal(t, exitOK, s.call("prune adds nothing", "baseline", "prune", "-from", "../worse"))
	before := read(t, shop, "leakgate.baseline")
	assert.Equal(t, exitOK, s.call("what is only shown needs no reason yet", "baseline", "accept", "-n", "-from", "../worse"))
	assert.Equal(t, exitUsage, s.call("what is added to a file needs a reason", "baseline", "accept", "-from", "../worse"))
	assert.Equal(t, before, read(t, shop, "leakgate.baseline"))
	assert.Equal(t, exitOK, s.call("with a reason, an owner and a date",
		"baseline", "accept", "-reason", "SHOP-12: with v2", "-owner", "@payments", "-expires", "2999-01-31", "-from", "../worse"))
	s.show("leakgate.baseline")
	assert.Equal(t, exitLeaks, s.call("some are gone, and of one nothing is known", "baseline", "check", "-from", "../better"))
	assert.Equal(t, exitOK, s.call("a look before", "baseline", "prune", "-dry-run", "-from", "../better"))
	assert.Equal(t, exitOK, s.call("take out what is gone", "baseline", "prune", "-from", "../better"))
	s.show("leakgate.baseline")
	assert.Equal(t, exitLeaks, s.call("all are gone", "baseline", "check", "-from", "../none"))
	other := filepath.Join(dir, "other")
	ran(t, other, "example.com/shop/cart", []string{"TestCart"})
	few := read(t, shop, "leakgate.baseline")
	write(t, shop, "leakgate.baseline", few+strings.Join([]string{entry("store", "TestA"), entry("store", "TestB"), entry("web", "TestC")}, ""))
	assert.Equal(t, exitOK, s.call("what is not judged for one reason is told once", "baseline", "check", "-from", "../other"))
	write(t, shop, "leakgate.baseline", few)
	assert.Equal(t, exitOK, s.call("prune removes the file with its last entry", "baseline", "prune", "-from", "../none"))
	s.show("leakgate.baseline")
	assert.Equal(t, exitOK, s.call("nothing leaks, and nothing is known", "baseline", "check", "-from", "../none"))
	assert.Equal(t, exitOK, s.call("several runs: the worst counts", "baseline", "accept", "-from", "../old", "-from", "../better"))

	write(t, shop, "leakgate.baseline", strings.Replace(read(t, shop, "leakgate.baseline"), "added: ", "expires: 2026-01-31\nadded: ", 1))
	assert.Equal(t, exitLeaks, s.call("an entry whose day has come", "baseline", "check", "-from", "../old"))
	lapsed := read(t, shop, "leakgate.baseline")
	write(t, shop, "leakgate.baseline", strings.Replace(lapsed, "2026-01-31", "31.1.2999", 1))
	assert.Equal(t, exitLeaks, s.call("a day that cannot be read has come too", "baseline", "check", "-from", "../old"))
	write(t, shop, "leakgate.baseline", lapsed)
	assert.Equal(t, exitOK, s.call("it needs a new date", "baseline", "accept", "-from", "../old"))
	assert.Equal(t, exitOK, s.call("and gets one", "baseline", "accept", "-expires", "2999-01-31", "-from", "../old"))

	write(t, dir, "old/notes.json", "{}")
	assert.Equal(t, exitCouldNot, s.call("accept wants all of the evidence", "baseline", "accept", "-from", "../old"))
	assert.Equal(t, exitCouldNot, s.call("and so does a success of check", "baseline", "check", "-from", "../old"))
	assert.Equal(t, exitCouldNot, s.call("no fragments", "baseline", "check", "-from", "store"))
	write(t, shop, "leakgate.baseline", "leak: x\n")
	assert.Equal(t, exitCouldNot, s.call("a malformed file is told before anything else", "baseline", "prune", "-from", "../none"))
	s.golden("baseline.txt")
}

// entry is one of a baseline.
func entry(pkg, test string) string {
	return "\nleak: http-response | GET | example.com/shop/" + pkg + ".Get | " + test + "\npackage: example.com/shop/" + pkg +
		"\ncode: LK001\ncount: 1\nreason: old\nadded: 2026-01-01\n"
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	return string(data)
}

// A program reads the same.
func TestBaselineJSON(t *testing.T) {
	dir := checkout(t)
	shop := filepath.Join(dir, "shop")
	old, next := filepath.Join(dir, "old"), filepath.Join(dir, "next")
	ran(t, old, storePkg, []string{"TestGet", "TestPut"}, leak(storePkg, "TestGet", "Get", 2), leak(storePkg, "TestPut", "Put", 1))
	ran(t, next, storePkg, []string{"TestGet", "TestNew"}, leak(storePkg, "TestGet", "Get", 1), leak(storePkg, "TestNew", "New", 1))
	s := newTranscript(t, shop)
	assert.Equal(t, exitOK, s.call("adopt", "baseline", "accept", "--json", "-from", "../old"))
	for _, verb := range []string{"check", "prune"} {
		code := s.call(verb, "baseline", verb, "-json", "-from", "../next")
		var doc telling
		dec := json.NewDecoder(strings.NewReader(s.out))
		dec.DisallowUnknownFields()
		require.NoError(t, dec.Decode(&doc))
		assert.Equal(t, code, doc.Exit)
		assert.Equal(t, verb, doc.Command)
		require.Len(t, doc.Files, 1)
		assert.Equal(t, verb == "prune", doc.Files[0].Written)
	}
	assert.Equal(t, exitOK, s.call("no change is a list too", "baseline", "prune", "-json", "-from", "../next"))
	s.golden("baseline_json.txt")
}

// CI never accepts, whatever the word is; -n writes nothing, and other commands may run.
func TestAcceptIsRefusedInCI(t *testing.T) {
	dir := checkout(t)
	ran(t, filepath.Join(dir, "leaks"), storePkg, []string{"TestGet"}, leak(storePkg, "TestGet", "Get", 2))
	shop := filepath.Join(dir, "shop")
	for ci, want := range map[string]int{
		"true": exitCouldNot, "1": exitCouldNot, "yes": exitCouldNot, "woodpecker": exitCouldNot, "TRUE": exitCouldNot,
		"": exitOK, "false": exitOK, "0": exitOK,
	} {
		s := newTranscript(t, shop, "CI="+ci)
		assert.Equal(t, want, s.call(ci, "baseline", "accept", "-from", "../leaks"), "CI=%s", ci)
		if want == exitOK {
			require.NoError(t, os.Remove(filepath.Join(shop, "leakgate.baseline")), "CI=%s", ci)
		} else {
			assert.NoFileExists(t, filepath.Join(shop, "leakgate.baseline"))
		}
	}
	s := newTranscript(t, shop, "CI=true")
	assert.Equal(t, exitCouldNot, s.call("refused", "baseline", "accept", "-from", "../leaks"))
	assert.Equal(t, exitOK, s.call("-n writes nothing", "baseline", "accept", "-n", "-from", "../leaks"))
	assert.Equal(t, exitLeaks, s.call("check is for CI", "baseline", "check", "-from", "../leaks"))
	assert.Equal(t, exitOK, s.call("prune is safe", "baseline", "prune", "-from", "../leaks"))
	assert.NoFileExists(t, filepath.Join(shop, "leakgate.baseline"))
	s.golden("ci.txt")
}

// Each module has its file, from wherever the command is run.
func TestBaselineOfTwoModules(t *testing.T) {
	dir := checkout(t)
	leaks := filepath.Join(dir, "leaks")
	ran(t, leaks, storePkg, []string{"TestGet"}, leak(storePkg, "TestGet", "Get", 2))
	write(t, dir, "tools/go.mod", "module example.com/tools\n")
	w, err := fragment.Create(leaks, fragment.Header{
		Module: "example.com/tools", Package: "example.com/tools/gen", ModuleDir: "tools", Main: true, PID: 3,
	})
	require.NoError(t, err)
	l := leak("example.com/tools/gen", "TestGen", "Gen", 1)
	require.NoError(t, w.Test(fragment.Test{Name: "TestGen", Result: fragment.Leaked}))
	require.NoError(t, w.Leak(l))
	require.NoError(t, w.End(fragment.End{Code: 1}))
	require.NoError(t, w.Close())

	s := newTranscript(t, filepath.Join(dir, "tools"))
	s.names[dir] = "REPO"
	assert.Equal(t, exitOK, s.call("two files", "baseline", "accept", "-from", "../leaks"))
	assert.Contains(t, read(t, dir, "shop/leakgate.baseline"), "package: example.com/shop/store")
	assert.Contains(t, read(t, dir, "tools/leakgate.baseline"), "package: example.com/tools/gen")
	assert.Equal(t, exitUsage, s.call("one file cannot be both", "baseline", "check", "-baseline", "x.baseline", "-from", "../leaks"))
	require.NoError(t, os.Remove(filepath.Join(dir, "shop", "go.mod")))
	assert.Equal(t, exitCouldNot, s.call("a module that is not here", "baseline", "check", "-from", "../leaks"))
	s.golden("modules.txt")
}

// Text of a program under test cannot act on the terminal.
func TestBaselineIsPlain(t *testing.T) {
	dir := checkout(t)
	l := leak(storePkg, "TestGet", "Get", 1)
	l.Summary = "response body of GET /\x1b]0;owned\x07\r\n\u202e was never closed"
	ran(t, filepath.Join(dir, "leaks"), storePkg, []string{"TestGet"}, l)
	s := newTranscript(t, filepath.Join(dir, "shop"))
	assert.Equal(t, exitLeaks, s.call("", "baseline", "check", "-from", "../leaks"))
	for _, r := range []string{"\x1b", "\x07", "\r", "\u202e"} {
		assert.NotContains(t, s.out, r)
	}
}

// Where LEAKGATE_BASELINE names a file, it is kept there: from the root of the module, as the tests read it. While it is not
// there yet, and where -baseline names another one, the tests read none.
func TestBaselineOfTheEnvironment(t *testing.T) {
	dir := checkout(t)
	shop := filepath.Join(dir, "shop")
	leaks := filepath.Join(dir, "leaks")
	ran(t, leaks, storePkg, []string{"TestGet"}, leak(storePkg, "TestGet", "Get", 2))
	write(t, shop, "ci/x.txt", "")
	write(t, shop, "store/x.txt", "")
	s := newTranscript(t, filepath.Join(shop, "store"), "LEAKGATE_BASELINE=ci/known.baseline")
	assert.Equal(t, exitOK, s.call("", "baseline", "accept", "-from", leaks), s.errs)
	assert.FileExists(t, filepath.Join(shop, "ci", "known.baseline"))
	assert.NoFileExists(t, filepath.Join(shop, "leakgate.baseline"))
	assert.Equal(t, exitOK, s.call("", "baseline", "check", "-from", leaks), s.out)
	assert.Equal(t, exitOK, s.call("", "report", leaks), s.out)
	assert.Equal(t, exitOK, s.call("", "baseline", "accept", "-baseline", "own.baseline", "-from", leaks), s.errs)
	assert.FileExists(t, filepath.Join(shop, "store", "own.baseline"), "from the working folder")

	there, gone := filepath.Join(shop, "ci", "known.baseline"), filepath.Join(shop, "gone.baseline")
	for _, tc := range []struct {
		why, environ, flag, file string
		want                     bool
	}{
		{"nothing is said", "", "", gone, false},
		{"the file is there", "ci/known.baseline", "", there, false},
		{"it is still to be made", "gone.baseline", "", gone, true},
		{"the flag names another one", "", "x.baseline", there, true},
	} {
		u := &upkeep{console: console{environ: []string{"LEAKGATE_BASELINE=" + tc.environ}}, baseline: tc.flag}
		u.ledgers = []ledger{{file: &baseline.File{Path: tc.file}}}
		assert.Equal(t, tc.want, u.unread(), tc.why)
	}
}

// What keeps the tests from being run is told with what to do.
func TestBaselineWithoutGo(t *testing.T) {
	dir := checkout(t)
	s := newTranscript(t, filepath.Join(dir, "shop"))
	t.Setenv("PATH", dir)
	assert.Equal(t, exitCouldNot, s.call("no go command", "baseline", "check", "./..."))
	assert.Equal(t, "leakgate baseline check: could not run: the go command was not found: it is needed to run the tests\n"+
		"what to do: install Go 1.25 or later (https://go.dev/dl) and put its bin folder on PATH, or give fragments that exist with -from DIR\n", s.errs)
}
