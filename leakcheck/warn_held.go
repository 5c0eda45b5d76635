package leakcheck

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/baseline"
	"github.com/leakgate/leakgate/internal/dbuse"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/report"
)

// codeHeld is the code of a lease that is held for long.
const codeHeld = "LK604"

// Bounds of WarnHeld.
const (
	maxWarnings  = 10                     // leases told one by one, of each test
	quickestLook = time.Millisecond       // between two looks at least,
	shareOfLimit = 8                      // or this part of the limit
	slowestBack  = 250 * time.Millisecond // after which a lease that was told is seen to be back
)

// WarnHeld logs what is held for longer than limit while it is still held: a response, or a connection, transaction or rows of
// a database, of any tracked pool. The lines have code LK604, the line that took it, the pool, and what it is doing; and when it is
// given back another line says so, and after how long. It fails no test.
//
//	t.Cleanup(leakcheck.Verify(t, leakcheck.WarnHeld(2*time.Second)))
//
// It is for tests that hang, or take long, and nobody knows on what. Lines go to t.Logf. Because go test shows those of a test only
// when it has ended, and a test that runs into -timeout never does, they go to standard error too, with the test's name, unless
// -v shows them at once. (go test ./... shows standard error of packages that fail.)
//
// Each lease is told once, and what is like one that was told, from the same line, in one line. After 10 leases of one test the others are counted. What counts is what the test took itself, with
// its subtests and the goroutines that it started, also beside parallel tests; with a check of one pool (httpcheck.Verify, dbcheck.Verify), what was
// taken from that one. limit is above 0; of several the smallest counts. Given to Main it holds for all tests of the package,
// and the lines of those that do not call Verify go to standard error. Take and Check watch no test and refuse it with an
// error. In a synctest bubble it has no effect, because its timer would never let time stand still.
//
// It costs a look at the table of leases when limit has passed, and while something is held, not more than 8 in that time.
func WarnHeld(limit time.Duration) Option {
	return func(c *config) {
		if limit <= 0 {
			c.wrong("leakcheck.WarnHeld(%v): the limit must be above 0, as in WarnHeld(2*time.Second)", limit)
			return
		}
		c.warn.take(limit)
		c.warn.own = true
	}
}

// warnPlan is what options say of it.
type warnPlan struct {
	limit time.Duration // 0 for none
	own   bool          // said by an option of the check itself, and not by Main's alone
}

// take takes a limit in; the smallest counts.
func (p *warnPlan) take(limit time.Duration) {
	if limit > 0 && (p.limit == 0 || limit < p.limit) {
		p.limit = limit
	}
}

// startWarnings begins to warn, where the watch is to.
func (w *watch) startWarnings() {
	switch {
	case w.cfg.warn.limit == 0:
		return
	case w.all() && !w.cfg.main:
		w.cfg.wrong("leakcheck.WarnHeld follows a test: give it to Verify, or to Main for all tests of the package")
		return
	case goroutines.me().Bubble != 0:
		if w.cfg.warn.own {
			w.say("leakcheck: WarnHeld has no effect in a synctest bubble")
		}
		return
	}
	f := &warned{w: w, limit: w.cfg.warn.limit}
	for _, ps := range w.probes {
		if p, ok := ps.probe.(leaser); ok {
			f.pools = append(f.pools, p.LeasePool())
		}
	}
	heldLong.add(f)
	w.ends = append(w.ends, ending{name: "WarnHeld", end: func() []Leak { heldLong.remove(f); return nil }})
}

// warned is a check that wants to be warned.
type warned struct {
	w     *watch
	limit time.Duration
	pools []*lease.Pool // that were given to the check
	said  int
	more  int             // that were not said
	lines map[string]bool // what was told in full, and the line that took it
}

