// Package sample has fragments and baselines made by hand, for tests of what is made of a verdict. The same call gives the
// same data each time.
//
// Input has, beside others: each standing, each code, entries that are stale and entries that were not judged, a
// process that was killed, a rerun of a failed test, a shard on another machine whose clock is behind, a fragment given
// twice and one that could not be read, leaks that belong to no test, pools around 75 % of their size, series that grow,
// and texts that try to break out of each format (see Hostile). Clean has nothing to complain about. Large is for measuring.
package sample

import (
	"errors"
	"fmt"
	"time"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/baseline"
	"github.com/leakgate/leakgate/internal/verdict"
)

// Modules of Input.
const (
	Shop   = "example.com/shop"      // at the root of the repository, with a baseline
	Ledger = "example.com/ledger/v2" // in services/ledger, with a baseline
	Legacy = "example.com/legacy"    // its folder in the repository is not known, and its baseline is as its own processes saw it
)

// Now is the time of the report.
var Now = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

// start is when the first process began.
var start = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

// at gives a time of the run.
func at(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

// Verdict merges Input.
func Verdict() *verdict.Verdict { return verdict.Merge(Input()) }

// Input is a run of three modules in one repository.
func Input() verdict.Input {
	store := storeProcess()
	return verdict.Input{
		Fragments: []*fragment.Fragment{
			store, storeProcess(), // the second one is a copy
			storeRerun(), storeShard(), cartProcess(), feedProcess(), apiProcess(), billingProcess(), ledgerProcess(), databaseProcess(),
			legacyProcess(),
		},
		Problems: []verdict.Problem{{
			File: "leaks/example.com%2Fshop%2Fmail-4711-c0ffee.json",
			Err:  errors.New("offset 2048: the file ends in the middle of a record; what is before it was read"),
		}},
		Baselines: map[string]*baseline.File{Shop: shopBaseline(), Ledger: ledgerBaseline()},
		Now:       Now,
	}
}

// header gives what most processes say of themselves.
func header(module, dir, pkg string, pid, ms int) fragment.Header {
	h := fragment.Header{
		Module: module, ModuleDir: dir, Package: module, Dir: ".", GoVersion: "go1.26.8", GOOS: "linux", GOARCH: "amd64", PID: pid,
		Began: at(ms), Main: true, Baseline: baseline.Name,
	}
	if pkg != "" {
		h.Package, h.Dir = module+"/"+pkg, pkg
	}
	return h
}

func shopHeader(pkg string, pid, ms int) fragment.Header { return header(Shop, ".", pkg, pid, ms) }

// frame gives a line in the module.
func frame(fn, file string, line int, source string) fragment.Frame {
	return fragment.Frame{Func: fn, File: file, Line: line, Source: source, InModule: true}
}

func test(name, result string, ms, took int) fragment.Test {
	return fragment.Test{
		Name: name, Result: result, Began: at(ms), Took: time.Duration(took) * time.Millisecond,
		Goroutines: fragment.Peak{Before: 4, After: 4, Most: 11}, Sockets: fragment.Peak{Before: 3, After: 3, Most: 9},
	}
}

// withStates adds what later versions record: every other socket that is more than at first is in CLOSE_WAIT. In the first
// samples nothing of it is known, as in a file that was made of two.
func withStates(samples []fragment.Sample) []fragment.Sample {
	for i := range samples {
		s := &samples[i]
		if i < 2 {
			continue
		}
		waits := max(0, s.Sockets-samples[0].Sockets) / 2
		s.States = map[string]int{"LISTEN": 1, "ESTABLISHED": s.Sockets - 1 - waits}
		if waits > 0 {
			s.States["CLOSE_WAIT"] = waits
		}
		s.FDs = s.Sockets + 7
		s.HeapInUse = int64(s.Goroutines) << 20
	}
	return samples
}

// growth gives n samples from ms on, four a second, with counts that grow by one each growEvery samples on top of a wave.
func growth(ms, n, growEvery int, pools ...string) []fragment.Sample {
	out := make([]fragment.Sample, n)
	for i := range out {
		wave := []int{0, 2, 5, 3, 1}[i%5]
		s := fragment.Sample{At: at(ms + 250*i), Goroutines: 6 + wave + 2*(i/growEvery), Sockets: 4 + wave/2 + i/growEvery}
		for j, name := range pools {
			if held := wave + i/growEvery - 2*j; held > 0 {
				if s.Leased == nil {
					s.Leased = make(map[string]int)
				}
				s.Leased[name] = held
			}
		}
		out[i] = s
	}
	return out
}

const (
	sessions = "api.payments.test:443"
	orders   = "orders (postgres, db.internal)"
)

func bodyNeverClosed(subtest string, count, ms int) fragment.Leak {
	return fragment.Leak{
		Kind: "http-response", Code: `LK001`, Class: "GET",
		Fingerprint: "http-response | GET | example.com/shop/store.(*Client).Get < example.com/shop/store.(*Session).Refresh | TestClient",
		Test:        "TestClient/" + subtest, Outcome: fragment.Fatal,
		Summary: "response body of GET /session (" + subtest + ", awselb/2.0) was never closed", Count: count,
		Site: frame("example.com/shop/store.(*Client).Get", "store/client.go", 42, "resp, err := c.http.Do(req)"), Role: "taken at",
		Stack: []fragment.Frame{
			frame("example.com/shop/store.(*Client).Get", "store/client.go", 42, "resp, err := c.http.Do(req)"),
			frame("example.com/shop/store.(*Session).Refresh", "store/session.go", 88, "body, err := s.client.Get(ctx, s.url)"),
			frame("example.com/shop/store.TestClient.func1", "store/client_test.go", 31, "require.Error(t, s.Refresh(t.Context()))"),
		},
		State: "its connection waits in select for the body to be read",
		Why:   "nothing frees it: no idle timeout, no garbage collection",
		Holds: []string{
			"1 connection to 127.0.0.1:41234", "2 goroutines (net/http.(*persistConn).readLoop, writeLoop)",
			"1 goroutine of the server in this process",
		},
		Hint: "defer resp.Body.Close()", Waited: 1004 * time.Millisecond, At: at(ms),
	}
}

// storeProcess has one finding of each standing.
func storeProcess() *fragment.Fragment {
	client := test("TestClient", fragment.Leaked, 100, 4000)
	client.Goroutines, client.Sockets = fragment.Peak{Before: 4, After: 13, Most: 31}, fragment.Peak{Before: 3, After: 9, Most: 14}
	client.Pools = []fragment.Pool{
		{Kind: "http-conn", Name: sessions, Size: 20, Requests: 60, Peak: 16, Dialed: 19, Reused: 41, Early: 2},
		{Kind: "http-conn", Name: "cdn.test:80", Requests: 12, Peak: 2, Dialed: 2, Reused: 10},
	}
	list := test("TestList", fragment.Leaked, 4200, 900)
	list.Pools = []fragment.Pool{{Kind: "sql-conn", Name: orders, Size: 20, Requests: 44, Peak: 15, Dialed: 15, Reused: 29, Limit: 0.75}}
	pay := test("TestPay", fragment.Leaked, 5200, 700)
	pay.Pools = []fragment.Pool{{Kind: "sql-conn", Name: orders, Size: 20, Requests: 9, Peak: 14, Dialed: 1, Reused: 8}}
	load := test("TestLoad", fragment.Passed, 8000, 9000)
	load.Pools = []fragment.Pool{{Kind: "sql-conn", Name: orders, Size: 20, Requests: 2000, Peak: 20, Dialed: 21, Reused: 1979}}
	return &fragment.Fragment{
		Header: shopHeader("store", 4711, 0),
		Tests: []fragment.Test{
			client, test("TestClient/403", fragment.Leaked, 110, 1100), test("TestClient/502", fragment.Leaked, 1300, 1100),
			test("TestClient/200", fragment.Passed, 2500, 20), list, pay, test("TestWatch", fragment.Passed, 6000, 1500),
			test("TestRetry", fragment.Passed, 7600, 100), test("TestDrained", fragment.Passed, 7700, 100),
			test("TestRefund", fragment.Failed, 7800, 100), test("TestSlow", fragment.Skipped, 7900, 0), load,
			test("TestFixed", fragment.Passed, 17100, 50),
		},
		Leaks: []fragment.Leak{
			bodyNeverClosed("403", 1, 1200), bodyNeverClosed("502", 2, 2400),
			{
				Kind: "sql-rows", Code: `LK203`, Class: "sql.Rows", Test: "TestList", Outcome: fragment.Fatal, Allowed: 2, Count: 3,
				Fingerprint: "sql-rows | sql.Rows | example.com/shop/store.(*Repo).List | TestList",
				Summary:     "sql.Rows of SELECT id FROM orders WHERE customer = ? were never closed",
				Site:        frame("example.com/shop/store.(*Repo).List", "store/repo.go", 117, "rows, err := r.db.QueryContext(ctx, q, customer)"),
				Role:        "taken at", Hint: "defer rows.Close()", Holds: []string{"3 connections of " + orders},
				Waited: time.Second, At: at(5100),
			}, {
				Kind: "sql-tx", Code: `LK202`, Class: "sql.Tx", Test: "TestPay", Outcome: fragment.Fatal, Expired: "2026-09-01", Count: 1,
				Fingerprint: "sql-tx | sql.Tx | example.com/shop/store.(*Checkout).Pay | TestPay",
				Summary:     "a sql.Tx was never ended", Role: "begun at",
				Site: frame("example.com/shop/store.(*Checkout).Pay", "store/checkout.go", 64, "tx, err := c.DB.BeginTx(ctx, nil)"),
				Hint: "defer tx.Rollback()", State: "idle in a transaction for 650ms", Waited: time.Second, At: at(5900),
			}, {
				Kind: "goroutine", Code: `LK102`, Class: "", Test: "TestWatch", Outcome: fragment.Known, Allowed: 1, Count: 1,
				Fingerprint: "goroutine |  | example.com/shop/store.(*Watcher).Start | TestWatch",
				Summary:     "a goroutine has not ended: example.com/shop/store.(*Watcher).loop", Role: "started at",
				Site:  frame("example.com/shop/store.(*Watcher).Start", "store/watch.go", 23, "go w.loop()"),
				State: "chan receive", Hint: "close(w.done)", Likely: true, Waited: time.Second, At: at(7400),
			}, {
				Kind: "sql-conn", Code: `LK204`, Class: "sql.Conn", Test: "TestRetry", Outcome: fragment.Known, Allowed: 4, Count: 1,
				Fingerprint: "sql-conn | sql.Conn | example.com/shop/store.(*Repo).Retry | TestRetry",
				Summary:     "a connection of " + orders + " was never given back", Role: "taken at",
				Site: frame("example.com/shop/store.(*Repo).Retry", "store/repo.go", 201, "conn, err := r.db.Conn(ctx)"),
				Hint: "defer conn.Close()", At: at(7650),
			}, {
				Kind: "http-response", Code: `LK002`, Class: "HEAD", Test: "TestDrained", Outcome: fragment.Noted, Count: 1,
				Fingerprint: "http-response | HEAD | example.com/shop/store.(*Client).Ping | TestDrained",
				Summary:     "response body of GET /ping (200) was read to its end and never closed", Role: "taken at",
				Site: frame("example.com/shop/store.(*Client).Ping", "store/client.go", 97, "resp, err := c.http.Get(c.base + \"/ping\")"),
				Hint: "defer resp.Body.Close()", At: at(7750),
			}, {
				Kind: "sql-tx", Code: `LK202`, Class: "sql.Tx", Test: "TestRefund", Outcome: fragment.Excused, Count: 1,
				Fingerprint: "sql-tx | sql.Tx | example.com/shop/store.(*Checkout).Refund | TestRefund",
				Summary:     "a sql.Tx was never ended", Role: "begun at",
				Site: frame("example.com/shop/store.(*Checkout).Refund", "store/checkout.go", 131, "tx, err := c.DB.BeginTx(ctx, nil)"), At: at(7850),
			},
		},
		Ignored: []fragment.Ignored{
			{Test: "TestLoad", Reason: "the metrics exporter lives as long as the process", Count: 2},
			{Reason: "the metrics exporter lives as long as the process", Count: 1},
		},
		Samples: withStates(growth(0, 72, 6, orders, sessions)),
		End:     &fragment.End{At: at(18200), Code: 1, Unused: []string{`Ignore("old janitor", Func("...janitor")) at store/main_test.go:14`}},
	}
}

// storeRerun is what gotestsum --rerun-fails starts: the failed tests again, and TestPay passes.
func storeRerun() *fragment.Fragment {
	h := shopHeader("store", 4999, 60_000)
	h.Filtered = true
	again := bodyNeverClosed("403", 1, 61_200)
	return &fragment.Fragment{
		Header: h,
		Tests: []fragment.Test{
			test("TestClient", fragment.Leaked, 60_100, 1200), test("TestClient/403", fragment.Leaked, 60_110, 1100),
			test("TestPay", fragment.Passed, 61_400, 80),
		},
		Leaks:   []fragment.Leak{again},
		Samples: growth(60_000, 8, 100, sessions),
		End:     &fragment.End{At: at(62_000), Code: 1},
	}
}

// storeShard ran on another machine, whose clock is an hour behind.
func storeShard() *fragment.Fragment {
	h := shopHeader("store", 4711, -3_600_000)
	h.GOOS, h.GOARCH, h.Filtered = "darwin", "arm64", true
	return &fragment.Fragment{
		Header:  h,
		Tests:   []fragment.Test{test("TestWatch", fragment.Passed, -3_599_900, 1500), test("TestLoad", fragment.Passed, -3_598_000, 100)},
		Leaks:   nil,
		Samples: growth(-3_600_000, 10, 100),
		End:     &fragment.End{At: at(-3_597_000)},
	}
}

// feedProcess was killed while TestStream ran.
func feedProcess() *fragment.Fragment {
	return &fragment.Fragment{
		Header: shopHeader("feed", 4712, 300),
		Tests:  []fragment.Test{test("TestPoll", fragment.Leaked, 400, 1200)},
		Leaks: []fragment.Leak{{
			Kind: "http-conn", Code: `LK003`, Class: "idle", Test: "TestPoll", Outcome: fragment.Fatal, Count: 1,
			Fingerprint: "http-conn | idle | example.com/shop/feed.(*Poller).fetch | TestPoll",
			Summary:     "24 idle connections to one server: more than one transport keeps", Role: "dialled at",
			Site: frame("example.com/shop/feed.(*Poller).fetch", "feed/poll.go", 55, "c := &http.Client{Transport: &http.Transport{}}"),
			Hint: "use one http.Client for all calls", Likely: true, Waited: time.Second, At: at(1500),
		}},
		Samples: withStates(growth(300, 30, 1, sessions)),
	}
}

// apiProcess has leaks that no test is known for, of parallel tests.
func apiProcess() *fragment.Fragment {
	tests := []fragment.Test{}
	for i, name := range []string{"TestOrders", "TestInvoices", "TestUpload"} { // parallel: their times overlap
		tests = append(tests, test(name, fragment.Passed, 500+10*i, 3000))
	}
	return &fragment.Fragment{
		Header: shopHeader("internal/api", 4713, 400),
		Tests:  tests,
		Leaks: []fragment.Leak{
			{
				Kind: "socket", Code: `LK301`, Class: "tcp", Outcome: fragment.Fatal, Count: 2,
				Suspects:    []string{"TestInvoices", "TestOrders", "TestUpload"},
				Fingerprint: "socket | tcp |  | ", Summary: "TCP sockets in CLOSE_WAIT",
				State:   "CLOSE_WAIT, to 10.0.0.7:5432",
				Unknown: "the kernel does not know which line opened a socket: run leakgate test to see it", Waited: time.Second, At: at(3600),
			}, {
				Kind: "goroutine", Code: `LK102`, Outcome: fragment.Known, Allowed: 1, Count: 1,
				Fingerprint: "goroutine |  | example.com/shop/internal/api.init.0.func* | ",
				Summary:     "a goroutine has not ended: example.com/shop/internal/api.init.0.func1", Role: "started at",
				Site:  frame("example.com/shop/internal/api.init.0", "internal/api/limits.go", 12, "go func() {"),
				State: "select", At: at(3610),
			},
		},
		Samples: growth(400, 14, 7),
		End:     &fragment.End{At: at(3700), Code: 1},
	}
}

// billingProcess ran with -short.
func billingProcess() *fragment.Fragment {
	h := shopHeader("billing", 4714, 700)
	h.Short = true
	h.Main = false
	return &fragment.Fragment{Header: h, Tests: []fragment.Test{test("TestInvoice", fragment.Passed, 800, 300)}}
}

// ledgerProcess belongs to the second module, whose folder is not the repository's root.
func ledgerProcess() *fragment.Fragment {
	nightly := test("TestNightly", fragment.Leaked, 200, 2500)
	nightly.Pools = []fragment.Pool{
		{Kind: "pgx-conn", Name: "ledger", Size: 4, Requests: 18, Peak: 3, Dialed: 3, Reused: 15},
		{Kind: "amqp-channel", Name: "events", Size: 100, Requests: 80, Peak: 74, Dialed: 80},
	}
	return &fragment.Fragment{
		Header: header(Ledger, "services/ledger", "", 5100, 100),
		Tests:  []fragment.Test{nightly, test("TestBook", fragment.Passed, 2800, 200)},
		Leaks: []fragment.Leak{{
			Kind: "pgx-conn", Code: `LK224`, Class: "pgxpool.Conn", Test: "TestNightly", Outcome: fragment.Fatal, Count: 1,
			Fingerprint: "pgx-conn | pgxpool.Conn | example.com/ledger/v2.(*Nightly).Run | TestNightly",
			Summary:     "a connection of the pool ledger was never released", Role: "taken at",
			Site: frame("example.com/ledger/v2.(*Nightly).Run", "nightly.go", 71, "conn, err := n.pool.Acquire(ctx)"), Hint: "defer conn.Release()",
			Example: true, Waited: time.Second, At: at(2600),
		}},
		Ignored: []fragment.Ignored{{Test: "TestBook", Reason: "a broker connection that all tests share", Count: 1}},
		Samples: growth(100, 12, 4, "ledger"),
		End:     &fragment.End{At: at(3100), Code: 1},
	}
}

// legacyProcess is of a module whose baseline is not given, so that its own word counts; its binary was built with -trimpath
// outside of a repository.
func legacyProcess() *fragment.Fragment {
	h := header(Legacy, "", "soap", 88, 250)
	return &fragment.Fragment{
		Header: h,
		Tests:  []fragment.Test{test("TestEnvelope", fragment.Passed, 300, 100), test("TestFault", fragment.Leaked, 420, 1200)},
		Leaks: []fragment.Leak{
			{
				Kind: "http-response", Code: `LK001`, Class: "POST", Test: "TestEnvelope", Outcome: fragment.Known, Allowed: 2, Count: 2,
				Fingerprint: "http-response | POST | example.com/legacy/soap.Send | TestEnvelope",
				Summary:     "response body of POST /soap (200) was never closed", Role: "taken at",
				Site: frame("example.com/legacy/soap.Send", "soap/send.go", 19, "resp, err := http.Post(url, contentType, body)"), At: at(390),
			}, {
				Kind: "http-response", Code: `LK001`, Class: "POST", Test: "TestFault", Outcome: fragment.Fatal, Count: 1,
				Fingerprint: "http-response | POST | example.com/legacy/soap.Send | TestFault",
				Summary:     "response body of POST /soap (500) was never closed", Role: "taken at",
				Site: fragment.Frame{Func: "example.org/xmlrpc.Post", File: "example.org/xmlrpc@v1.2.0/post.go", Line: 31},
				Stack: []fragment.Frame{
					{Func: "example.org/xmlrpc.Post", File: "example.org/xmlrpc@v1.2.0/post.go", Line: 31},
					frame("example.com/legacy/soap.Send", "soap/send.go", 24, "return xmlrpc.Post(url, body)"),
				},
				Hint: "defer resp.Body.Close()", Waited: time.Second, At: at(1500),
			},
		},
		End: &fragment.End{At: at(1700), Code: 1},
	}
}

func shopBaseline() *baseline.File {
	entry := func(pkg, fingerprint, code string, count int) baseline.Entry {
		return baseline.Entry{
			Key: baseline.Key{Package: Shop + "/" + pkg, Fingerprint: fingerprint}, Code: code, Count: count,
			Reason: "was there when the baseline was made", Added: "2026-06-01", Owner: "@payments",
		}
	}
	entries := []baseline.Entry{
		entry("store", "sql-rows | sql.Rows | example.com/shop/store.(*Repo).List | TestList", `LK203`, 2),
		entry("store", "sql-tx | sql.Tx | example.com/shop/store.(*Checkout).Pay | TestPay", `LK202`, 1),
		entry("store", "goroutine |  | example.com/shop/store.(*Watcher).Start | TestWatch", `LK102`, 1),
		entry("store", "sql-conn | sql.Conn | example.com/shop/store.(*Repo).Retry | TestRetry", `LK204`, 4),          // stale: 1 is left
		entry("store", "http-response | GET | example.com/shop/store.(*Client).Old | TestFixed", `LK001`, 2),          // stale: gone
		entry("store", "sql-tx | sql.Tx | example.com/shop/store.(*Checkout).Refund2 | TestRefund", `LK202`, 1),       // failed by itself
		entry("store", "goroutine |  | example.com/shop/store.slow | TestSlow", `LK102`, 1),                           // skipped
		entry("store", "goroutine |  | example.com/shop/store.gone | TestRemoved", `LK102`, 1),                        // no such test
		entry("internal/api", "goroutine |  | example.com/shop/internal/api.init.0.func* | ", `LK102`, 1),             // known
		entry("feed", "http-response | GET | example.com/shop/feed.(*Stream).open | TestStream", `LK001`, 1),          // killed
		entry("billing", "http-response | GET | example.com/shop/billing.Render | TestInvoice", `LK001`, 1),           // -short
		entry("mail", "http-response | POST | example.com/shop/mail.Send | TestSend", `LK001`, 3),                     // no fragment
		entry("cart", "goroutine | <b>bold</b> | example.com/shop/cart.(*Cart[...]).Watch | TestHostile", `LK102`, 2), // stale, and hostile
	}
	entries[1].Expires, entries[1].Reason = "2026-09-01", "the refund job needs it until the new API"
	entries[3].Expires, entries[3].Owner = "2027-01-31", ""
	entries[12].Reason, entries[12].Owner = Hostile()[0], "@a,b:c%0A|d"
	for i := range entries {
		entries[i].Line = 12 + 9*i
	}
	return &baseline.File{Path: baseline.Name, Entries: entries}
}

func ledgerBaseline() *baseline.File {
	return &baseline.File{Path: "services/ledger/" + baseline.Name}
}

// Clean is a run without leaks: every test passed, with pools that are not near their size.
func Clean() verdict.Input {
	ok := test("TestOrders", fragment.Passed, 100, 400)
	ok.Pools = []fragment.Pool{{Kind: "sql-conn", Name: orders, Size: 20, Requests: 40, Peak: 3, Dialed: 3, Reused: 37}}
	return verdict.Input{
		Fragments: []*fragment.Fragment{
			{
				Header:  shopHeader("store", 10, 0),
				Tests:   []fragment.Test{ok, test("TestList", fragment.Passed, 510, 90), test("TestSlow", fragment.Skipped, 600, 0)},
				Samples: growth(0, 8, 100, orders),
				End:     &fragment.End{At: at(900)},
			},
			{Header: shopHeader("cart", 11, 20), Tests: []fragment.Test{test("TestAdd", fragment.Passed, 30, 40)}, End: &fragment.End{At: at(200)}},
		},
		Now: Now,
	}
}

// Large is a run of 200 packages with 10 000 tests and 1 000 leaks, each a finding of its own, with 400 samples a process.
func Large() verdict.Input {
	const packages, tests, leaks = 200, 50, 5
	in := verdict.Input{Baselines: map[string]*baseline.File{Shop: {Path: baseline.Name}}, Now: Now}
	var known []baseline.Entry
	kinds := everyCode()
	for p := range packages {
		pkg := fmt.Sprintf("services/part%03d", p)
		f := &fragment.Fragment{Header: shopHeader(pkg, 1000+p, 10*p), End: &fragment.End{At: at(10*p + 60_000), Code: 1}}
		f.Samples = growth(10*p, 400, 40, orders, sessions, fmt.Sprintf("part%03d.internal:8080", p))
		for i := range tests {
			t := test(fmt.Sprintf("TestCase%02d", i), fragment.Passed, 10*p+1000*i, 900)
			if i%2 == 0 {
				t.Pools = []fragment.Pool{
					{Kind: "http-conn", Name: sessions, Size: 20, Requests: 30 + i, Peak: 1 + (p+i)%20, Dialed: 4, Reused: 26 + i},
					{Kind: "sql-conn", Name: orders, Size: 10, Requests: 12, Peak: 1 + i%10, Dialed: 2, Reused: 10},
				}
			}
			f.Tests = append(f.Tests, t)
		}
		for i := range leaks {
			n := p*leaks + i
			name := fmt.Sprintf("TestCase%02d", i*7)
			l := kinds[n%len(kinds)]
			l.Test, l.Count, l.Outcome, l.At = name, 1+n%4, fragment.Fatal, at(10*p+7000*i+800)
			l.Fingerprint = fmt.Sprintf("%s | %s | example.com/shop/%s.take%d | %s", l.Kind, l.Class, pkg, i, name)
			l.Site = frame(fmt.Sprintf("example.com/shop/%s.take%d", pkg, i), pkg+"/take.go", 10+i, "resp, err := http.Get(url)")
			l.Stack = []fragment.Frame{l.Site}
			for d := range 8 {
				fn := fmt.Sprintf("example.com/shop/%s.caller%d", pkg, d)
				l.Stack = append(l.Stack, frame(fn, pkg+"/caller.go", 20+d, "return next(ctx, request)"))
			}
			if n%10 == 0 {
				known = append(known, baseline.Entry{
					Key: baseline.Key{Package: f.Package, Fingerprint: l.Fingerprint}, Code: l.Code, Count: 1, Reason: "was there", Added: "2026-06-01",
				})
			}
			f.Tests[i*7].Result = fragment.Leaked
			f.Leaks = append(f.Leaks, l)
		}
		in.Fragments = append(in.Fragments, f)
	}
	in.Baselines[Shop].Entries = known
	return in
}
