package leakcheck_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/leakgate/leakgate/leakcheck"
)

// nilProbe implements Probe on a nil pointer.
type nilProbe struct{}

func (*nilProbe) Kind() leakcheck.Kind                   { return "worker" }
func (*nilProbe) Held([]uint64) ([]uint64, error)        { return nil, nil }
func (*nilProbe) Describe(uint64) (leakcheck.Leak, bool) { return leakcheck.Leak{}, false }

// TestWrongOptions: what is wrong with an option is said through the test, whole, and nothing panics.
func TestWrongOptions(t *testing.T) {
	for _, c := range []struct {
		name string
		opt  leakcheck.Option
		says string
	}{
		{"negative wait", leakcheck.Wait(-time.Second), "leakcheck.Wait(-1s): the wait is negative: use 0 to look once, or a time such as 2*time.Second"},
		{"empty reason", leakcheck.Ignore("  ", leakcheck.Func("a.b")), "leakcheck.Ignore: the reason is empty: say why this may stay, as in Ignore(\"metrics exporter lives as long as the process\", …)"},
		{"no matcher", leakcheck.Ignore("why"), "leakcheck.Ignore(\"why\"): no matcher: name what to ignore, as in leakcheck.Func(\"example.com/metrics...\")"},
		{"zero matcher", leakcheck.Ignore("why", nil), "leakcheck.Ignore(\"why\"): matcher 1 picks nothing: make it with Func, CreatedBy, Remote, KindIs or Site"},
		{"empty pattern", leakcheck.Ignore("why", leakcheck.Func("")), "leakcheck.Ignore(\"why\"): leakcheck.Func: the pattern is empty: give a full name, or a beginning that ends in \"...\""},
		{"pattern for all", leakcheck.Ignore("why", leakcheck.CreatedBy("...")), "leakcheck.Ignore(\"why\"): leakcheck.CreatedBy(\"...\"): the pattern matches everything: put the beginning of a name before \"...\""},
		{"regular expression", leakcheck.Ignore("why", leakcheck.Site("example.com/.*")), "leakcheck.Ignore(\"why\"): leakcheck.Site(\"example.com/.*\"): a pattern is no regular expression and no glob: give a full name, or a beginning that ends in \"...\""},
		{"empty kind", leakcheck.Ignore("why", leakcheck.KindIs("")), "leakcheck.Ignore(\"why\"): leakcheck.KindIs: the kind is empty: name one, as in KindIs(leakcheck.Goroutine)"},
		{"no kinds", leakcheck.Only(), "leakcheck.Only: no kind named: leave the option out to look at all, or name some, as in Only(leakcheck.Goroutine)"},
		{"no kinds out", leakcheck.Without(), "leakcheck.Without: no kind named: leave the option out, or name some, as in Without(leakcheck.Socket)"},
		{"unknown kind", leakcheck.Only("gorutine"), "leakcheck.Only(\"gorutine\"): nothing reports this kind; there are http-response, http-conn, sql-rows, sql-tx, sql-conn, sql-stmt, pgx-conn, pgx-rows, goroutine, socket, file, process, and those of probes given with With"},
		{"nil probe", leakcheck.With(nil), "leakcheck.With: probe 1 is nil: pass a value that implements leakcheck.Probe"},
		{"nil pointer", leakcheck.With((*nilProbe)(nil)), "leakcheck.With: probe 1 is nil: pass a value that implements leakcheck.Probe"},
		{"no kind", leakcheck.With(probe{}), "leakcheck.With: probe 1 (leakcheck_test.probe) has no kind: let its Kind method return a short name such as \"worker\""},
		{"goleak cleanup", leakcheck.Goleak(goleak.Cleanup(func(int) {})), "leakcheck.Goleak: goleak.Cleanup steers goleak's own TestMain: call your function between leakcheck.Main and os.Exit instead"},
		{"goleak nil", leakcheck.Goleak(nil), "leakcheck.Goleak: option 1 is nil"},
		{"limit", leakcheck.Limit("", nil), "leakcheck.Limit: needs a name and a function"},
		{"two at once", func() leakcheck.Option { return leakcheck.Fail(errors.New("mine")) }(), "mine"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &recorder{name: t.Name()}
			leakcheck.Verify(r, c.opt)()
			require.Len(t, r.errs, 1)
			assert.Equal(t, c.says, r.errs[0])

			assert.EqualError(t, leakcheck.Check(c.opt), c.says)

			s := leakcheck.Take(c.opt)
			assert.EqualError(t, s.Err(), c.says)
			leaks := s.Leaks()
			require.Len(t, leaks, 1, "a wrong option must not pass for a clean result")
			assert.Equal(t, c.says, leaks[0].Summary)
		})
	}
}

