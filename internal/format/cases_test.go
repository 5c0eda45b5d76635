package format

import (
	"errors"
	"fmt"
	"testing/fstest"
	"time"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/baseline"
	"github.com/leakgate/leakgate/internal/verdict"
)

var began = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

// repo is what a checkout has: the tests that a leak without a line is shown at.
var repo = fstest.MapFS{
	"go.mod":                   {Data: []byte("module example.com/shop\n")},
	"api/orders_test.go":       {Data: []byte("package api\n\nfunc TestOrders(t *testing.T) {\n}\n")},
	"services/pay/pay_test.go": {Data: []byte("package pay\n\n// TestPay pays.\nfunc TestPay(t *testing.T) {\n")},
}

func frame(fn, file string, line int, source string) fragment.Frame {
	return fragment.Frame{Func: "example.com/shop/" + fn, File: file, Line: line, Source: source, InModule: true}
}

// finding is a leak with all that one may have.
func finding() verdict.Finding {
	site := frame("store.(*Client).Get", "store/client.go", 42, "resp, err := c.http.Do(req)")
	return verdict.Finding{
		Key: baseline.Key{Package: "example.com/shop/store", Fingerprint: "http-response | GET | example.com/shop/store.(*Client).Get | TestClient"},
		ID:  "0ad7a04cdc519676", Standing: verdict.New, Count: 3, Runs: 2, Of: 3, Tests: []string{"TestClient/403", "TestClient/502"},
		Module: "example.com/shop", ModuleDir: ".", Path: "store/client.go", Line: 42,
		Leak: fragment.Leak{
			Kind: "http-response", Code: "LK001", Class: "GET", Test: "TestClient/403", Outcome: fragment.Fatal, Count: 2,
			Fingerprint: "http-response | GET | example.com/shop/store.(*Client).Get | TestClient",
			Summary:     "response body of GET /session (403, awselb/2.0) was never closed", Site: site, Role: "taken at",
			Stack: []fragment.Frame{
				{Func: "example.org/retry.Do", File: "example.org/retry@v1.2.0/retry.go", Line: 7}, site,
				frame("store.(*Session).Refresh", "store/session.go", 88, "body, err := s.client.Get(ctx, s.url)"),
				frame("store.TestClient.func1", "store/client_test.go", 31, "require.Error(t, s.Refresh(t.Context()))"),
			},
			State: "0 of 118 bytes read", Why: "nothing frees it: no idle timeout, no garbage collection",
			Holds: []string{"a socket", "2 goroutines"}, Hint: "defer resp.Body.Close()", Waited: 1004 * time.Millisecond, At: began.Add(time.Second),
		},
	}
}

// simple is a finding with little.
func simple(n int, standing verdict.Standing) verdict.Finding {
	name := fmt.Sprintf("TestWorker%02d", n)
	f := verdict.Finding{
		Key: baseline.Key{Package: "example.com/shop/queue", Fingerprint: "goroutine |  | example.com/shop/queue.Start | " + name},
		ID:  fmt.Sprintf("%016x", n), Standing: standing, Count: 1, Runs: 1, Of: 1, Tests: []string{name},
		Module: "example.com/shop", ModuleDir: ".", Path: "queue/start.go", Line: 10 + n,
		Leak: fragment.Leak{
			Kind: "goroutine", Code: "LK102", Test: name, Count: 1, Summary: fmt.Sprintf("goroutine queue.worker%02d has not ended", n),
			Site: frame("queue.Start", "queue/start.go", 10+n, "go worker()"), Role: "started at", State: "chan receive", Hint: "close(q.done)", Likely: true,
		},
	}
	return f
}

func testRun(pkg, name, result string, leaks int) verdict.TestRun {
	return verdict.TestRun{Package: "example.com/shop/" + pkg, PID: 4711, Leaks: leaks, Test: fragment.Test{
		Name: name, Result: result, Began: began, Took: 1500 * time.Millisecond,
		Goroutines: fragment.Peak{Before: 4, After: 4, Most: 11}, Sockets: fragment.Peak{Before: 3, After: 3, Most: 9},
	}}
}

// base is a run in which nothing was found.
func base() *verdict.Verdict {
	return &verdict.Verdict{
		Tests:    []verdict.TestRun{testRun("store", "TestClient", fragment.Passed, 0), testRun("store", "TestSlow", fragment.Skipped, 0)},
		Packages: []string{"example.com/shop/store"}, Modules: []string{"example.com/shop"}, Fragments: 1,
		Began: began, Ended: began.Add(2 * time.Second), Took: 2 * time.Second,
	}
}

type goldenCase struct {
	name, reason string
	verdict      *verdict.Verdict
	options      Options
}

