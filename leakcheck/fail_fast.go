//go:build !leakgate_deep

package leakcheck

import (
	"context"
	"fmt"
	"path"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/dbuse"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/outbound"
	"github.com/leakgate/leakgate/internal/report"
	"github.com/leakgate/leakgate/internal/socket"
)

// Codes of a start-up.
const (
	codeHangs   = "LK606"
	codeNoError = "LK607"
)

const failFastName = "FailFast"

// FailFast runs the start-up of something whose dependency is dead, and fails the test when it does not return an error within
// the time given, or leaves something behind.
//
//	func TestBrokerIsGone(t *testing.T) {
//		addr := mockserver.Refuse(t)
//		leakcheck.FailFast(t, time.Second, func(ctx context.Context) error {
//			_, err := service.Start(ctx, addr)
//			return err
//		})
//	}
//
// start runs on a goroutine of its own. Its context has no deadline, and is cancelled only when the verdict is there. What comes of it:
//
//   - An error in time: what start has left behind (a goroutine that tries again in the background, a connection, a pool) is
//     reported as Verify does, with its own codes.
//   - Not returned in time: LK606, with the line at which it hangs, what it waits in, and where it leads, as far as that can
//     be told. Then the context is cancelled, and start is given as long to end as a check waits (see Wait). What
//     is left after that is reported; a start that does not end is left behind, and the entry says so.
//   - No error: LK607, with all that was started and is open now. A start that succeeds must not be given to FailFast.
//
// A panic of start fails the test, with its stack. A start that calls t.FailNow, or require, fails the test with that.
//
// within must be above 0. It is the time that start may take on a busy machine, too: give a second where it has to be done in
// milliseconds. The time of a start-up that does return an error is never judged by anything else. When the test's own deadline is nearer, that counts.
//
// Options are those of Verify; AllowRemotes says where start may dial. FailFast returns when all is over, and may be called more
// than once in a test, and beside a Verify of the test's, which does not repeat what was reported. In a synctest bubble, where time stands still while somebody
// waits in the network, it is an error.
func FailFast(t TB, within time.Duration, start func(ctx context.Context) error, opts ...Option) {
	if isNil(t) {
		refuse("leakcheck.FailFast: t is nil: pass the *testing.T of the test")
		return
	}
	t.Helper()
	switch {
	case start == nil:
		failWith(t, "leakcheck.FailFast: start is nil: pass a function that starts what is tested and returns its error")
		return
	case within <= 0:
		failWith(t, "leakcheck.FailFast(%v): the time must be above 0, as in FailFast(t, time.Second, start)", within)
		return
	case within < time.Microsecond: // FailFast(t, 5, start)
		failWith(t, "leakcheck.FailFast(%v): a number without a unit is nanoseconds: use %d*time.Second", within, int64(within))
		return
	case goroutines.me().Bubble != 0:
		failWith(t, "leakcheck.FailFast: it cannot run in a synctest bubble, where the time that start may take never passes while it waits in the network: call it outside of synctest.Test")
		return
	}
	w, check := verifying(t, newConfig(opts))
	w.erred = true // a test that failed before does not excuse what start does
	defer outbound.Dials.Listen(func(*outbound.Dial) {})()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := &startUp{w: w, within: within, limit: timeFor(t, within), done: make(chan struct{})}
	began := make(chan uint64)
	go s.run(ctx, start, began)
	s.id = <-began

	timer := time.NewTimer(s.limit)
	defer timer.Stop()
	select {
	case <-s.done:
	case <-timer.C:
		beforeVerdict()
	}
	switch {
	case !s.isDone():
		s.hangs(cancel)
	case s.panicked != nil:
		w.erred = false
		w.errorf("leakcheck.FailFast: start panicked: %v\n\n%s", s.panicked, s.stack)
	case s.exited:
		w.erred = false
		if skipped, ok := t.(interface{ Skipped() bool }); !t.Failed() && !(ok && skipped.Skipped()) {
			w.errorf("leakcheck.FailFast: start ended its goroutine (runtime.Goexit) and returned nothing: return an error")
		}
	case s.err == nil:
		s.succeeds(start)
	}
	check()
}

