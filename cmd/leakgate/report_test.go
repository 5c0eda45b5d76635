package main

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/format"
)

const storePkg = "example.com/shop/store"

// known is a baseline that allows two of Get.
const known = `leak: http-response | GET | example.com/shop/store.Get < example.com/shop/store.TestGet | TestGet
package: example.com/shop/store
code: LK001
count: 2
reason: SHOP-12
added: 2026-01-02
`

// What report writes around the formats.
func TestReport(t *testing.T) {
	dir := checkout(t)
	shop := filepath.Join(dir, "shop")
	clean, red, more := filepath.Join(dir, "clean"), filepath.Join(dir, "red"), filepath.Join(dir, "red", "shard-2")
	ran(t, clean, storePkg, []string{"TestGet"}, leak(storePkg, "TestGet", "Get", 2))
	ran(t, red, storePkg, []string{"TestGet", "TestPut"}, leak(storePkg, "TestGet", "Get", 2))
	ran(t, more, storePkg, []string{"TestGet", "TestPut", "TestNew"}, leak(storePkg, "TestNew", "New", 1))

	s := newTranscript(t, shop)
	assert.Equal(t, exitUsage, s.call("no folder, and none in the environment", "report"))
	assert.Equal(t, exitCouldNot, s.call("a folder that is not there", "report", "../leaks"))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "empty"), 0o755))
	assert.Equal(t, exitCouldNot, s.call("a folder without fragments", "report", "../empty"))
	assert.Equal(t, exitLeaks, s.short("without a baseline each leak is new", "report", "../clean"))

	write(t, shop, "leakgate.baseline", known)
	assert.Equal(t, exitOK, s.short("the module's own baseline knows it, from below the module too", "report", "../clean"))
	assert.Equal(t, exitLeaks, s.short("off shows everything", "report", "-baseline", "off", "../clean"))
	assert.Equal(t, exitLeaks, s.short("another file is empty", "report", "-baseline", emptyBaseline(t, dir), "../clean"))
	assert.Equal(t, exitCouldNot, s.call("a file that was asked for must be there", "report", "-baseline", "gone.baseline", "../clean"))
	assert.Equal(t, exitLeaks, s.short("folders below count, and the second shard has a new leak", "report", "../red"))
	assert.Equal(t, exitLeaks, s.short("several folders", "report", "../clean", "../red/shard-2"))
	s.names[filepath.Base(onlyFile(t, clean))] = "FRAGMENT.json"
	assert.Equal(t, exitOK, s.short("one fragment", "report", onlyFile(t, clean)))
	assert.Equal(t, exitLeaks, s.short("files by their names, and text on standard output",
		"report", "-o", "out/leaks.html", "-o", "out/leaks.sarif", "-o", "out/leaks.xml", "-o", "out/leaks.txt", "../red"))
	assert.Equal(t, exitLeaks, s.short("a format before a file, and one for standard output",
		"report", "-format", "gitlab", "-o", "out/gl-code-quality-report.json", "-format", "json", "../red"))
	assert.Equal(t, exitUsage, s.call("an output among the fragments would be read the next time", "report", "-o", "../red/leaks.json", "../red"))
	assert.Equal(t, exitCouldNot, s.short("a file that cannot be written", "report", "-o", "out/leaks.html/page.html", "../red"))

	killed := filepath.Join(dir, "killed")
	write(t, killed, "cart.json", `{"leakgate":"fragment","version":1,"module":"example.com/shop","module_dir":"shop","package":"example.com/shop/cart",`+
		`"go":"go1.26","goos":"linux","goarch":"amd64","pid":1,"began":"2026-11-21T10:00:00Z","main":true,"records":[]}`)
	assert.Equal(t, exitCouldNot, s.short("a process that was killed before its tests were over is no success", "report", "../killed"))
	write(t, red, "notes.json", `{"a": 1}`)
	assert.Equal(t, exitLeaks, s.short("a file that is no fragment is told, and the others are judged", "report", "../red"))
	write(t, clean, "cut.json", `{"leakgate":"fragment","version":1,"package":"example.com/shop/cart","go":"go1.26","records":[`+"\n"+`{"test":{"na`)
	assert.Equal(t, exitCouldNot, s.short("one that cannot be read where nothing fails is no success", "report", "../clean"))
	write(t, shop, "leakgate.baseline", known+"\n<<<<<<< HEAD\n")
	assert.Equal(t, exitCouldNot, s.call("a malformed baseline is never none", "report", "../red"))
	s.names[dir] = "REPO"
	s.golden("report.txt")

	out := filepath.Join(shop, "out")
	page, err := os.ReadFile(filepath.Join(out, "leaks.html"))
	require.NoError(t, err)
	assert.Contains(t, string(page), "<!doctype html>")
	for name, want := range map[string]string{"leaks.sarif": `"2.1.0"`, "gl-code-quality-report.json": `"check_name"`} {
		data, err := os.ReadFile(filepath.Join(out, name))
		require.NoError(t, err)
		assert.True(t, json.Valid(data), name)
		assert.Contains(t, string(data), want)
		assert.Contains(t, string(data), `shop/store/client.go`, "%s: the path is from the repository's root", name)
	}
	data, err := os.ReadFile(filepath.Join(out, "leaks.xml"))
	require.NoError(t, err)
	var doc struct {
		XMLName xml.Name
	}
	require.NoError(t, xml.Unmarshal(data, &doc))
	assert.Equal(t, "testsuites", doc.XMLName.Local)
	left, err := filepath.Glob(filepath.Join(out, ".leakgate-*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func emptyBaseline(t *testing.T, dir string) string {
	write(t, dir, "other.baseline", "# nothing\n")
	return filepath.Join(dir, "other.baseline")
}

func onlyFile(t *testing.T, dir string) string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*.json"))
	require.NoError(t, err)
	require.Len(t, all, 1)
	return all[0]
}

