package leakcheck

import (
	"runtime"
	"sync"

	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/report"
)

// Snapshot is what the process held at one moment.
type Snapshot struct {
	mu  sync.Mutex
	w   *watch
	err error
}

// Take takes note of what the process holds now. It blames nobody and may be used anywhere, also outside of tests; from
// then on http.DefaultTransport is tracked for as long as the Snapshot is referred to.
func Take(opts ...Option) *Snapshot {
	cfg := newConfig(opts)
	w := begin("", nil, cfg, false)
	s := &Snapshot{w: w, err: cfg.err()}
	runtime.AddCleanup(s, func(id label.ID) { lease.Live.Unwatch(id) }, w.id)
	return s
}

// Err says what was wrong with the options given to Take; nil when nothing was. An option that is wrong has no effect.
func (s *Snapshot) Err() error { return s.err }

// Leaks gives what is held now, was not held when the snapshot was taken, and is no idle pooled connection; worst first. It
// waits for what is winding down, as Wait says; with Wait(0) it looks once. It may be called again, and by several
// goroutines.
func (s *Snapshot) Leaks() []Leak {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.w.result()
	runtime.KeepAlive(s)
	if len(o.leaks) == 0 && s.err == nil {
		return nil
	}
	out := toPublicAll(o.leaks)
	if s.err != nil {
		out = append(out, Leak{Kind: "option", Summary: s.err.Error(), Count: 1, Code: "LK901"})
	}
	return out
}

// result looks and waits, for a watch that ends when its caller says so.
func (w *watch) result() outcome {
	defer w.releaseCollector()
	s := w.lookSure()
	if len(s.leaks) == 0 && len(w.meters) == 0 {
		return outcome{sight: s, looks: 1}
	}
	o := w.settle(s, w.lookSure)
	if len(o.leaks) > 0 {
		w.prove(&o)
		w.setApart(&o)
	}
	o.leaks = report.Finish(append(o.leaks, w.judge()...))
	return o
}

// Check looks at all that the process holds now: nil when there is nothing but the caller, what the testing package and the
// runtime run, and idle pooled connections; else a *LeakError, whose text is the whole report. It waits as Wait says.
// Descriptors 0 to 2 are not looked at. An option that is wrong is an error too.
func Check(opts ...Option) error {
	cfg := newConfig(opts)
	if err := cfg.err(); err != nil {
		return err
	}
	w := begin("", nil, cfg, false)
	defer w.end()
	if err := cfg.err(); err != nil {
		return err
	}
	w.base = heldBefore{goroutines: goroutineBase{set: &idSet{}}, sockets: standardSockets()}
	for _, p := range w.probes {
		clear(p.held)
	}
	o := w.result()
	if len(o.errs) > 0 {
		return o.errs[0]
	}
	if len(o.leaks) == 0 {
		return nil
	}
	text := report.Text{Who: "leakcheck", Leaks: o.leaks, Ignored: o.ignored, Waited: o.waited, Looks: o.looks, Ages: true}
	return &LeakError{Leaks: toPublicAll(o.leaks), text: text.String()}
}

// standardSockets are the descriptors that the process was started with.
func standardSockets() (keys []uint64) {
	for _, r := range allSockets() {
		if r.FD >= 0 && r.FD <= 2 {
			keys = append(keys, r.Key())
		}
	}
	return keys
}
