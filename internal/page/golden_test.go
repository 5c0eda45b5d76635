package page

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/baseline"
	"github.com/leakgate/leakgate/internal/verdict"
)

var update = flag.Bool("update", false, "write the golden files anew")

var digest = regexp.MustCompile(`sha256-[A-Za-z0-9&;#+/]+=`)

// red has one of everything.
func red() *verdict.Verdict {
	frame := fragment.Frame{Func: "example.com/shop/store.(*Client).Get", File: "store/client.go", Line: 42, Source: "resp, err := c.http.Do(req)", InModule: true}
	test := ran("TestClient", 4711, 100, 400, 2)
	test.Package, test.Result = "example.com/shop/store", fragment.Leaked
	test.Pools = []fragment.Pool{{Kind: "http-conn", Name: "api:443", Size: 4, Requests: 10, Peak: 4, Dialed: 4, Reused: 6, Limit: .5}}
	known := baseline.Entry{
		Key: baseline.Key{Package: "example.com/shop/mail", Fingerprint: "goroutine | | example.com/shop/mail.Send | TestSend"}, Count: 1, Code: "LK102",
		Reason: "waits for the new queue", Owner: "@mail", Added: "2026-10-01", Expires: "2027-01-01", Notes: []string{"see issue 7"}, Line: 12,
	}
	stale := known
	stale.Fingerprint, stale.Count, stale.Line = "goroutine | | example.com/shop/mail.Poll | TestPoll", 3, 22
	return &verdict.Verdict{
		Findings: []verdict.Finding{
			{
				Key: baseline.Key{Package: "example.com/shop/store", Fingerprint: "http-response | GET | example.com/shop/store.(*Client).Get | TestClient"},
				ID:  "0123456789abcdef", Standing: verdict.New, Count: 2, Runs: 1, Of: 2, Tests: []string{"TestClient/403", "TestClient/502"},
				Module: "example.com/shop", ModuleDir: ".", Path: "store/client.go", Line: 42,
				Leak: fragment.Leak{
					Kind: "http-response", Code: "LK001", Class: "GET", Summary: "response body of GET /session (403) was never closed", Count: 2,
					Site: frame, Role: "taken at", Stack: []fragment.Frame{frame, {Func: "example.com/shop/store.TestClient", File: "store/client_test.go", Line: 9, InModule: true}},
					State: "0 of 118 bytes read", Why: "nothing frees it", Holds: []string{"a socket"}, Hint: "defer resp.Body.Close()", Waited: time.Second,
				},
			},
			{
				Key: known.Key, ID: "fedcba9876543210", Standing: verdict.Known, Count: 1, Runs: 1, Of: 1, Allowed: 1, Entry: &known,
				Leak: fragment.Leak{Kind: "goroutine", Code: "LK102", Summary: "a goroutine has not ended", Unknown: "run leakgate test", Suspects: []string{"TestSend"}},
			},
		},
		Stale:    []verdict.Stale{{Entry: stale, File: "leakgate.baseline", Count: 1}},
		Unjudged: []verdict.Unjudged{{Entry: stale, File: "leakgate.baseline", Why: "its test was skipped"}},
		Tests:    []verdict.TestRun{test},
		Series: []verdict.Series{{Package: "example.com/shop/store", PID: 4711, Began: start, Samples: []fragment.Sample{
			{At: after(0), Goroutines: 4, Sockets: 3}, {At: after(200), Goroutines: 11, Sockets: 7, Leased: map[string]int{"api:443": 4}},
			{At: after(500), Goroutines: 8, Sockets: 5, Leased: map[string]int{"api:443": 2}},
		}}},
		Ignored:  []fragment.Ignored{{Reason: "lives as long as the process", Count: 2}},
		Unused:   []verdict.UnusedIgnore{{Package: "example.com/shop/mail", Ignore: "Func(mail.old): gone soon"}},
		Unended:  []fragment.Header{{Package: "example.com/shop/cart", PID: 4712, Began: after(0)}},
		Problems: []verdict.Problem{{File: "leaks/mail.json", Err: errors.New("offset 7: cut")}},
		Packages: []string{"example.com/shop/cart", "example.com/shop/mail", "example.com/shop/store"}, Modules: []string{"example.com/shop"},
		Fragments: 3, Took: 500 * time.Millisecond, Began: start, Ended: after(500), Baseline: "leakgate.baseline",
	}
}