// covers says whether the lease is the check's.
func (f *warned) covers(l *lease.Lease) bool {
	switch {
	case l.ID() <= f.w.base.leases:
		return false
	case f.w.isMain || f.w.cfg.main || slices.Contains(f.pools, l.Pool()):
		return true
	case f.w.cfg.instead:
		return false
	}
	return label.Within(l.Test(), f.w.id) || l.Test() == 0 && !label.Supported
}

// warning is a lease that was told.
type warning struct {
	by    *warned // nil when nobody wants to know any more
	what  string  // "response body of GET /session (403)"
	where string  // " at client.go:41", or ""
	said  bool
}

// warnings knows which leases were held for long. There is one for the process, because there is one table of leases.
type warnings struct {
	mu    sync.Mutex // held while a look is taken and told
	by    []*warned  // in the order in which they began: of a test the innermost is the last
	told  map[*lease.Lease]*warning
	timer *time.Timer
	next  time.Time // when the timer is due

	backs struct { // those that were told and are back; not said yet
		sync.Mutex
		list []back
	}
}

type back struct {
	lease *lease.Lease
	at    lease.Moment
}

var heldLong = &warnings{told: make(map[*lease.Lease]*warning)}

func (h *warnings) add(f *warned) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.by = append(h.by, f)
	due := time.Now().Add(f.limit)
	switch {
	case h.timer == nil:
		h.timer = time.AfterFunc(f.limit, h.tick)
	case len(h.by) > 1 && !due.Before(h.next):
		return
	default:
		h.timer.Reset(f.limit)
	}
	h.next = due
}

// remove ends the warnings of one check: what is back is said, and what is not shown is counted.
func (h *warnings) remove(f *warned) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sayBack()
	h.by = slices.DeleteFunc(h.by, func(o *warned) bool { return o == f })
	for l, one := range h.told {
		if one.by == f {
			one.by, _ = h.of(l)
		}
	}
	if f.more > 0 {
		f.log("", fmt.Sprintf("leakcheck: %s held for longer than %v, not shown (%s)", many(f.more, "other lease"), f.limit, codeHeld))
	}
	if len(h.by) == 0 {
		h.timer.Stop()
		clear(h.told)
	}
}

// tick looks, and lets the timer begin anew. goroutine.Classify knows it by its name: nobody waits between two.
func (h *warnings) tick() {
	ticking.Add(1)
	defer ticking.Add(-1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.by) == 0 {
		return
	}
	pause := h.look()
	h.next = time.Now().Add(pause)
	h.timer.Reset(pause)
}

// of gives the innermost check that a lease belongs to, and the smallest limit of all of them; nil for none. h.mu is locked.
func (h *warnings) of(l *lease.Lease) (by *warned, limit time.Duration) {
	for _, f := range h.by {
		if f.covers(l) {
			if by == nil || f.w.t != nil { // Main began first, and has no test to tell
				by = f
			}
			if limit == 0 || f.limit < limit {
				limit = f.limit
			}
		}
	}
	return by, limit
}

// look says what is held for too long, and what is back of it, and gives the time until the next look. h.mu is locked.
func (h *warnings) look() time.Duration {
	h.sayBack()
	least := h.by[0].limit
	for _, f := range h.by {
		least = min(least, f.limit)
	}
	now := lease.Now()
	pause := least // what is taken from now on is not over its limit before
	due := func(in time.Duration) { pause = min(pause, max(in, least/shareOfLimit, quickestLook)) }
	old := lease.Live.All(func(l *lease.Lease) bool {
		age := now.Sub(l.Taken())
		if age < 0 || !lendsConns(l.Pool()) { // taken in a bubble, where clocks are others
			return false
		}
		if age < least {
			due(least - age)
			return false
		}
		return true
	})
	for _, l := range old {
		if h.told[l] != nil {
			isHeld(l) // of some nobody hears that they have ended until somebody asks
			continue
		}
		by, limit := h.of(l)
		switch age := now.Sub(l.Taken()); {
		case by == nil:
		case age < limit:
			due(limit - age)
		case isHeld(l):
			h.tell(by, l, limit)
		}
	}
	h.sayBack()
	if len(h.told) > 0 {
		pause = min(pause, max(min(least/shareOfLimit, slowestBack), quickestLook))
	}
	return pause
}

