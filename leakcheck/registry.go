package leakcheck

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/report"
)

// watches is who watches now, and what was reported already.
type watches struct {
	mu       sync.Mutex
	active   map[*watch]bool
	sociable map[*watch]bool         // of active, those that have met fewer than maxMet
	main     *watch                  // the watch of Main, which ends after all others
	reported map[report.Key]bool     // what an entry was made of
	pending  map[report.Key]*waiting // what no test could be blamed for while others ran
	tops     map[string]bool         // top-level tests that ever watched
	told     map[string]bool         // what is said once
	runners  map[uint64]label.ID     // goroutines that run a test
	first    map[report.Key]string   // the test that ran alone when the resource first showed
	over     map[string][]string     // by pool: who reported that it is over what Main's HighWater allows
	refused  int                     // calls that could not be reported through a test

	own atomic.Uint64 // goroutines that were started to run a test and are in runners; counted in deep mode alone

	parallelEnded atomic.Bool // a parallel test has ended since it was last looked which connections are leased
}

// waiting is a resource that was new for the tests named.
type waiting struct {
	suspects []string
	probe    Probe // that lists it; nil for the default ones
}

var registry = &watches{
	active:   make(map[*watch]bool),
	sociable: make(map[*watch]bool),
	reported: make(map[report.Key]bool), pending: make(map[report.Key]*waiting), told: make(map[string]bool), tops: make(map[string]bool), first: make(map[report.Key]string), runners: make(map[uint64]label.ID),
}

// addSuite adds what Main ignores for the whole package.
func (r *watches) addSuite(c *config) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.main != nil {
		c.rules = append(c.rules, r.main.cfg.rules...)
		c.goleak = append(c.goleak, r.main.cfg.goleak...)
		c.remotes = c.remotes.add(r.main.cfg.remotes)
		c.warn.take(r.main.cfg.warn.limit)
		for _, h := range r.main.cfg.high {
			h.suite = true
			c.high = append(c.high, h)
		}
	}
}

// hasWatched says whether a top-level test of that name was ever watched.
func (r *watches) hasWatched(top string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tops[top]
}

func (r *watches) enter(w *watch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w.name == "" {
		return // Take and Check are asked at any time and blame nobody
	}
	top, _, _ := strings.Cut(w.name, "/")
	r.tops[top] = true
	r.forgetOver(w.name)
	for o := range r.sociable {
		if related(o.name, w.name) {
			continue
		}
		if o.meet(w.name); len(o.met) >= maxMet {
			delete(r.sociable, o)
		}
	}
	for o := range r.active {
		if len(w.met) >= maxMet {
			break // thousands may run at once, and no more names are kept
		}
		if !related(o.name, w.name) {
			w.meet(o.name)
		}
	}
	r.active[w] = true
	if len(w.met) < maxMet {
		r.sociable[w] = true
	}
}

// runsOn notes that the calling goroutine runs the test of the watch: what it starts is the test's, also under labels that
// hide ours.
func (r *watches) runsOn(id label.ID) {
	self := goroutine.CurrentID(nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.runners) >= 2*label.Keep {
		maps.DeleteFunc(r.runners, func(_ uint64, old label.ID) bool { return old+label.Keep < id })
	}
	r.runners[self] = id
}

// startsHere notes, for deep mode, that the calling goroutine has just been started to run a test. It must be called before
// runsOn.
func (r *watches) startsHere() {
	self := goroutine.CurrentID(nil)
	r.mu.Lock()
	_, known := r.runners[self]
	r.mu.Unlock()
	if !known { // else it runs one test within another
		r.own.Add(1)
	}
}

// runner gives the watch whose test the goroutine runs, or ran; 0 for none.
func (r *watches) runner(goroutine uint64) label.ID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.runners[goroutine]
}

// related: a test and its subtests watch the same thing; the inner one answers for it.
func related(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

// leave ends a watch, and says whether it was the last of the tests that watch, and no Main will look after them: then
// what is pending is reported now. Both in one step, so that of two that end together one is the last.
func (r *watches) leave(w *watch) (last bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.active, w)
	delete(r.sociable, w)
	return r.main == nil && len(r.active) == 0
}

// claim marks the keys as reported and says whether any was not before.
func (r *watches) claim(keys []report.Key) (fresh bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range keys {
		if first := reportElsewhere(k); first && !r.reported[k] {
			fresh = true
		}
		r.reported[k] = true
		delete(r.pending, k)
	}
	return fresh || len(keys) == 0
}

func (r *watches) isReported(k report.Key) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reported[k] || isReportedElsewhere(k)
}

// postpone keeps what cannot be attributed until nobody else runs.
func (r *watches) postpone(keys []report.Key, suspects []string, probe Probe) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range keys {
		if r.reported[k] {
			continue
		}
		p := r.pending[k]
		if p == nil {
			p = &waiting{probe: probe}
			r.pending[k] = p
		}
		if len(p.suspects) < maxMet {
			p.suspects = append(p.suspects, suspects...)
		}
	}
}

// suspectsOf gives the tests that could have made a pending resource, and whether there is one.
func (r *watches) suspectsOf(k report.Key) ([]string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.pending[k]
	if !ok {
		return nil, false
	}
	out := slices.Clone(p.suspects)
	slices.Sort(out)
	return slices.Compact(out), true
}

// once says whether the text is said for the first time in this process.
func (r *watches) once(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.told[text] {
		return false
	}
	r.told[text] = true
	return true
}

func (r *watches) saw(k report.Key, test string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.first) >= maxFirst {
		open, err := sockets.keys()
		maps.DeleteFunc(r.first, func(k report.Key, _ string) bool {
			_, still := slices.BinarySearch(open, k.ID)
			return k.List == "socket" && err == nil && !still
		})
	}
	if _, ok := r.first[k]; !ok {
		r.first[k] = test
	}
}

// maxFirst is when it is looked which of the resources that tests left open are still there.
const maxFirst = 1 << 14

// leasedNow notes the connections whose response is held at the end of a test that ran alone: the first test after which one
// is held is the one that holds it. With an empty name it is of nobody in particular, and stays so.
func (r *watches) leasedNow(ids []uint64, test string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	held := make(map[report.Key]bool, len(ids))
	for _, id := range ids {
		k := report.Key{List: "goroutine", ID: id}
		held[k] = true
		if _, ok := r.first[k]; !ok {
			r.first[k] = test
		}
	}
	maps.DeleteFunc(r.first, func(k report.Key, _ string) bool { return k.List == "goroutine" && !held[k] })
}

// seenIn gives the test that ran alone when the resource first showed; "" for none, and for what parallel tests left.
func (r *watches) seenIn(k report.Key) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.first[k]
}