// TestOptionsAddUp: none overwrites another.
func TestOptionsAddUp(t *testing.T) {
	r := &recorder{name: t.Name()}
	done := leakcheck.Verify(r,
		leakcheck.Only(leakcheck.Goroutine), leakcheck.Only(leakcheck.Socket), leakcheck.Without(leakcheck.Socket),
		leakcheck.Ignore("first", leakcheck.Func(pkg+"waitOne")), leakcheck.Ignore("second", leakcheck.Func(pkg+"waitTwo")))
	one, two, three := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go waitOne(one)
	go waitTwo(two)
	go waitThree(three)
	l := listen(t)
	done()
	close(one)
	close(two)
	close(three)
	require.NoError(t, l.Close())

	require.Len(t, r.errs, 1)
	assert.Contains(t, r.errs[0], "leakcheck: 1 leak: goroutine leakcheck_test.waitThree has not ended")
	assert.Contains(t, r.errs[0], "ignored: 1 (first)")
	assert.Contains(t, r.errs[0], "ignored: 1 (second)")
}

// TestMatchers: each picks what it names and nothing else.
func TestMatchers(t *testing.T) {
	for _, c := range []struct {
		name    string
		matcher leakcheck.Matcher
		ignores bool
	}{
		{"the function", leakcheck.Func(pkg + "waitOne"), true},
		{"a beginning", leakcheck.Func(pkg + "wait..."), true},
		{"another function", leakcheck.Func(pkg + "waitTwo"), false},
		{"the name as it is printed", leakcheck.Func("leakcheck_test.waitOne"), true},
		{"a part in the middle", leakcheck.Func("waitOne"), false},
		{"the go statement", leakcheck.CreatedBy(pkg + "startOne"), true},
		{"another go statement", leakcheck.CreatedBy(pkg + "TestMatchers"), false},
		{"the kind", leakcheck.KindIs(leakcheck.Goroutine), true},
		{"another kind", leakcheck.KindIs(leakcheck.Socket), false},
		{"the site's function", leakcheck.Site(pkg + "startOne"), true},
		{"another site", leakcheck.Site("example.com/other..."), false},
		{"a peer that it has not", leakcheck.Remote("127.0.0.1..."), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &recorder{name: t.Name()}
			done := leakcheck.Verify(r, leakcheck.Ignore("because", c.matcher))
			stop := make(chan struct{})
			startOne(stop)
			done()
			close(stop)
			if c.ignores {
				assert.Empty(t, r.errs)
				assert.Equal(t, []string{"leakcheck: ignored 1: because"}, r.logs)
			} else {
				assert.Len(t, r.errs, 1)
			}
		})
	}
}

// TestRemote matches a connection by its peer.
func TestRemote(t *testing.T) {
	l := listen(t)
	defer l.Close()
	for pattern, ignores := range map[string]bool{l.Addr().String(): true, "127.0.0.1...": true, "10.0.0.1...": false} {
		r := &recorder{name: t.Name()}
		done := leakcheck.Verify(r, leakcheck.Ignore("because", leakcheck.Remote(pattern)))
		c := dial(t, l.Addr())
		done()
		require.NoError(t, c.Close())
		assert.Equal(t, ignores, len(r.errs) == 0, "%s: %s", pattern, r.errors())
	}
}

const pkg = "github.com/leakgate/leakgate/leakcheck_test."

func startOne(stop chan struct{}) { go waitOne(stop) }

func waitOne(stop chan struct{})   { <-stop }
func waitTwo(stop chan struct{})   { <-stop }
func waitThree(stop chan struct{}) { <-stop }
