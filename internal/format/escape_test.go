package format

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/verdict"
	"github.com/leakgate/leakgate/internal/verdict/sample"
)

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "",
		"plain":                          "plain",
		"naïve 漏れ e\u0301":               "naïve 漏れ e\u0301",
		"a\tb":                           "a b",
		"a\nb\r\nc":                      `a\nb\r\nc`,
		"\x1b[31mred\x00\x7f":            `\x1b[31mred\x00\x7f`,
		"\u202edlrow\u2066\u200f\u061c":  `\u202edlrow\u2066\u200f\u061c`,
		"next\u0085line\u2028para\ufeff": `next\u0085line\u2028para\ufeff`,
		"bad \xff\xc3\x28":               `bad \xff\xc3(`,
		"a replaced one: \ufffd":         "a replaced one: \ufffd",
	} {
		assert.Equal(t, want, visible(in), "%q", in)
	}
}

func TestCut(t *testing.T) {
	assert.Equal(t, "abc", cut("abc", 3))
	assert.Equal(t, "ab…", cut("abc", 2))
	assert.Equal(t, "漏…", cut("漏れ", 5), "no half character")
	assert.Equal(t, "漏…", cut("漏れ", 3))
	assert.Equal(t, "…", cut("漏れ", 2))
	assert.LessOrEqual(t, len(cut(strings.Repeat("\xff", 100), 50)), 50+len("…"), "no UTF-8 at all")
}

func TestLogLine(t *testing.T) {
	for in, want := range map[string]string{
		"::error::x":               ": :error::x",
		"  \t::add-mask::x":        "  \t: :add-mask::x",
		"a ::error::x":             "a ::error::x",
		"a ##[error]x":             "a # #[error]x",
		"##vso[task.setvariable]x": "# #vso[task.setvariable]x",
		"##teamcity[x]":            "# #teamcity[x]",
		"## heading [x]":           "## heading [x]",
		"###[x]":                   "## #[x]",
	} {
		assert.Equal(t, want, logLine(in), "%q", in)
	}
}

func TestRelativeURI(t *testing.T) {
	for in, want := range map[string]string{
		"store/client.go":          "store/client.go",
		"a b/c#d?e%2F.go":          "a%20b/c%23d%3Fe%252F.go",
		"c:d/e:f.go":               "c%3Ad/e%3Af.go",
		"naïve/漏れ.go":              "na%C3%AFve/%E6%BC%8F%E3%82%8C.go",
		`quote"<>[]{}|\^` + "`.go": "quote%22%3C%3E%5B%5D%7B%7D%7C%5C%5E%60.go",
	} {
		got := relativeURI(in)
		assert.Equal(t, want, got, "%q", in)
		u, err := url.Parse(got)
		require.NoError(t, err)
		assert.False(t, u.IsAbs())
		assert.Equal(t, in, u.Path)
	}
}

