package leakcheck

import (
	"fmt"
	"io"
	"runtime"
	"runtime/metrics"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/leakgate/leakgate/internal/fold"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/report"
	"github.com/leakgate/leakgate/internal/socket"
)

// How a check waits for what is winding down.
const (
	minLooks    = 5                     // never gives up before this many looks,
	slowLook    = 10 * time.Millisecond // or, when a look takes longer than this,
	minSlow     = 3                     // before this many,
	manyLive    = 1000                  // where there are as many goroutines to look at
	firstPause  = time.Millisecond      // grows each time
	growPause   = 3
	maxPause    = 64 * time.Millisecond
	minStable   = 100 * time.Millisecond // at least this long without a change,
	stableLooks = 2                      // and as many looks
	knownStable = 15 * time.Millisecond  // for what is known to a sweep from other scenarios, or to Repeat from earlier runs
	bubbleLook  = 50                     // looks in a synctest bubble, where no time passes
)

// outcome is what is left when the wait is over.
type outcome struct {
	sight
	waited time.Duration
	looks  int
	ended  []report.Leak // responses that were held for a while and are not any more; for a scenario alone
	gone   []socket.Ref  // were open at the first look and went while a collection ran
}

// settle looks again and again until nothing is left, or what is left is blocked and does not change, or the time is up.
func (w *watch) settle(first sight, look func() sight) outcome {
	first = w.settleNotes(first, look)
	o := outcome{sight: first, looks: 1}
	if len(first.leaks) == 0 || w.cfg.wait == 0 {
		return o
	}
	if goroutines.me().Bubble != 0 {
		// Time stands still in a bubble until all of it is blocked, which it is not while somebody waits in the network:
		// a sleep here might never end. Let the others run, and look.
		for o.looks < bubbleLook && len(o.leaks) > 0 {
			for range 100 {
				runtime.Gosched()
			}
			o.sight = look()
			o.looks++
		}
		return o
	}

	cycles := gcCycles()
	start := time.Now()
	held := w.holding()
	held.look(o.leaks, start)
	end := w.deadline(start)
	changed, mark, same := start, signature(o.leaks), 0
	pause, rest, least := firstPause, firstPause, minLooks
	for {
		now := time.Now()
		stable := w.stable(o.leaks)
		// On a busy machine time passes in which nothing of this process runs: it is looked as well, and not waited alone.
		calm := !w.mayEnd(o.leaks) && now.Sub(changed) >= stable && same >= stableLooks
		if o.looks >= least && (calm || !now.Before(end)) {
			break
		}
		sleep := pause
		if left := end.Sub(now); o.looks >= least && left < sleep {
			sleep = left
		}
		if left := stable - now.Sub(changed); !w.mayEnd(o.leaks) && left < sleep {
			sleep = max(left, rest)
		}
		time.Sleep(sleep)
		pause = min(pause*growPause, maxPause)

		began := time.Now()
		o.sight = look()
		o.looks++
		held.look(o.leaks, time.Now())
		if len(o.leaks) == 0 {
			break
		}
		if cost := time.Since(began); cost > slowLook { // looking must not be all that it does
			pause, rest = max(pause, cost), min(cost, maxPause)
			if runtime.NumGoroutine() >= manyLive {
				least = minSlow
			}
		}
		same++
		if s := signature(o.leaks); s != mark {
			changed, mark, same = time.Now(), s, 0
		}
	}
	o.waited = time.Since(start)
	o.ended = held.ended(o.leaks)
	if w.exclusive() && gcCycles() != cycles {
		o.gone = goneSince(first, o.sight)
	}
	return o
}

// noteLooks is how often it is looked again whether a socket that is only told of closes: for 13 ms at most.
const noteLooks = 3

// settleNotes gives sockets that would only be told of a moment to close, where nothing else is waited for. A driver cancels
// a query on a connection of its own, which the server closes.
func (w *watch) settleNotes(s sight, look func() sight) sight {
	if w.cfg.wait == 0 || w.scenario != nil || goroutines.me().Bubble != 0 {
		return s
	}
	pause := firstPause
	for i := 0; i < noteLooks && len(s.leaks) == 0 && hasNewSocket(s.notes); i++ {
		time.Sleep(pause)
		pause *= growPause
		s = look()
	}
	return s
}

// hasNewSocket says whether there is a socket among the notes that nobody was told of.
func hasNewSocket(notes []report.Leak) bool {
	return slices.ContainsFunc(notes, func(l report.Leak) bool {
		return l.Kind == string(Socket) && len(l.Keys) > 0 && !registry.isReported(told(l.Keys[:1])[0])
	})
}

func hasKind(leaks []report.Leak, k Kind) bool {
	for _, l := range leaks {
		if l.Kind == string(k) {
			return true
		}
	}
	return false
}

// mayEnd says whether something that is left may still end by itself: it is not blocked; or the caller asked for a wait, and
// a timer could wake it.
func (w *watch) mayEnd(leaks []report.Leak) bool {
	if w.settled != nil && w.settled(leaks) {
		return false
	}
	for _, l := range leaks {
		if l.Moving || w.cfg.waitSet && l.Timed {
			return true
		}
	}
	return false
}