// On GitHub annotations go to standard output, and the summary to the file that the runner names.
func TestReportOnGitHub(t *testing.T) {
	dir := checkout(t)
	leaks := filepath.Join(dir, "leaks")
	ran(t, leaks, storePkg, []string{"TestGet"}, leak(storePkg, "TestGet", "Get", 1))
	write(t, dir, "summary.md", "# before\n")
	s := newTranscript(t, dir, "GITHUB_STEP_SUMMARY="+filepath.Join(dir, "summary.md"),
		"GITHUB_SERVER_URL=https://github.test", "GITHUB_REPOSITORY=example/shop", "GITHUB_SHA=0123abc")
	require.Equal(t, exitLeaks, s.call("annotations", "report", "-format", "github", "-o", "leaks.html", "leaks"))
	assert.Contains(t, s.out, "::error file=shop/store/client.go,line=42")
	summary, err := os.ReadFile(filepath.Join(dir, "summary.md"))
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(summary), "# before\n"), "what was there stays")
	assert.Contains(t, string(summary), "https://github.test/example/shop/blob/0123abc/shop/store/client.go")
	page, err := os.ReadFile(filepath.Join(dir, "leaks.html"))
	require.NoError(t, err)
	assert.Contains(t, string(page), "https://github.test/example/shop/blob/0123abc/shop/store/client.go")

	assert.Equal(t, exitLeaks, s.call("other formats leave the summary alone", "report", "leaks"))
	again, err := os.ReadFile(filepath.Join(dir, "summary.md"))
	require.NoError(t, err)
	assert.Equal(t, string(summary), string(again))

	s.console.environ = []string{"GITHUB_STEP_SUMMARY=" + filepath.Join(dir, "no", "folder")}
	assert.Equal(t, exitCouldNot, s.call("a summary that cannot be written", "report", "-format", "github", "leaks"))
	assert.Contains(t, s.errs, "could not run: the job summary could not be written: ")
	assert.Contains(t, s.out, "::error ", "the annotations are there all the same")
}