func TestSARIFMessage(t *testing.T) {
	assert.Equal(t, "called by store.(*Cart[...]).Get", sarifMessage("called by store.(*Cart[...]).Get"), "no link, no escapes")
	assert.Equal(t, `\[see\](https://example.com) \\`, sarifMessage(`[see](https://example.com) \`))
}

// TestCodeBlock: no line of the text ends the block.
func TestCodeBlock(t *testing.T) {
	assert.Equal(t, "```text\na\n```\n", codeBlock("text", "a\n"))
	assert.Equal(t, "`````text\n````\n```` x\n`````\n", codeBlock("text", "````\n```` x\n\n"))
}

// hostileSeeds are texts that mean something in one of the formats.
func hostileSeeds() []string {
	return append(sample.Hostile(), "", "::", "::error::x", "x\n::error::x", "##[error]x", "%0A::error::", "`", "``` ```", "a\n```\n<b>", "\n\n", "</details>",
		"</summary>\n\n# x", "]]>", "&#0;", "[a](1)", "{0}", "\x00", "\ufffe", "\xed\xa0\x80", "\u202e", "../../x", "/etc/passwd", "..x", "C:/x", "a\\|b", "-", "x.go")
}

// FuzzHostile puts a text in each field of a verdict that the code under test decides on, and reads each format by its own
// rules: nothing but what we write may act.
func FuzzHostile(f *testing.F) {
	for _, s := range hostileSeeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v := withText(s)
		render := func(write func(io.Writer, *verdict.Verdict, Options) error) string {
			var b bytes.Buffer
			require.NoError(t, write(&b, v, Options{Repo: repo, Category: s, Version: s}))
			require.True(t, utf8.Valid(b.Bytes()), "UTF-8")
			return b.String()
		}
		checkText(t, render(Text))
		checkAnnotations(t, render(GitHub), len(failing(v)))
		checkSummary(t, render(Summary), len(failing(v)))
		checkJSON(t, render(JSON), s)
		checkSARIF(t, render(SARIF), v)
		checkGitLab(t, render(GitLab), v)
		checkJUnit(t, render(JUnit))
	})
}

var (
	commandAnywhere = regexp.MustCompile(`##[\w.]*\[`)
	annotationLine  = regexp.MustCompile(`^::(error|warning) (file|line|endLine|title)=[^:,\n]+(,(line|endLine|title)=[^:,\n]+)*::[^\n]*\n$`)
	tableLine       = regexp.MustCompile(`^\|[ a-z0-9:|-]*\|$`)
	headlineLine    = regexp.MustCompile(`^<p><code>[^<>]*</code></p>$`)
	detailsLine     = regexp.MustCompile(`^<details><summary><b>[^<>]*</b> <code>[^<>]*</code>, <code>[^<>]*</code>, (new|over|expired)</summary>$`)
	unescapedLink   = regexp.MustCompile(`(^|[^\\])(\\\\)*\]\(`)
	replaced        = regexp.MustCompile("\ufffd+")
)

// isActing is a character of Unicode's categories of controls, of lines and paragraphs, or of those that turn the direction of text.
func isActing(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

func checkText(t *testing.T, out string) {
	t.Helper()
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		assert.False(t, strings.HasPrefix(strings.TrimSpace(line), "::"), "a command for GitHub's runner: %q", line)
		assert.False(t, commandAnywhere.MatchString(line), "a command for a runner: %q", line)
		assert.Equal(t, -1, strings.IndexFunc(line, isActing), "a character that acts: %q", line)
	}
}

func checkAnnotations(t *testing.T, out string, fails int) {
	t.Helper()
	errorsSeen := 0
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "leakgate: ") {
			checkText(t, line)
			continue
		}
		require.Regexp(t, annotationLine, line)
		if strings.HasPrefix(line, "::error ") {
			errorsSeen++
		}
	}
	assert.Equal(t, min(fails, maxAnnotations), errorsSeen)
}

// checkSummary takes code out as CommonMark finds it and looks at the rest, which must be ours alone.
func checkSummary(t *testing.T, out string, fails int) {
	t.Helper()
	assert.LessOrEqual(t, len(out), maxSummary)
	var rest strings.Builder
	fence := ""
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case fence != "":
			if trimmed := strings.TrimSpace(line); len(line)-len(strings.TrimLeft(line, " ")) < 4 && strings.Trim(trimmed, "`") == "" && len(trimmed) >= len(fence) {
				fence = ""
			}
			continue
		case strings.HasPrefix(line, "```"):
			fence = line[:len(line)-len(strings.TrimLeft(line, "`"))]
			assert.Equal(t, "text", line[len(fence):])
			continue
		}
		rest.WriteString(line + "\n")
	}
	require.Empty(t, fence, "a block that does not end")
	for line := range strings.Lines(rest.String()) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "", line == "## Leakgate: failed", line == "### What fails", line == "### Beside that", line == "</details>":
		case strings.HasPrefix(line, "|"):
			require.Regexp(t, tableLine, line)
		case strings.HasPrefix(line, "<p>"):
			require.Regexp(t, headlineLine, line)
		default:
			require.Regexp(t, detailsLine, line)
		}
	}
	assert.Equal(t, fails, strings.Count(rest.String(), "<details>"))
}