// tell says that a lease is held for long. h.mu is locked.
func (h *warnings) tell(by *warned, l *lease.Lease, limit time.Duration) {
	s, ok := siteOf(l)
	if !ok {
		return
	}
	one := &warning{by: by, what: s.thing(), said: by.said < maxWarnings}
	if !l.WhenBack(func(at lease.Moment) {
		h.backs.Lock()
		h.backs.list = append(h.backs.list, back{l, at})
		h.backs.Unlock()
	}) {
		return // it has just been given back
	}
	h.told[l] = one
	if !one.said {
		by.more++
		return
	}
	by.said++
	if s.site.Func != "" && !strings.Contains(one.what, " at ") {
		one.where = ", taken at " + where(s.site)
	}
	test := label.NameOf(l.Test())
	out := report.Leak{
		Kind: s.info.Kind, Code: codeHeld, Class: "WarnHeld", Test: test, Note: true, Rank: rankLimit,
		Summary: fmt.Sprintf("%s has been held for %s and still is; WarnHeld(%v) says so", one.what, dbuse.Round(lease.Now().Sub(l.Taken())), limit),
		Stack:   s.stack, Site: s.site, State: s.info.State, Why: s.info.Note,
		Holds: []string{poolNow(l.Pool())}, HoldsAs: "pool",
	}
	if s.site.Func == "" {
		out.Unknown = "none of your functions is left in the stack that took it"
	}
	found := report.Finish([]report.Leak{out})
	by.w.recordLeak(found[0], fragment.Noted, baseline.Answer{}, 0)
	line := one.what + " " + s.site.String()
	if by.lines[line] {
		by.log(test, fmt.Sprintf("leakcheck: %s (%s%s, like one above)", out.Summary, codeHeld, one.where))
		return
	}
	if by.lines == nil {
		by.lines = make(map[string]bool)
	}
	by.lines[line] = true
	by.log(test, report.Text{Who: "leakcheck", Scope: by.w.name, Leaks: found}.String())
}

// poolNow is a pool and how much of it is out.
func poolNow(p *lease.Pool) string {
	u := p.Usage()
	if size := p.Size(); size > 0 {
		return fmt.Sprintf("%s, %d of %s out", p.Name(), u.Leased, many(size, "connection"))
	}
	return fmt.Sprintf("%s, %s out", p.Name(), many(u.Leased, "connection"))
}

// sayBack says what is back of that which was told. h.mu is locked.
func (h *warnings) sayBack() {
	h.backs.Lock()
	list := h.backs.list
	h.backs.list = nil
	h.backs.Unlock()
	for _, b := range list {
		one := h.told[b.lease]
		delete(h.told, b.lease)
		if one == nil || one.by == nil || !one.said {
			continue
		}
		one.by.log(label.NameOf(b.lease.Test()), fmt.Sprintf("leakcheck: %s was returned after %s (%s%s)",
			one.what, dbuse.Round(b.at.Sub(b.lease.Taken())), codeHeld, one.where))
	}
}

// log says it where it is seen while the test runs. It may run on the timer's goroutine, where a panic would end the process.
func (f *warned) log(test, text string) {
	if test == "" {
		test = f.w.name
	}
	t := f.w.t
	if t == nil || !streams(t) {
		if test != "" {
			test += ": "
		}
		fmt.Fprintf(os.Stderr, "%s%s\n", test, text)
	}
	if t == nil {
		return
	}
	defer func() {
		if r := recover(); r != nil && streams(t) {
			fmt.Fprintf(os.Stderr, "%s: %s\n", test, text)
		}
	}()
	t.Logf("%s", text)
}

// streams says whether what is logged is shown at once.
func streams(t TB) bool {
	switch innermost(t).(type) {
	case *testing.T, *testing.B, *testing.F:
		return flagSet("test.v")
	}
	return false
}