// A repository may have several modules, each with its baseline, and the checkout may be without .git.
func TestReportFindsRoots(t *testing.T) {
	dir := checkout(t)
	leaks := filepath.Join(dir, "leaks")
	ran(t, leaks, storePkg, []string{"TestGet"}, leak(storePkg, "TestGet", "Get", 2))
	write(t, dir, "shop/leakgate.baseline", known)
	write(t, dir, "tools/go.mod", "module example.com/tools\n")
	write(t, dir, "tools/deep/x.txt", "")
	for _, from := range []string{"", "tools", "tools/deep", "shop"} {
		s := newTranscript(t, filepath.Join(dir, filepath.FromSlash(from)))
		assert.Equal(t, exitOK, s.call("from "+from, "report", leaks), s.out+s.errs)
	}
	require.NoError(t, os.Remove(filepath.Join(dir, ".git")))
	tools, other := filepath.Join(dir, "tools"), t.TempDir()
	write(t, other, "shop/go.mod", "module example.com/shop\n")
	write(t, other, "shop/leakgate.baseline", known)
	for name, tc := range map[string]struct {
		environ []string
		args    []string
		code    int
	}{
		"no root":          {nil, nil, exitLeaks},
		"GITHUB_WORKSPACE": {[]string{"GITHUB_WORKSPACE=" + dir}, nil, exitOK},
		"CI_PROJECT_DIR":   {[]string{"CI_PROJECT_DIR=" + dir}, nil, exitOK},
		"WORKSPACE":        {[]string{"WORKSPACE=" + dir}, nil, exitOK},
		"another folder":   {[]string{"GITHUB_WORKSPACE=" + other}, nil, exitLeaks},
		"-root":            {nil, []string{"-root", ".."}, exitOK},
	} {
		s := newTranscript(t, tools, tc.environ...)
		assert.Equal(t, tc.code, s.run(name, false, append(append([]string{"report"}, tc.args...), leaks)...), "%s\n%s%s", name, s.out, s.errs)
	}
	s := newTranscript(t, tools)
	assert.Equal(t, exitUsage, s.call("a root that is no folder", "report", "-root", "nowhere", leaks))
}

// LEAKGATE_REPORT and LEAKGATE_BASELINE mean what they mean to the tests: from the module's root.
func TestReportTakesTheEnvironment(t *testing.T) {
	dir := checkout(t)
	shop := filepath.Join(dir, "shop")
	ran(t, filepath.Join(shop, "leaks"), storePkg, []string{"TestGet"}, leak(storePkg, "TestGet", "Get", 2))
	write(t, shop, "ci/known.baseline", known)
	write(t, shop, "store/x.txt", "")
	s := newTranscript(t, filepath.Join(shop, "store"), "LEAKGATE_REPORT=leaks", "LEAKGATE_BASELINE=ci/known.baseline")
	assert.Equal(t, exitOK, s.call("", "report"), s.out+s.errs)
	s.console.environ = []string{"LEAKGATE_REPORT=leaks"}
	assert.Equal(t, exitLeaks, s.call("", "report"), s.out+s.errs)
	s.console.environ = []string{"LEAKGATE_REPORT=leaks", "LEAKGATE_BASELINE=off"}
	assert.Equal(t, exitLeaks, s.call("", "report"), s.out+s.errs)
}

// Where no folder of the module is, what the tests themselves read holds.
func TestReportOfAnotherCheckout(t *testing.T) {
	dir := t.TempDir()
	l := leak(storePkg, "TestGet", "Get", 2)
	l.Outcome, l.Allowed = "known", 2
	ran(t, dir, storePkg, []string{"TestGet"}, l)
	s := newTranscript(t, dir)
	assert.Equal(t, exitOK, s.call("", "report", dir), s.out+s.errs)
}