// cases are what each format is shown with. Each has the reason why it is there.
func cases() []goldenCase {
	nothing := &verdict.Verdict{}

	one := base()
	one.Findings = []verdict.Finding{finding()}
	one.Tests = append(one.Tests, testRun("store", "TestClient/403", fragment.Leaked, 1), testRun("store", "TestClient/502", fragment.Leaked, 2))

	standings := base()
	standings.Baseline = "leakgate.baseline"
	over, expired, unread, known, noted, excused := simple(1, verdict.Over), simple(2, verdict.Expired), simple(3, verdict.Expired),
		simple(4, verdict.Known), simple(5, verdict.Noted), simple(6, verdict.Noted)
	over.Count, over.Allowed = 3, 2
	over.Entry = &baseline.Entry{Key: over.Key, Count: 2, Code: "LK102", Reason: "was there when the baseline was made", Added: "2026-06-01", Line: 9}
	expired.Entry = &baseline.Entry{Key: expired.Key, Count: 1, Reason: "fixed with the new queue", Owner: "@queue", Expires: "2026-09-01", Line: 19}
	unread.Leak.Expired = "soon"
	known.Count, known.Allowed = 2, 2
	known.Entry = &baseline.Entry{Key: known.Key, Count: 2, Code: "LK102", Reason: "was there when the baseline was made", Added: "2026-06-01", Owner: "@queue", Line: 29}
	excused.Excused = true
	standings.Findings = []verdict.Finding{over, expired, unread, known, noted, excused}
	gone, fewer := *known.Entry, *over.Entry
	gone.Fingerprint, gone.Line = "goroutine |  | example.com/shop/queue.Old | TestOld", 39
	fewer.Fingerprint, fewer.Line, fewer.Count = "goroutine |  | example.com/shop/queue.Pump | TestPump", 49, 4
	standings.Stale = []verdict.Stale{{Entry: gone, File: "leakgate.baseline"}, {Entry: fewer, File: "leakgate.baseline", Count: 1}}
	standings.Unjudged = []verdict.Unjudged{
		{Entry: gone, File: "leakgate.baseline", Why: "its test was skipped"}, {Entry: fewer, File: "leakgate.baseline", Count: 1, Why: "its test was skipped"},
		{Entry: *expired.Entry, File: "leakgate.baseline", Why: "its test did not run"},
	}
	for i := range 6 {
		standings.Tests = append(standings.Tests, testRun("queue", fmt.Sprintf("TestWorker%02d", i+1), fragment.Leaked, 1))
	}
	standings.Packages = append(standings.Packages, "example.com/shop/queue")

	green := base()
	green.Baseline = "leakgate.baseline"
	green.Findings = []verdict.Finding{known}

	unattributed := base()
	nobody, suspected := simple(7, verdict.New), simple(8, verdict.New)
	for _, f := range []*verdict.Finding{&nobody, &suspected} {
		f.Package = "example.com/shop/api"
		f.Tests, f.Path, f.Line, f.Leak.Site, f.Leak.Test, f.Leak.Hint, f.Leak.Code = nil, "", 0, fragment.Frame{}, "", "", "LK302"
		f.Leak.Kind, f.Leak.Summary, f.Leak.Unknown = "socket", "tcp4 listener was never closed", "the kernel does not say which line opened a socket: run leakgate test"
	}
	suspected.Leak.Suspects = []string{"TestInvoices", "TestOrders/7"}
	outside := simple(9, verdict.New)
	outside.Package, outside.Path, outside.Line = "example.com/shop/queue", "queue/send.go", 24
	outside.Leak.Site = fragment.Frame{Func: "example.org/amqp.(*Conn).Open", File: "example.org/amqp@v1.2.0/conn.go", Line: 31}
	outside.Leak.Example = true
	outside.Leak.Stack = []fragment.Frame{outside.Leak.Site, frame("queue.Send", "queue/send.go", 24, "c, err := amqp.Dial(url)")}
	unattributed.Findings = []verdict.Finding{nobody, suspected, outside}

	modules := base()
	modules.Modules = append(modules.Modules, "example.com/pay")
	pay := simple(10, verdict.New)
	pay.Package, pay.Module, pay.ModuleDir, pay.Path = "example.com/pay", "example.com/pay", "services/pay", ""
	pay.Line, pay.Leak.Site, pay.Tests = 0, fragment.Frame{}, []string{"TestPay"}
	modules.Findings = []verdict.Finding{pay, finding()}
	modules.Baseline = "leakgate.baseline, services/pay/leakgate.baseline"
	modules.Stale = []verdict.Stale{{Entry: baseline.Entry{Key: pay.Key, Count: 1}, File: "services/pay/leakgate.baseline"}}

	many := base()
	for i := range 14 {
		many.Findings = append(many.Findings, simple(i, verdict.New))
	}

	incomplete := base()
	incomplete.Ignored = []fragment.Ignored{{Reason: "the exporter lives as long as the process", Count: 3}}
	incomplete.Unused = []verdict.UnusedIgnore{{Package: "example.com/shop/store", Ignore: `Ignore("old janitor") at store/main_test.go:14`}}
	incomplete.Unended = []fragment.Header{{Package: "example.com/shop/feed", PID: 4712, Began: began}}
	incomplete.Problems = []verdict.Problem{
		{File: "leaks/mail-4711-c0ffee.json", Err: errors.New("offset 2048: the file ends in the middle of a record; what is before it was read")},
		{File: "leakgate.baseline", Err: errors.New("leakgate.baseline:7: expected \"key: value\"")},
	}
	failed := testRun("store", "TestRefund", fragment.Failed, 0)
	incomplete.Tests = append(incomplete.Tests, failed)

	return []goldenCase{
		{"clean", "nothing to say is said in a few words, and every list is there for machines", base(), Options{}},
		{"nothing", "no fragment is no proof that nothing leaks", nothing, Options{}},
		{"one", "one leak with all that is known of it: the line, who called it, the fix", one, Options{Repo: repo, Version: "v1.2.0", Category: "unit", Blob: "https://github.com/shop/shop/blob/3f1c2aa/"}},
		{"standings", "what the baseline makes of leaks, what has to leave it, and what this run says nothing about", standings, Options{}},
		{"known", "what the baseline knows does not fail, and is not silent", green, Options{}},
		{"unattributed", "a leak without a line is shown at its test or at go.mod; one that a library took, where it was called", unattributed, Options{Repo: repo}},
		{"modules", "two modules in one repository: paths from its root, and each command where it has to run", modules, Options{Repo: repo}},
		{"many", "the worst are shown and the rest is counted", many, Options{}},
		{"incomplete", "what could not be read or ended early is said, because the verdict does not cover it", incomplete, Options{}},
		{"hostile", "texts from a program under test stay texts", hostile(), Options{Category: "<b>`|"}},
	}
}