// beforeVerdict is called when the time is over. Tests wait in it until start is where it hangs: on a busy machine it may
// not have got there.
var beforeVerdict = func() {}

// timeFor gives how long start may take: not longer than the test has.
func timeFor(t TB, within time.Duration) time.Duration {
	if d, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		if at, ok := d.Deadline(); ok {
			return min(within, time.Until(at)*3/4)
		}
	}
	return within
}

// startUp is one call of FailFast.
type startUp struct {
	w             *watch
	within, limit time.Duration
	id            uint64 // the goroutine of start

	done     chan struct{} // closed when start is over; what follows is set then
	err      error
	returned bool
	panicked any
	stack    []byte
	exited   bool // by runtime.Goexit

	verdict report.Leak
	covers  map[uint64]bool // goroutines that the verdict is about
}

func (s *startUp) run(ctx context.Context, start func(context.Context) error, began chan<- uint64) {
	defer close(s.done)
	defer func() {
		if s.returned {
			return
		}
		if s.panicked = recover(); s.panicked != nil {
			s.stack = debug.Stack()
			return
		}
		s.exited = true
	}()
	var buf [64]byte
	began <- goroutine.CurrentID(buf[:])
	s.err = start(ctx)
	s.returned = true
}

func (s *startUp) isDone() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// report has the verdict reported together with what else the check finds; amend changes that.
func (s *startUp) report(amend func([]report.Leak) []report.Leak) {
	s.w.amend = amend
	s.w.ends = append(s.w.ends, ending{name: failFastName, own: func() []report.Leak { return []report.Leak{s.verdict} }})
}

// hangs is the verdict for a start that has not returned in time.
func (s *startUp) hangs(cancel context.CancelFunc) {
	all := goroutinesNow()
	open := describedSockets()
	me := all[s.id]
	at := waitsAt(me, open, s.w.base.sockets)
	s.covers = map[uint64]bool{s.id: true}
	l := report.Leak{
		Kind: string(Goroutine), Code: codeHangs, Class: failFastName, Test: s.w.name, Stack: callsite.User(me.Frames), Role: "hangs at",
		Site: at.site, State: me.State, Rank: -1, Hint: at.hint(), Probably: true,
		Unknown: "it is in none of the program's functions",
	}
	if l.Site.Func != "" {
		l.Unknown = ""
	}
	if at.in != "" {
		l.State = me.State + ", in " + at.text()
	}
	l.Summary = fmt.Sprintf("the start-up had not returned after %v", s.limit)
	if s.limit < s.within {
		l.Summary += " (the test's own time ends before " + s.within.String() + ")"
	}
	if at.in != "" {
		l.Summary += ": it was in " + at.text()
	}
	if at.site.Func != "" {
		l.Summary += " at " + dbuse.Short(at.site)
	}
	if child := onlyChild(all, s.id); child != nil && me.State != "IO wait" {
		s.covers[child.ID] = true
		of := waitsAt(*child, open, s.w.base.sockets)
		text := "a goroutine that it started and probably waits for, " + child.State
		if of.in != "" {
			text += " in " + of.text()
		}
		if of.site.Func != "" {
			text += " at " + dbuse.Short(of.site)
		}
		l.Holds = append(l.Holds, text)
		if of.dials || of.reads {
			l.Hint = of.hint()
		}
	}
	cancel()
	s.awaitEnd()
	if s.isDone() {
		l.Why = "it ended when its context was cancelled, which nobody does in production"
	} else {
		l.Why = "its context was cancelled then, and it has not ended: it is left behind"
		l.Keys = append(l.Keys, report.Key{List: "goroutine", ID: s.id})
	}
	s.verdict = l
	s.report(s.dropCovered)
}