// Two modules may share one file; an entry is then judged by its own module alone.
func TestReportDividesOneBaseline(t *testing.T) {
	dir := checkout(t)
	leaks := filepath.Join(dir, "leaks")
	ran(t, leaks, storePkg, []string{"TestGet"}, leak(storePkg, "TestGet", "Get", 1))
	write(t, leaks, "tools.json", `{"leakgate":"fragment","version":1,"module":"example.com/shop/tools","module_dir":"tools",`+
		`"package":"example.com/shop/tools/x","go":"go1.26","goos":"linux","goarch":"amd64","pid":1,"began":"2026-11-21T10:00:00Z","main":true,"records":[{"end":{"at":"2026-11-21T10:00:01Z","code":0}}]}`)
	write(t, dir, "all.baseline", known)
	s := newTranscript(t, dir)
	require.Equal(t, exitOK, s.call("", "report", "-format", "json", "-baseline", "all.baseline", "leaks"), s.errs)
	var doc struct {
		Stale, Unjudged []json.RawMessage
	}
	require.NoError(t, json.Unmarshal([]byte(s.out), &doc))
	assert.Len(t, doc.Stale, 1)
	assert.Empty(t, doc.Unjudged)
}

func TestOutputs(t *testing.T) {
	for _, tc := range []struct {
		flags string
		want  []output
		fails string
	}{
		{"", []output{{"text", ""}}, ""},
		{"-format json", []output{{"json", ""}}, ""},
		{"-json", []output{{"json", ""}}, ""},
		{"-o a.html", []output{{"html", "a.html"}, {"text", ""}}, ""},
		{"-format html -o a.html -format sarif -o a.sarif", []output{{"html", "a.html"}, {"sarif", "a.sarif"}, {"text", ""}}, ""},
		{"-format github -o a.html -o a.sarif", []output{{"html", "a.html"}, {"sarif", "a.sarif"}, {"github", ""}}, ""},
		{"-format gitlab -o a.html -o a.json", []output{{"html", "a.html"}, {"gitlab", "a.json"}, {"text", ""}}, ""},
		{"-format sarif -o a.json", []output{{"sarif", "a.json"}, {"text", ""}}, ""},
		{"-o a.sarif.json -o A.HTM -o b.JSON", []output{{"sarif", "a.sarif.json"}, {"html", "A.HTM"}, {"json", "b.JSON"}, {"text", ""}}, ""},
		{"-format text -o out", []output{{"text", "out"}, {"text", ""}}, ""},
		{"-format text -o a.html", []output{{"html", "a.html"}, {"text", ""}}, ""},
		{"-format junit -o -", []output{{"junit", ""}}, ""},
		{"-o - -o a.xml", []output{{"junit", "a.xml"}, {"text", ""}}, ""},
		{"-format text -format json", nil, "text and json cannot both go to standard output"},
		{"-format text -json", nil, "text and json cannot both go to standard output"},
		{"-format text -o - -format json", nil, "text and json cannot both go to standard output"},
		{"-o out", nil, "the name does not say in which format"},
		{"-o a.html -o a.html", nil, "the file is named twice"},
		{"-format xml", nil, "there is no such format; there are text, json"},
		{"-format HTMl", nil, `did you mean "html"?`},
	} {
		var o reportOptions
		_, _, err := parseFlags(reportFlags(&o), strings.Fields(tc.flags), false)
		if err == nil && o.json {
			err = o.format("json")
		}
		var got []output
		if err == nil {
			got, err = o.all()
		}
		if tc.fails != "" {
			assert.ErrorContains(t, err, tc.fails, tc.flags)
			continue
		}
		require.NoError(t, err, tc.flags)
		assert.Equal(t, tc.want, got, tc.flags)
	}
}

