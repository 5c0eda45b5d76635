package leakcheck

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leakgate/leakgate/fragment"
)

// reportEnv names the folder that a fragment is written to. It is a variable and no flag, because a test binary that does
// not know a flag dies of it, and go test ./... gives flags to all.
const reportEnv = "LEAKGATE_REPORT"

// recorder writes what the tests of this process came to into a fragment.
type recorder struct {
	began time.Time

	mu      sync.Mutex
	file    *fragment.Writer // nil when it could not be made
	failed  error            // what could not be written; the first of it
	told    bool             // somebody was told of failed
	latest  time.Time        // the last time that was read outside of a synctest bubble
	active  map[*testRun]bool
	samples []fragment.Sample // not written yet
	flushed time.Time
	timer   *time.Timer // nil until samples are taken
	every   time.Duration
	points  int // taken at this interval
	stopped bool
	later   []fragment.Test // examples, of which only the end of the run says whether they passed
}

// How often samples are taken, and written.
const (
	firstEvery = 50 * time.Millisecond
	pointsEach = 600 // then the interval is doubled, so that a long run has no more than a few thousand points
	flushEvery = time.Second
	flushMost  = 100
)

// labelsTests says that Main labels the tests that run, and so sees each of them.
var labelsTests atomic.Bool

// recording gives the recorder of this process, which it makes at its first call; nil when no report is asked for. The
// workers of -fuzz have none: they run a test a million times.
var recording = sync.OnceValue(func() *recorder {
	dir := os.Getenv(reportEnv)
	if strings.TrimSpace(dir) == "" || !testing.Testing() || flagSet("test.fuzzworker") || recordsElsewhere() {
		return nil
	}
	r := &recorder{began: realTime(), active: make(map[*testRun]bool), every: firstEvery}
	r.latest, r.flushed = r.began, r.began
	r.file, r.failed = fragment.Create(fromRoot(dir), r.header())
	return r
})

// loaded is when the process began.
var loaded = time.Now()

// realTime is the present time, as far as it can be known: in a synctest bubble, where clocks begin in the year 2000, it is when
// the process began.
func realTime() time.Time {
	if t := time.Now(); !t.Before(loaded) {
		return t
	}
	return loaded
}

// fromRoot gives the path of a file that a variable names: from the module's root, where it is relative.
func fromRoot(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	b := binary()
	if b.root == "" {
		return filepath.Join(b.start, path)
	}
	return filepath.Join(b.root, path)
}

func (r *recorder) header() fragment.Header {
	b, known := binary(), accepted()
	h := fragment.Header{
		Module: b.module, Package: b.pkg, Dir: b.dir, ModuleDir: b.moduleDir, GoVersion: runtime.Version(),
		GOOS: runtime.GOOS, GOARCH: runtime.GOARCH, PID: os.Getpid(), Began: r.began, Main: labelsTests.Load() || isAgent, Deep: isAgent,
		Short: flagSet("test.short"), Filtered: flagSet("test.run") || flagSet("test.skip"), Baseline: known.name,
	}
	if known.err != nil {
		h.BaselineError = known.err.Error()
	}
	return h
}

// noteInputs lets the cache of go test know what the outcome depends on, which it learns from what a test reads while it
// runs, and not before: the variables, the baseline, and the fragment. A test that has opened a file of its module that is
// less than two seconds old is not cached, and the fragment is. So a run for a report is a run, also where the same tests
// have passed before. The path leads through the module's root, because files elsewhere do not count.
var noteInputs = sync.OnceFunc(func() {
	_, _ = os.Getenv(reportEnv), os.Getenv(baselineEnv)
	look(accepted().path)
	if r := recording(); r != nil && r.file != nil {
		path := r.file.Path()
		if root := binary().root; root != "" {
			if rel, err := filepath.Rel(root, path); err == nil {
				path = root + string(filepath.Separator) + rel
			}
		}
		look(path)
	}
})

func look(path string) {
	if path == "" {
		return
	}
	if f, err := os.Open(path); err == nil {
		f.Close()
	}
}

// now is the present time; in a bubble the last one that was read elsewhere. The recorder is locked.
func (r *recorder) now() time.Time {
	if t := realTime(); t.After(r.latest) {
		r.latest = t
	}
	return r.latest
}

// time is now, for those that do not hold the lock.
func (r *recorder) time() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now()
}

// write adds to the fragment. What cannot be written is told once, to the next test that ends, or by Main.
func (r *recorder) write(add func(*fragment.Writer) error) {
	if r == nil || r.file == nil {
		return
	}
	if err := add(r.file); err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.failed == nil {
			r.failed = err
		}
	}
}

// problem gives, once, what could not be written.
func (r *recorder) problem() error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.told || r.failed == nil {
		return nil
	}
	r.told = true
	return r.failed
}