// TestGolden holds whole pages, without the style and the scripts, which are the same on all.
func TestGolden(t *testing.T) {
	passed := ran("TestA", 1, 0, 10, 0)
	for _, c := range []struct {
		name, reason string
		v            *verdict.Verdict
	}{
		{"red", "each part of a page once: a new leak and a known one, a process over time, a pool at its size, and what is stale, missing or set aside", red()},
		{"clean", "nothing to say takes no room: no filter, no plots, and no lists", &verdict.Verdict{
			Tests: []verdict.TestRun{passed}, Packages: []string{"example.com/p"}, Modules: []string{"example.com/p"}, Fragments: 1,
		}},
		{"nothing", "that nothing was read is no pass", &verdict.Verdict{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			page := string(render(t, c.v, Options{SourceURL: source, Version: "v1.2.3"}))
			page = script.ReplaceAllStringFunc(page, func(s string) string {
				if m := script.FindStringSubmatch(s); m[1] == "<script>" {
					return "<script>…</script>"
				}
				return s
			})
			page = digest.ReplaceAllString(style.ReplaceAllString(page, "<style>…</style>"), "sha256-…")
			got := fmt.Sprintf("<!-- %s -->\n%s", c.reason, page)
			path := filepath.Join("testdata", c.name+".html")
			if *update {
				require.NoError(t, os.MkdirAll("testdata", 0o755))
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, string(want), got)
		})
	}
}

// TestVerdict: the sentence at the top, for each way in which a run can end.
func TestVerdict(t *testing.T) {
	finding := func(s verdict.Standing) verdict.Finding {
		return verdict.Finding{Standing: s, Count: 1, Leak: fragment.Leak{Summary: "s"}}
	}
	problem := []verdict.Problem{{File: "f", Err: errors.New("e")}}
	unended := []fragment.Header{{}, {}}
	for _, c := range []struct {
		v                         verdict.Verdict
		mood, word, sentence, gap string
	}{
		{verdict.Verdict{}, "gaps", "Nothing was judged", "No fragment could be read, so that nothing is known of this run.", ""},
		{verdict.Verdict{Fragments: 1}, "passes", "Passes", "Nothing leaked.", ""},
		{verdict.Verdict{Fragments: 1, Findings: []verdict.Finding{finding(verdict.Known)}}, "passes", "Passes",
			"Nothing new leaked. 1 known leak is still in the baseline.", ""},
		{verdict.Verdict{Fragments: 1, Findings: []verdict.Finding{finding(verdict.Known), finding(verdict.Known), finding(verdict.Noted)}}, "passes", "Passes",
			"Nothing new leaked. 2 known leaks are still in the baseline. 1 finding was told, not judged.", ""},
		{verdict.Verdict{Fragments: 1, Findings: []verdict.Finding{finding(verdict.Noted), finding(verdict.Noted)}}, "passes", "Passes",
			"Nothing leaked that counts. 2 findings were told, not judged.", ""},
		{verdict.Verdict{Fragments: 1, Problems: problem}, "gaps", "No new leak, but not everything was seen", "Nothing leaked.",
			"1 file could not be read, or not to the end."},
		{verdict.Verdict{Fragments: 1, Unended: unended, Problems: problem, Findings: []verdict.Finding{finding(verdict.New)}}, "fails", "Fails",
			"1 new leak must be fixed.",
			"1 file could not be read, or not to the end and 2 processes ended without their last record (killed, or a panic)."},
		{verdict.Verdict{Fragments: 1, Findings: []verdict.Finding{finding(verdict.New), finding(verdict.New), finding(verdict.Over), finding(verdict.Expired)}}, "fails", "Fails",
			"2 new leaks, 1 known leak that grew past its baseline and 1 known leak whose time is up must be fixed.", ""},
		{verdict.Verdict{Fragments: 1, Findings: []verdict.Finding{finding(verdict.Over), finding(verdict.Over), finding(verdict.Expired), finding(verdict.Expired)}}, "fails", "Fails",
			"2 known leaks that grew past their baseline and 2 known leaks whose time is up must be fixed.", ""},
	} {
		p := newView(&c.v, Options{})
		assert.Equal(t, []string{c.mood, c.word, c.sentence, c.gap}, []string{p.Mood, p.Word, p.Sentence, p.Gaps})
		assert.Equal(t, c.v.Red(), p.Start != nil, "a red page says where to start")
	}
}