// Every format that there is can be asked for.
func TestForms(t *testing.T) {
	var want []string
	for _, f := range format.Formats() {
		want = append(want, f.Name)
	}
	assert.Equal(t, append(want, htmlForm), formNames())
	for _, name := range formNames() {
		assert.NotEmpty(t, formAbout(name))
	}
}

// What is no plain file is written as it is.
func TestWriteFileToAPipe(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /dev/null as a device")
	}
	require.NoError(t, writeFile("/dev/null", []byte("x")))
	info, err := os.Stat("/dev/null")
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&os.ModeCharDevice, "it is still a device")
}

type closedPipe struct{ err error }

func (p closedPipe) Write([]byte) (int, error) { return 0, p.err }

// leakgate report leaks | head ends as if somebody had read it all.
func TestReportIntoAClosedPipe(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has another error for it, and no signal")
	}
	dir := checkout(t)
	ran(t, filepath.Join(dir, "leaks"), storePkg, []string{"TestGet"}, leak(storePkg, "TestGet", "Get", 1))
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	cmd := program(t.Context(), console{dir: dir, environ: []string{"HOME=" + dir}}, "report", "-o", "leaks.html", "leaks")
	cmd.Stdout = w
	var errs strings.Builder
	cmd.Stderr = &errs
	_ = cmd.Run()
	require.NoError(t, w.Close())
	assert.Equal(t, exitLeaks, cmd.ProcessState.ExitCode(), cmd.ProcessState.String())
	assert.Equal(t, "leakgate report: wrote leaks.html (html)\n", errs.String())
}

// Colours are for the terminal alone.
func TestReportInColour(t *testing.T) {
	dir := checkout(t)
	ran(t, filepath.Join(dir, "leaks"), storePkg, []string{"TestGet"}, leak(storePkg, "TestGet", "Get", 1))
	for _, colour := range []bool{true, false} {
		s := newTranscript(t, dir)
		s.console.colour = colour
		assert.Equal(t, exitLeaks, s.call("", "report", "-o", "leaks.txt", "leaks"))
		assert.Equal(t, colour, strings.Contains(s.out, "\x1b["))
		assert.NotContains(t, read(t, dir, "leaks.txt"), "\x1b")
		assert.Equal(t, exitLeaks, s.call("", "baseline", "check", "-root", ".", "-from", "leaks"), s.errs)
		assert.Equal(t, colour, strings.Contains(s.out, "\x1b["))
	}
}

// On a terminal one line says what is being done, and nothing of it stays.
func TestReportOnATerminal(t *testing.T) {
	dir := checkout(t)
	ran(t, filepath.Join(dir, "leaks"), storePkg, []string{"TestGet"}, leak(storePkg, "TestGet", "Get", 1))
	s := newTranscript(t, dir)
	s.console.live = true
	assert.Equal(t, exitLeaks, s.call("", "report", "leaks"))
	assert.Contains(t, s.errs, "reading fragments")
	assert.True(t, strings.HasSuffix(s.errs, "\r\x1b[K"))
	assert.NotContains(t, s.errs, "\n")
	s.console.live = false
	assert.Equal(t, exitLeaks, s.call("", "report", "leaks"))
	assert.Empty(t, s.errs)
}

// A reader that went away is no failure; a full disk is one.
func TestPrintToNobody(t *testing.T) {
	dir := checkout(t)
	leaks := filepath.Join(dir, "leaks")
	ran(t, leaks, storePkg, []string{"TestGet"}, leak(storePkg, "TestGet", "Get", 1))
	for err, want := range map[error]int{syscall.EPIPE: exitLeaks, syscall.ENOSPC: exitCouldNot} {
		var errs strings.Builder
		c := console{dir: dir, out: closedPipe{err}, err: &errs, environ: []string{"A=b"}}
		assert.Equal(t, want, run(t.Context(), []string{"report", "-o", "leaks.html", "leaks"}, c), errs.String())
		assert.FileExists(t, filepath.Join(dir, "leaks.html"), "files come first")
	}
}