// start begins to take samples. It is done outside of synctest bubbles: a timer that is made in one belongs to it.
func (r *recorder) start() {
	if r == nil || r.file == nil {
		return
	}
	r.mu.Lock()
	begun := r.timer != nil || r.stopped
	r.mu.Unlock()
	if begun || goroutines.me().Bubble != 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer == nil && !r.stopped {
		// No goroutine waits: goleak and others would list it, and it would have the label of a test.
		r.timer = time.AfterFunc(r.every, r.tick)
	}
}

// tick takes a sample, and lets the timer begin anew. goroutine.Classify knows it by its name.
func (r *recorder) tick() {
	ticking.Add(1)
	s := measure(fewSockets)
	ticking.Add(-1)
	r.mu.Lock()
	if r.stopped {
		r.mu.Unlock()
		return
	}
	r.keep(s)
	if r.points++; r.points == pointsEach {
		r.points, r.every = 0, 2*r.every
	}
	r.timer.Reset(r.every)
	out := r.due()
	r.mu.Unlock()
	r.writeSamples(out)
}

// keep takes a sample into what is to be written, and into the peaks of the tests that run. The recorder is locked.
func (r *recorder) keep(s fragment.Sample) {
	s.At = r.now()
	r.samples = append(r.samples, s)
	for t := range r.active {
		t.most.Goroutines = max(t.most.Goroutines, s.Goroutines)
		t.most.Sockets = max(t.most.Sockets, s.Sockets)
	}
}

// due takes what is to be written now: of a process that is killed no more than a second is lost. The recorder is locked.
func (r *recorder) due() []fragment.Sample {
	if len(r.samples) < flushMost && r.latest.Sub(r.flushed) < flushEvery {
		return nil
	}
	out := r.samples
	r.samples, r.flushed = nil, r.latest
	return out
}

func (r *recorder) writeSamples(s []fragment.Sample) {
	if len(s) > 0 {
		r.write(func(w *fragment.Writer) error { return w.Samples(s) })
	}
}

// add takes a sample in that somebody else has taken.
func (r *recorder) add(s fragment.Sample) {
	if r == nil {
		return
	}
	r.mu.Lock()
	if r.stopped {
		r.mu.Unlock()
		return
	}
	r.keep(s)
	out := r.due()
	r.mu.Unlock()
	r.writeSamples(out)
}

// begin takes a sample at the beginning of a test.
func (r *recorder) begin(t *testRun) {
	if r == nil {
		return
	}
	s := measure(fewSockets)
	r.mu.Lock()
	t.began = r.now()
	t.before, t.most = s, s
	r.active[t] = true
	r.keep(s)
	out := r.due()
	r.mu.Unlock()
	r.writeSamples(out)
}

// end takes one at its end, and writes the test down.
func (r *recorder) end(t *testRun, result string) {
	if r == nil {
		return
	}
	s := measure(fewSockets)
	r.mu.Lock()
	r.keep(s)
	delete(r.active, t)
	took := r.latest.Sub(t.began)
	most := t.most
	out := r.due()
	if (result == fragment.Failed || !labelsTests.Load()) && len(r.samples) > 0 { // the process may be about to end
		out, r.samples = r.samples, nil
	}
	r.mu.Unlock()
	r.writeSamples(out)
	test := fragment.Test{
		Name: t.name, Result: result, Began: t.began, Took: took, Pools: t.pools,
		Goroutines: fragment.Peak{Before: t.before.Goroutines, After: s.Goroutines, Most: most.Goroutines},
		Sockets:    fragment.Peak{Before: t.before.Sockets, After: s.Sockets, Most: most.Sockets},
	}
	if _, ok := t.t.(exampleT); ok {
		r.mu.Lock()
		r.later = append(r.later, test)
		r.mu.Unlock()
		return
	}
	r.write(func(w *fragment.Writer) error { return w.Test(test) })
}

// stop ends the samples and writes how the run ended. passed says that no test has failed.
func (r *recorder) stop(passed bool, code int, unused []string) {
	if r == nil {
		return
	}
	s := measure(fewSockets)
	if passed {
		for _, x := range r.later {
			r.write(func(w *fragment.Writer) error { return w.Test(x) })
		}
	}
	r.mu.Lock()
	r.stopped = true
	if r.timer != nil {
		r.timer.Stop()
	}
	r.keep(s)
	out := r.samples
	r.samples = nil
	at := r.latest
	r.mu.Unlock()
	r.writeSamples(out)
	r.write(func(w *fragment.Writer) error {
		return w.End(fragment.End{At: at, Code: code, Stopped: !passed && flagSet("test.failfast"), Unused: unused})
	})
}
