package format

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/codes"
	"github.com/leakgate/leakgate/internal/verdict"
)

func render(t *testing.T, f func(b *bytes.Buffer) error) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, f(&b))
	return b.String()
}

func manyFindings(n int) *verdict.Verdict {
	v := base()
	for i := range n {
		v.Findings = append(v.Findings, simple(i, verdict.New))
	}
	return v
}

// TestSARIFKeepsTheWorst: GitHub keeps 5 000 results, and we decide which.
func TestSARIFKeepsTheWorst(t *testing.T) {
	const most = 50
	for _, c := range []struct{ n, want int }{{most, most}, {most + 7, most}} {
		var log sarifRead
		require.NoError(t, json.Unmarshal([]byte(render(t, func(b *bytes.Buffer) error {
			return writeSARIF(b, manyFindings(c.n), Options{}, most, maxSARIF)
		})), &log))
		require.Len(t, log.Runs[0].Results, c.want)
		last := log.Runs[0].Results[c.want-1]
		assert.Equal(t, fmt.Sprintf("%016x", c.want-1), last.PartialFingerprints[fingerprintKey], "the first ones")
		notes := log.Runs[0].Invocations[0].Notifications
		if c.n == c.want {
			assert.Empty(t, notes)
			continue
		}
		require.Len(t, notes, 1)
		assert.Equal(t, "7 findings left out: GitHub keeps 5000 results and files of up to 10 MB.", notes[0].Message.Text)
	}
}

// TestSARIFSize: a file that is too large when it is compressed is rejected as a whole, so results are left out.
func TestSARIFSize(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: what does not compress takes long")
	}
	random := rand.New(rand.NewPCG(1, 2))
	noise := func() string { // what does not compress
		b := make([]byte, maxField)
		for i := range b {
			b[i] = byte('0' + random.IntN(75))
		}
		return string(b)
	}
	const findings, limit = 200, 250_000
	v := manyFindings(findings)
	for i := range v.Findings {
		l := &v.Findings[i].Leak
		l.Summary, l.State, l.Hint, l.Unknown = noise(), noise(), noise(), noise()
		v.Findings[i].Fingerprint = noise() + noise()
	}
	doc := render(t, func(b *bytes.Buffer) error { return writeSARIF(b, v, Options{}, maxResults, limit) })
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write([]byte(doc))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	assert.Less(t, packed.Len(), limit)
	var log sarifRead
	require.NoError(t, json.Unmarshal([]byte(doc), &log))
	n := len(log.Runs[0].Results)
	assert.Greater(t, packed.Len(), limit/2, "no more than has to be")
	require.Len(t, log.Runs[0].Invocations[0].Notifications, 1)
	assert.Contains(t, log.Runs[0].Invocations[0].Notifications[0].Message.Text, fmt.Sprintf("%d findings left out", findings-n))
}

// TestSummaryFits: GitHub shows nothing of a summary of more than 1 MiB.
func TestSummaryFits(t *testing.T) {
	v := manyFindings(6000)
	long := strings.Repeat("漏", 1500)
	for i := range v.Findings {
		l := &v.Findings[i].Leak
		l.Summary, l.State, l.Hint, l.Holds = long, long, long, []string{long, long, long, long, long, long, long, long}
	}
	for i := range 500 {
		v.Unjudged = append(v.Unjudged, verdict.Unjudged{Why: fmt.Sprint(i, long)})
		v.Problems = append(v.Problems, verdict.Problem{File: fmt.Sprint(i, long)})
	}
	out := render(t, func(b *bytes.Buffer) error { return Summary(b, v, Options{}) })
	assert.LessOrEqual(t, len(out), maxSummary)
	assert.Greater(t, len(out), maxSummary/2, "what there is room for is shown")
	assert.True(t, utf8.ValidString(out))
	assert.Regexp(t, `… and \d+ kinds more, for which there is no room here\.`, out)
	assert.Equal(t, maxDetails, strings.Count(out, "<details>"))
	assert.True(t, strings.HasSuffix(out, "```\n"), "what is said at the end is there")
}

// TestAnnotationsAreFew: GitHub shows ten errors and ten warnings of a step, whichever come first.
func TestAnnotationsAreFew(t *testing.T) {
	v := manyFindings(30)
	v.Stale = []verdict.Stale{{}}
	v.Unended = append(v.Unended, cases()[8].verdict.Unended...)
	for i := range 20 {
		v.Problems = append(v.Problems, verdict.Problem{File: fmt.Sprint(i)})
	}
	out := render(t, func(b *bytes.Buffer) error { return GitHub(b, v, Options{}) })
	assert.Equal(t, 10, strings.Count(out, "::error "))
	assert.Equal(t, 10, strings.Count(out, "::warning "))
	assert.Contains(t, out, "::warning title=Leakgate::and 20 leaks of 20 kinds more: see the job summary\n")
	assert.Contains(t, out, "::warning title=Leakgate::and 14 more files could not be used\n")
}

// TestRules: every code is a rule, with all that GitHub asks of one.
func TestRules(t *testing.T) {
	v := base()
	v.Findings = []verdict.Finding{simple(1, verdict.New), simple(2, verdict.New), simple(3, verdict.New), simple(4, verdict.New)}
	v.Findings[1].Leak.Code, v.Findings[2].Leak.Code, v.Findings[3].Leak.Code = "REDIS1", "", "REDIS1"
	set := newRuleSet(v)
	require.Len(t, set.list, len(codes.All())+2)
	for i, r := range set.list {
		assert.Equal(t, i, set.index[r.ID])
		assert.NotEmpty(t, r.ID)
		for _, s := range []string{r.ShortDescription.Text, r.FullDescription.Text} {
			assert.NotEmpty(t, s, r.ID)
			assert.LessOrEqual(t, utf8.RuneCountInString(s), 1024, r.ID)
		}
		assert.NotEmpty(t, r.Help.Text, r.ID)
		assert.LessOrEqual(t, len(r.Properties.Tags), 10, r.ID)
		if i < len(codes.All()) {
			assert.NotEmpty(t, r.Help.Markdown, r.ID)
			assert.NotEmpty(t, r.HelpURI, r.ID)
			assert.NotEmpty(t, r.Name, r.ID)
		}
	}
	id, _ := set.of("REDIS1")
	assert.Equal(t, "REDIS1", id)
	id, _ = set.of("\n")
	assert.Equal(t, `\n`, id)
	id, _ = set.of("")
	assert.Equal(t, unknownCode, id)
}