// awaitEnd gives start, whose context was cancelled, time to end: as long as a check waits, and as there not longer than it
// takes to see that it is blocked in the network and that nothing changes, unless the caller has asked for a wait.
func (s *startUp) awaitEnd() {
	end := time.NewTimer(time.Until(s.w.deadline(time.Now())))
	defer end.Stop()
	var look <-chan time.Time
	if !s.w.cfg.waitSet {
		ticker := time.NewTicker(minStable / minLooks)
		defer ticker.Stop()
		look = ticker.C
	}
	was, since, same := "", time.Now(), 0
	for {
		select {
		case <-s.done:
			return
		case <-end.C:
			return
		case <-look:
		}
		// What waits for something else, such as a pause between two attempts or goroutines that shut down, is given the whole time.
		is := ""
		if me := goroutinesNow()[s.id]; me.State == "IO wait" {
			is = fmt.Sprint(me.Frames)
		}
		if is == "" || is != was {
			was, since, same = is, time.Now(), 0
			continue
		}
		if same++; same >= minLooks && time.Since(since) >= minStable {
			return
		}
	}
}

// dropCovered leaves out what the verdict is about: the goroutine of start, and the one that it waits for. What they hold
// belongs to the verdict.
func (s *startUp) dropCovered(leaks []report.Leak) (out []report.Leak) {
	verdict := -1
	for _, l := range leaks {
		covered := l.Kind == string(Goroutine) && l.Code != codeHangs && len(l.Keys) > 0
		for _, k := range l.Keys {
			covered = covered && (k.List != "goroutine" || s.covers[k.ID])
		}
		if covered {
			s.verdict.Holds = append(s.verdict.Holds, l.Holds...)
			s.verdict.Keys = append(s.verdict.Keys, l.Keys...)
			continue
		}
		if l.Code == codeHangs {
			verdict = len(out)
		}
		out = append(out, l)
	}
	if verdict >= 0 {
		out[verdict].Holds, out[verdict].Keys = s.verdict.Holds, s.verdict.Keys
	}
	return out
}

// succeeds is the verdict for a start that returned no error.
func (s *startUp) succeeds(start func(context.Context) error) {
	s.verdict = report.Leak{
		Kind: string(Goroutine), Code: codeNoError, Class: failFastName, Test: s.w.name, Rank: -1, Role: "start is",
		Summary: "the start-up returned no error, although what it depends on is dead", Site: startOf(start),
		Hint:    "return the error of the first attempt; what may come back later is for whoever starts the service to try again",
		Unknown: "start is a method value",
	}
	if s.verdict.Site.File != "" {
		s.verdict.Unknown = ""
	}
	s.report(s.takeIn)
}

// takeIn makes what was started and is open a part of the verdict. What is no resource, such as a budget that was passed, stays.
func (s *startUp) takeIn(leaks []report.Leak) (out []report.Leak) {
	verdict := s.verdict
	for _, l := range leaks {
		switch {
		case l.Code == codeNoError:
		case len(l.Keys) == 0:
			out = append(out, l)
		default:
			text := l.Summary
			if l.Count > 1 {
				text += fmt.Sprintf(" (×%d)", l.Count)
			}
			site := l.Site
			if site.Func == "" {
				site = callsite.Pick(l.Stack)
			}
			if site.Func != "" {
				role := l.Role
				if role == "" {
					role = report.RoleTaken
				}
				text += ", " + role + " " + dbuse.Short(site)
			}
			verdict.Holds = append(verdict.Holds, text)
			verdict.Keys = append(verdict.Keys, l.Keys...)
		}
	}
	return append(out, verdict)
}

// startOf gives the function that was passed.
func startOf(start func(context.Context) error) callsite.Frame {
	f := runtime.FuncForPC(reflect.ValueOf(start).Pointer())
	if f == nil {
		return callsite.Frame{}
	}
	file, line := f.FileLine(f.Entry())
	if file == "<autogenerated>" {
		return callsite.Frame{Func: strings.TrimSuffix(f.Name(), "-fm")}
	}
	return callsite.Frame{Func: f.Name(), File: file, Line: line}
}