func checkJSON(t *testing.T, out, s string) {
	t.Helper()
	var doc struct {
		Findings []struct{ Leak struct{ Summary string } }
	}
	require.NoError(t, json.Unmarshal([]byte(out), &doc))
	assert.Equal(t, strings.ToValidUTF8(s, "\ufffd"), collapse(doc.Findings[0].Leak.Summary, s), "as it is")
	assert.NotContains(t, out, "<")
}

// collapse makes one replacement character of several in a row: encoding/json has one for each byte.
func collapse(got, in string) string {
	if utf8.ValidString(in) {
		return got
	}
	return replaced.ReplaceAllString(got, "\ufffd")
}

// sarifRead is a SARIF file as it is read.
type sarifRead struct {
	Runs []struct {
		Tool        sarifTool
		Invocations []sarifInvocation
		Results     []sarifResult
	}
}

func checkSARIF(t *testing.T, out string, v *verdict.Verdict) {
	t.Helper()
	var log sarifRead
	require.NoError(t, json.Unmarshal([]byte(out), &log))
	run := log.Runs[0]
	require.Len(t, run.Results, len(v.Findings))
	for i, r := range run.Results {
		assert.NotEmpty(t, r.RuleID)
		assert.Equal(t, r.RuleID, run.Tool.Driver.Rules[r.RuleIndex].ID)
		assert.Equal(t, v.Findings[i].ID, r.PartialFingerprints["leakgate/v1"])
		for _, l := range append(r.Locations, r.RelatedLocations...) {
			u, err := url.Parse(l.Physical.Artifact.URI)
			require.NoError(t, err)
			assert.True(t, u.Scheme == "" && u.Host == "" && u.Path != "" && u.Path[0] != '/' && !strings.HasPrefix(u.Path+"/", "../"), "%q", l.Physical.Artifact.URI)
			assert.Positive(t, l.Physical.Region.StartLine)
			assert.Greater(t, l.Physical.Region.EndColumn, l.Physical.Region.StartColumn)
		}
		text, ours, _ := strings.Cut(r.Message.Text, " See [where it was called from](")
		assert.NotRegexp(t, unescapedLink, text, "a link")
		if ours != "" {
			assert.Regexp(t, `^\d+\)\.$`, ours)
		}
	}
}

func checkGitLab(t *testing.T, out string, v *verdict.Verdict) {
	t.Helper()
	var all []gitlabIssue
	require.NoError(t, json.Unmarshal([]byte(out), &all))
	require.Len(t, all, len(v.Findings))
	seen := map[string]bool{}
	for _, i := range all {
		assert.NotEmpty(t, i.Description)
		assert.NotEmpty(t, i.CheckName)
		assert.False(t, seen[i.Fingerprint], "twice: %s", i.Fingerprint)
		seen[i.Fingerprint] = true
		assert.NotEmpty(t, i.Location.Path)
		assert.Empty(t, strings.TrimLeftFunc(i.Location.Path[:1], func(r rune) bool { return r != '/' }), "not absolute")
		assert.Positive(t, i.Location.Lines.Begin)
	}
}

func checkJUnit(t *testing.T, out string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(out))
	known := map[string]bool{"testsuites": true, "testsuite": true, "testcase": true, "failure": true, "error": true, "skipped": true, "properties": true, "property": true}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			require.True(t, known[token.Name.Local], "<%s>", token.Name.Local)
			for _, a := range token.Attr {
				require.Equal(t, -1, strings.IndexFunc(a.Value, notXML), "%q", a.Value)
			}
		case xml.CharData:
			require.Equal(t, -1, strings.IndexFunc(string(token), notXML), "%q", token)
		case xml.Comment, xml.Directive:
			t.Fatalf("%T: %s", token, token)
		}
	}
}

// notXML is a character that XML 1.0 (2.2) does not have.
func notXML(r rune) bool {
	return unicode.IsControl(r) && r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
}
