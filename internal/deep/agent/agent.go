// Package agent is what deep mode adds to a test binary: it gives every test what leakcheck.Verify does, and every test
// binary what leakcheck.Main does, and takes from the hooks in the standard library who acquired what.
//
// The overlay puts it into the standard library, where the package that only test binaries import imports it. It must not
// import net/http, which would be linked into every test binary. It starts no goroutine and opens nothing.
package agent

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/leakgate/leakgate/internal/deep/hook"
	"github.com/leakgate/leakgate/internal/deep/mode"
	"github.com/leakgate/leakgate/internal/globals"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/leakdir"
	"github.com/leakgate/leakgate/internal/origin"
	"github.com/leakgate/leakgate/leakcheck"
)

func init() {
	if os.Getenv(mode.Env) == mode.On {
		os.Setenv(mode.Env, mode.Child)
		install()
		return
	}
	hook.WatchNetwork(nil)
}

// install begins to listen to the hooks.
func install() {
	var opts []leakcheck.Option
	for kind := range strings.SplitSeq(os.Getenv(mode.Kinds), ",") {
		if kind = strings.TrimSpace(kind); kind != "" {
			opts = append(opts, leakcheck.Only(leakcheck.Kind(kind)))
		}
	}
	a := &agent{opts: opts, warn: os.Getenv(mode.Warn) != ""}
	leakdir.Set(os.Getenv(mode.Leaks))
	if patterns := allowedDials(); patterns != nil {
		a.opts, a.dials = append(a.opts, leakcheck.AllowRemotes(patterns...)), true
	} else {
		hook.WatchNetwork(nil)
	}
	origin.Know(&open)
	if canWalk {
		globals.Know(&heap{})
	}
	hook.Install(&hook.Agent{
		Tests: hook.Tests{Test: a.test, Benchmark: a.benchmark, Example: a.example, Main: a.main, Offer: offer()},
		Onces: hook.Onces{Once: once, OnceOfProcess: onceOfProcess},
		Descriptors: hook.Descriptors{
			Opened: open.opened, Named: open.named, Connected: open.connected, Closing: open.closing,
			Accepted: open.accepted, Hijacked: open.hijacked,
		},
		Processes: hook.Processes{Started: started},
		HTTP:      hook.HTTP{Responded: responded},
		SQL: hook.SQL{
			Leased: leased, DBOpened: dbOpened, DBClosed: dbClosed, Prepared: prepared, ConnClosed: connClosed,
		},
		Goroutine: func() uint64 { return goroutine.CurrentID(nil) },
	})
}

// agent checks tests.
type agent struct {
	opts  []leakcheck.Option
	warn  bool
	dials bool        // they are judged
	ran   atomic.Bool // m.Run was called
}

// test checks one test.
func (a *agent) test(x any) {
	if f, ok := x.(*testing.F); ok {
		a.fuzzTarget(f)
		return
	}
	t, ok := x.(*testing.T)
	if !ok || t.Name() == "" { // the root of all tests, which is no test
		return
	}
	defer contain()
	t.Cleanup(testBegins(unsafe.Pointer(t)))
	leakcheck.Verify(tester{t, a.warn}, a.opts...)
}

// tester is a test that is told of leaks. Its text has no line of the caller's before it, because the caller is not the
// user's code.
type tester struct {
	*testing.T
	warn bool // leaks do not fail it
}

// Helper does nothing: no line is shown.
func (t tester) Helper() {}

// JudgedOutside says that it is a subtest, which the test around it answers for: what it holds at its end, a cleanup of that test
// or another of its subtests may give back. The inputs of a fuzz target answer for themselves.
func (t tester) JudgedOutside() bool {
	return strings.Contains(t.Name(), "/") && strings.HasPrefix(t.Name(), "Test")
}

// Errorf fails the test, or only tells why it would.
func (t tester) Errorf(format string, args ...any) {
	t.Logf(format, args...)
	if !t.warn {
		t.T.Fail()
	}
}

// Logf tells something.
func (t tester) Logf(format string, args ...any) {
	_, _ = io.WriteString(t.Output(), said(format, args...))
}

// said is a text of leakcheck's under the name of the program that the user has run.
func said(format string, args ...any) string {
	text := fmt.Sprintf(format, args...)
	if rest, ok := strings.CutPrefix(text, "leakcheck: "); ok {
		text = "leakgate: " + rest
	}
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}

// runner is a *testing.M for leakcheck.Main.
type runner struct{ run func() int }

// Run runs the tests.
func (r runner) Run() int { return r.run() }

// main runs the tests and looks at what is left in the end.
func (a *agent) main(m any, run func() int) (code int) {
	if a.ran.Swap(true) { // TestMain runs them once more
		return run()
	}
	tests := -1
	defer func() {
		if p := recover(); p != nil {
			if tests < 0 {
				panic(p) // it is the tests' own
			}
			failed(p)
			code = tests
		}
	}()
	code = leakcheck.Main(runner{func() int {
		if a.dials {
			watchDials()
		}
		code := run()
		tests = code
		return code
	}}, a.opts...)
	if a.warn && tests >= 0 {
		code = tests
	}
	return code
}

// contain keeps a panic of the agent's from being the test's.
func contain() {
	if p := recover(); p != nil {
		failed(p)
	}
}

func failed(p any) {
	fmt.Fprintf(os.Stderr, "leakgate: the check itself failed, please report it: %v\n", p)
}