// goroutinesNow reads all goroutines.
func goroutinesNow() map[uint64]goroutine.Goroutine {
	var d goroutine.Dumper
	all := make(map[uint64]goroutine.Goroutine)
	goroutine.Scan(d.Dump(), func(h goroutine.Head) bool {
		g, _ := goroutine.Parse(h.Block)
		all[h.ID] = g
		return true
	})
	return all
}

// onlyChild gives the only goroutine that another one has started and that has not ended; nil when there are several, or none.
func onlyChild(all map[uint64]goroutine.Goroutine, id uint64) (child *goroutine.Goroutine) {
	for _, g := range all {
		if g.CreatorID != id {
			continue
		}
		if child != nil {
			return nil
		}
		child = &g
	}
	return child
}

func describedSockets() (out []socket.Socket) {
	for _, r := range allSockets() {
		if s, ok := socket.Describe(r); ok {
			out = append(out, s)
		}
	}
	return out
}

// waitPlace is where a goroutine waits.
type waitPlace struct {
	site  callsite.Frame // the program's line
	in    string         // the function that it has called: "net.Dial"
	to    string         // address that it dials, or reads from; "" when not known
	state string         // of the socket
	dials bool
	reads bool
}

func (p waitPlace) text() string {
	text := p.in
	switch {
	case p.to == "":
	case p.dials:
		text += " to " + p.to
	default:
		text += ", connected to " + p.to
	}
	if p.state != "" && p.dials {
		text += ", " + p.state
	}
	return text
}

func (p waitPlace) hint() string {
	switch {
	case p.dials:
		return "give the dial a time-out: net.Dialer{Timeout: …}, or a context with a deadline"
	case p.reads:
		return "give the connection a deadline before its handshake: conn.SetDeadline(…), or the client a time-out"
	}
	return "give the start-up a context with a deadline, and wait for that too"
}

// waitsAt says where a goroutine waits, given the sockets that are open, and the keys of those that were before, sorted.
func waitsAt(g goroutine.Goroutine, open []socket.Socket, before []uint64) (p waitPlace) {
	p.site = callsite.Pick(callsite.User(g.Frames))
	i := slices.Index(g.Frames, p.site)
	if i > 0 && strings.HasPrefix(g.Frames[i-1].Func, callsite.Module+"/leakcheck.WrapDial") { // which the caller knows nothing of
		for i > 1 && strings.HasPrefix(g.Frames[i-1].Func, callsite.Module+"/leakcheck.") {
			i--
		}
	}
	if i > 0 && !strings.HasPrefix(g.Frames[i-1].Func, "runtime.") {
		p.in = path.Base(g.Frames[i-1].Func)
	}
	for _, f := range g.Frames {
		switch {
		case strings.HasPrefix(f.Func, "net.(*netFD).connect"), strings.HasPrefix(f.Func, "net.(*Dialer)."), strings.HasPrefix(f.Func, "net.(*sysDialer)."):
			p.dials = true
		case strings.HasPrefix(f.Func, "net.(*netFD).Read"), strings.HasPrefix(f.Func, "net.(*netFD).Write"):
			p.reads = true
		}
	}
	if !p.dials && !p.reads {
		return p
	}
	if d, ok := dialling.Load(g.ID); ok {
		p.to = d.(*outbound.Dial).Address
	}
	var found []socket.Socket
	for _, s := range open {
		if _, old := slices.BinarySearch(before, s.Key()); !old && leadsOut(s, open) && (s.State == "SYN_SENT") == p.dials {
			found = append(found, s)
		}
	}
	if len(found) == 1 { // of several nothing tells which it is
		if p.state = found[0].State; p.to == "" {
			p.to = found[0].Remote.String()
		}
	}
	return p
}

// leadsOut says whether this process has dialled the socket's peer, as far as its listeners tell.
func leadsOut(s socket.Socket, all []socket.Socket) bool {
	if !s.Remote.IsValid() || s.Listening || !s.Stream {
		return false
	}
	return !slices.ContainsFunc(all, func(o socket.Socket) bool {
		return o.Listening && o.Local.IsValid() && o.Local.Port() == s.Local.Port()
	})
}