// hostile has a text that means something in every format, in every field that is not ours.
func hostile() *verdict.Verdict {
	return withText("\n::error::x##[add-mask]y%0A</pre>`|]]>[l](javascript:1)<b>\x1b[1m\u202e&\xff")
}

// withText is a verdict with the text in each field that the code under test decides on.
func withText(s string) *verdict.Verdict {
	f := finding()
	f.Package, f.Fingerprint, f.Tests = s, s, []string{s, "TestB"}
	f.Path, f.Line = "a/"+s, 3
	l := &f.Leak
	l.Kind, l.Code, l.Class, l.Test, l.Suspects, l.Summary, l.Role = s, s, s, s, []string{s}, s, s
	l.State, l.Why, l.Holds, l.Hint, l.Unknown = s, s, []string{s}, s, s
	l.Site = fragment.Frame{Func: s, File: s, Line: 3, Source: s, InModule: true}
	l.Stack = []fragment.Frame{{Func: s, File: "b/" + s, Line: 4, Source: s, InModule: true}, {Func: s, File: s, Line: 5}}
	nobody := f
	nobody.Tests, nobody.ID, nobody.Path, nobody.ModuleDir = nil, "1", s, s
	entry := baseline.Entry{Key: f.Key, Count: 2, Code: s, Reason: s, Owner: s, Expires: s, Line: 3}
	expired, known, noted := f, f, f
	expired.Standing, expired.Entry, expired.ID = verdict.Expired, &entry, "2"
	known.Standing, known.Entry, known.ID = verdict.Known, &entry, "3"
	noted.Standing, noted.ID = verdict.Noted, "4"
	v := base()
	v.Baseline = s
	v.Findings = []verdict.Finding{f, nobody, expired, known, noted}
	v.Stale = []verdict.Stale{{Entry: entry, File: s}}
	v.Unjudged = []verdict.Unjudged{{Entry: entry, File: s, Why: s}}
	v.Tests = append(v.Tests, verdict.TestRun{Package: s, Test: fragment.Test{Name: s, Result: fragment.Leaked, Pools: []fragment.Pool{{Kind: s, Name: s}}}})
	v.Series = []verdict.Series{{Package: s, Samples: []fragment.Sample{{Leased: map[string]int{s: 1}}}}}
	v.Ignored = []fragment.Ignored{{Reason: s, Count: 1}}
	v.Unused = []verdict.UnusedIgnore{{Package: s, Ignore: s}}
	v.Unended = []fragment.Header{{Package: s, PID: 1}}
	v.Problems = []verdict.Problem{{File: s, Err: errors.New(s)}}
	v.Packages, v.Modules = append(v.Packages, s), append(v.Modules, s)
	return v
}
