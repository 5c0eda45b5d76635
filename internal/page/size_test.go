package page

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/baseline"
	"github.com/leakgate/leakgate/internal/verdict"
	"github.com/leakgate/leakgate/internal/verdict/sample"
)

// TestLarge: ten thousand tests with a thousand leaks make a page below 5 MB that leaves none of them out.
func TestLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: 10 000 tests")
	}
	v := verdict.Merge(sample.Large())
	page := render(t, v, Options{SourceURL: source})
	assert.Less(t, len(page), 5_000_000)
	text := string(page)
	assert.Equal(t, len(v.Findings), strings.Count(text, "<article "))
	assert.Equal(t, rowsWithoutScript, strings.Count(text, `<span class="test">`))
	assert.Contains(t, text, "Drawn: the 8 processes of 200")
	assert.NotContains(t, text, "would make the page too big")
}

// TestTooLarge: what does not fit is counted, with where to find it, and each text has its limit.
func TestTooLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: 40 000 tests and 400 leaks of 50 000 characters")
	}
	long := strings.Repeat("x", 50_000)
	v := &verdict.Verdict{Fragments: 1}
	for i := range 400 {
		v.Findings = append(v.Findings, verdict.Finding{
			Key: baseline.Key{Package: "example.com/p", Fingerprint: long}, ID: fmt.Sprint(i), Standing: verdict.New, Count: 1,
			Leak: fragment.Leak{Kind: "k", Summary: long, State: long, Hint: long, Holds: []string{long}},
		})
		v.Stale = append(v.Stale, verdict.Stale{Entry: baseline.Entry{Count: 1}})
		v.Unjudged = append(v.Unjudged, verdict.Unjudged{Why: "w"})
		v.Problems = append(v.Problems, verdict.Problem{File: "f"})
		v.Unended = append(v.Unended, fragment.Header{PID: i})
		v.Ignored = append(v.Ignored, fragment.Ignored{Reason: "r", Count: 1})
		v.Unused = append(v.Unused, verdict.UnusedIgnore{Ignore: "u"})
	}
	for i := range 40_000 {
		v.Tests = append(v.Tests, verdict.TestRun{Package: "p", Test: fragment.Test{Name: fmt.Sprintf("Test%d", i), Took: time.Second}})
	}
	page := render(t, v, Options{})
	assert.Less(t, len(page), 7_000_000)
	doc := parse(t, page)
	shown := len(doc.named("article"))
	assert.Contains(t, doc.whole(), number(400-shown)+" leaks more, less bad than these, would make the page too big for a browser.")
	assert.Regexp(t, `[0-9,]+ tests that leaked nothing and held less than these are not on the page`, doc.whole())
	for _, id := range []string{"baseline", "problems", "ignored"} {
		section := doc.id(id).up
		assert.Equal(t, 2, strings.Count(section.whole(), "and 200 more"), id)
	}
	assert.Contains(t, doc.named("article")[0].whole(), "(49,600 more characters)")
}

func BenchmarkLarge(b *testing.B) {
	v := verdict.Merge(sample.Large())
	for b.Loop() {
		render(b, v, Options{SourceURL: source})
	}
}