// signature changes when what is held changes. What an entry also holds is left out: which of several goroutines of a
// server serves a connection is a guess, which may differ from look to look.
func signature(leaks []report.Leak) string {
	var b strings.Builder
	for _, l := range leaks {
		fmt.Fprintf(&b, "%s %d %s %s", l.Code, l.Count, l.State, l.Summary)
		if len(l.Keys) > 0 {
			fmt.Fprint(&b, l.Keys[0])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// gcCycles counts the garbage collections that were completed.
func gcCycles() uint64 {
	s := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return s[0].Value.Uint64()
}

// goneSince lists the sockets that a root cause of the first look was made of and that are not open any more.
func goneSince(first, last sight) (gone []socket.Ref) {
	still := make(map[uint64]bool)
	for _, r := range last.fresh {
		still[r.Key()] = true
	}
	culprits := make(map[report.Key]bool)
	for _, l := range first.leaks {
		if l.Kind == string(Socket) {
			for _, k := range l.Keys {
				culprits[k] = true
			}
		}
	}
	for _, r := range first.fresh {
		if culprits[report.Key{List: "socket", ID: r.Key()}] && !still[r.Key()] {
			gone = append(gone, r)
		}
	}
	return gone
}

// prove adds to what is left what the runtime can prove: goroutines that nothing can wake (the goroutineleak profile, where
// there is one), sockets that nothing refers to (the collector closes them when it is asked to run), and leases of what nothing
// refers to. It costs one or
// two collections, and is done for leaks alone.
func (w *watch) prove(o *outcome) {
	if w.cfg.instead || goroutines.me().Bubble != 0 {
		return
	}
	again := false
	provable := provableLeases(o)
	if hasKind(o.leaks, Goroutine) {
		proved := provedGoroutines()
		for i := range o.input.Goroutines {
			if g := &o.input.Goroutines[i]; proved[g.ID] {
				g.Proved, again = true, true
			}
		}
	}
	if hasKind(o.leaks, Socket) && w.exclusive() {
		open := collectSockets()
		for i := range o.input.Sockets {
			if s := &o.input.Sockets[i]; !open[s.Key()] {
				s.Dropped, again = true, true
			}
		}
	} else if len(provable) > 0 {
		collect()
	}
	for _, l := range provable {
		if held := lease.Live.Get(l.ID); held != nil {
			l.Info, l.Now, again = held.Info(), held.Now(), true
		}
	}
	if again {
		s := sight{input: o.input, fresh: o.fresh, errs: o.errs}
		w.explain(&s, nil)
		o.leaks = append(s.leaks, probeLeaks(o.leaks)...)
		o.leaks = report.Finish(o.leaks)
	}
}

// probeLeaks are the entries that do not come from the input.
func probeLeaks(leaks []report.Leak) (out []report.Leak) {
	for _, l := range leaks {
		if len(l.Keys) > 0 && strings.HasPrefix(l.Keys[0].List, "probe ") {
			out = append(out, l)
		}
	}
	return out
}

// provedGoroutines gives the goroutines that the runtime proved to be blocked for ever; nil where it cannot.
func provedGoroutines() map[uint64]bool {
	p := pprof.Lookup("goroutineleak")
	if p == nil {
		return nil
	}
	if err := p.WriteTo(io.Discard, 1); err != nil { // the proof is done by WriteTo; Count alone does nothing
		return nil
	}
	proved := make(map[uint64]bool)
	for _, g := range goroutines.everything() {
		if g.Leaked {
			proved[g.ID] = true
		}
	}
	return proved
}

// provableLeases gives the leases of the input that something is left of and of which a collection may prove that nothing refers
// to what was lent.
func provableLeases(o *outcome) (out []*fold.Lease) {
	left := make(map[uint64]bool)
	for _, l := range o.leaks {
		for _, k := range l.Keys {
			if k.List == "lease" {
				left[k.ID] = true
			}
		}
	}
	for i := range o.input.Leases {
		if l := &o.input.Leases[i]; l.Info.Provable && left[l.ID] {
			out = append(out, l)
		}
	}
	return out
}

// collect runs the garbage collector. Cleanups, which close what nothing refers to, run on a goroutine of their own some time
// after the collection: that of a marker tells when it has come to those that were found with it.
func collect() {
	for range 3 {
		swept := make(chan struct{})
		runtime.AddCleanup(new([64]byte), func(swept chan struct{}) { close(swept) }, swept)
		runtime.GC()
		late := time.NewTimer(sweepWait)
		select {
		case <-swept:
		case <-late.C:
		}
		late.Stop()
	}
}

// sweepWait is how long a collection's cleanups are waited for, which a finalizer of the program's may keep from running.
const sweepWait = 100 * time.Millisecond

// collectSockets runs the garbage collector and gives the sockets that are open afterwards.
func collectSockets() map[uint64]bool {
	open := make(map[uint64]bool)
	collect()
	for _, r := range allSockets() {
		open[r.Key()] = true
	}
	return open
}
