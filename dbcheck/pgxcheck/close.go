package pgxcheck

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"
	"unsafe"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/dbuse"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/sqltext"
	"github.com/leakgate/leakgate/leakcheck"
)

const (
	// closeWait is how long a Close waits for connections that are out, with no call running on them, before it is said that
	// it may wait for ever.
	closeWait = time.Second
	// watchEvery is how often it is looked whether one waits.
	watchEvery = 250 * time.Millisecond
	// maxAfter is how long it is looked after the end of a test.
	maxAfter = 15 * time.Minute
)

// Close closes a pool, as pool.Close does, and does not hang the test where pool.Close would for something that was
// forgotten: when connections have been out for a second with no call running on any of them, it says which, fails the test if
// nothing else has, and returns. Connections that are given back later are closed then. For calls that run it waits as long as pool.Close
// does, so that a handler may end its query; a call that never ends is the caller's to bound, with a context. A nil pool is
// left alone, and so is a nil t told nothing.
//
//	t.Cleanup(func() { pgxcheck.Close(t, pool) })
func Close(t leakcheck.TB, pool *pgxpool.Pool) {
	if !isNil(t) {
		t.Helper()
	}
	closeWithin(t, pool, closeWait)
}

func closeWithin(t leakcheck.TB, pool *pgxpool.Pool, wait time.Duration) {
	if pool == nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		pool.Close()
	}()
	d := drain{of: pool, p: poolOf(pool), wait: wait}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			if !d.stuck() {
				continue
			}
			if isNil(t) {
				return
			}
			t.Helper()
			text := "pgxcheck.Close: the pool is left to itself, because pool.Close would wait for ever: " + waitsFor(pool, d.p)
			if t.Failed() { // Verify has said so, or an early return is the reason
				t.Logf("%s", text)
			} else {
				t.Errorf("%s", text)
			}
			return
		}
	}
}

// waitsFor says for what a Close waits.
func waitsFor(of *pgxpool.Pool, p *pool) string {
	n := int(of.Stat().AcquiredConns())
	var b strings.Builder
	fmt.Fprintf(&b, "%s still out, with no call running (%s)", many(n, "connection is", "connections are"), codeClose)
	if p == nil {
		b.WriteString("\n  fix         open the pool with pgxcheck.New or pgxcheck.Config to see which: this one is not tracked")
		return b.String()
	}
	held := p.held()
	for i, u := range held {
		if i == 5 {
			fmt.Fprintf(&b, "\n  and %d more", len(held)-i)
			break
		}
		c, t := u.lends()
		fmt.Fprintf(&b, "\n  held        %s", c.what(t.Name, u.PCs()))
		if q := sqltext.Statement(u.Spent().Statement); q != "" {
			fmt.Fprintf(&b, "\n  statement   %s", q)
		}
		if site := callsite.Pick(user(u.PCs())); site.Func != "" {
			fmt.Fprintf(&b, "\n  taken at    %s", where(site))
		}
		fmt.Fprintf(&b, "\n  fix         %s", t.Hint)
	}
	if more := n - len(held); more > 0 {
		fmt.Fprintf(&b, "\n  held        %s acquired outside the tracer, by pool.AcquireAllIdle", many(more, "connection", "connections"))
	}
	return b.String()
}

func many(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// closeChan gives the channel that a pool closes when its Close begins. pgxpool tells nobody, so that the field is found by
// its name and type; ok is false when it is not what it was in v5.6 to v5.12.
func closeChan(pool *pgxpool.Pool) (c chan struct{}, ok bool) {
	f := reflect.ValueOf(pool).Elem().FieldByName("closeChan")
	if !f.IsValid() || f.Type() != reflect.TypeFor[chan struct{}]() {
		return nil, false
	}
	return *(*chan struct{})(unsafe.Pointer(f.UnsafeAddr())), true
}

// isClosed says whether Close was called; false when that cannot be known.
func isClosed(pool *pgxpool.Pool) bool {
	c, ok := closeChan(pool)
	if !ok || c == nil {
		return false
	}
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// watchClose looks, while the test runs, for a Close of the pool that waits for connections which are out with no call running.
func watchClose(of *pgxpool.Pool, p *pool) leakcheck.Option {
	return leakcheck.Follow("pool.Close", func(f leakcheck.Followed) (func() []leakcheck.Leak, error) {
		if f.T == nil || f.Bubble {
			return nil, nil
		}
		w := &closer{drain: drain{of: of, p: p, wait: closeWait}, test: label.ID(f.Test), name: f.T.Name()}
		stop := dbuse.Every(watchEvery, func() {
			if text, ok := w.look(); ok {
				fmt.Fprintf(os.Stderr, "%s: %s\n", w.name, text)
				f.T.Errorf("%s", text)
			}
		})
		return func() []leakcheck.Leak {
			stop()
			w.after()
			return nil
		}, nil
	})
}

// closer looks for a Close that waits.
type closer struct {
	drain
	test label.ID
	name string
	said bool
}

// look says what a Close waits for, once, when it waits for long.
func (w *closer) look() (text string, ok bool) {
	if w.said || !isClosed(w.of) || !w.stuck() {
		return "", false
	}
	at, mine := w.caller()
	if !mine {
		return "", false
	}
	w.said = true
	return "pgxcheck: this test waits, perhaps for ever: pool.Close" + at + " waits for what was not given back: " + waitsFor(w.of, w.p), true
}

// caller finds who called Close; mine is false when it is another test, or this package's own Close, which says it itself.
func (w *closer) caller() (at string, mine bool) {
	for _, g := range dbuse.Goroutines(&w.dumper) {
		for i, f := range g.Frames {
			if f.Func != pkgPool+".(*Pool).Close" {
				continue
			}
			if i < len(g.Args) && !strings.Contains(g.Args[i], "?") { // the runtime's mark for a value that may be out of date
				if ptr := goroutine.FirstPointer(g.Args[i]); ptr != 0 && ptr != uint64(uintptr(unsafe.Pointer(w.of))) {
					continue
				}
			}
			if strings.HasPrefix(g.CreatedBy.Func, callsite.Module+"/dbcheck/pgxcheck.Close") || !dbuse.Belongs(g, w.test) {
				return "", false
			}
			if site := callsite.Pick(callsite.Without(callsite.User(g.Frames[i:]), pkgPgx)); site.Func != "" {
				at = " at " + where(site)
			}
			return at, true
		}
	}
	return "", true
}

// after goes on to look when the test has ended with a connection out: what closes the pool comes then, and would hang
// without a word. The test cannot be told any more.
func (w *closer) after() {
	if w.said || w.of.Stat().AcquiredConns() == 0 {
		return
	}
	end := time.Now().Add(maxAfter)
	dbuse.Until(watchEvery, func() bool {
		text, ok := w.look()
		if ok {
			fmt.Fprintf(os.Stderr, "%s: %s\n", w.name, text)
		}
		return ok || w.of.Stat().AcquiredConns() == 0 || time.Now().After(end)
	})
}
