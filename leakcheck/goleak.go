package leakcheck

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"go.uber.org/goleak"

	"github.com/leakgate/leakgate/internal/fold"
	"github.com/leakgate/leakgate/internal/report"
)

// misfit says which of goleak's options cannot be carried over; nil when all can.
func misfit(opts []goleak.Option) error {
	err := find(append(opts[:len(opts):len(opts)], goleak.IgnoreCurrent()))
	if err != nil && strings.Contains(err.Error(), "Cleanup can only be") {
		return fmt.Errorf("leakcheck.Goleak: goleak.Cleanup steers goleak's own TestMain: call your function between leakcheck.Main and os.Exit instead")
	}
	return nil
}

// find is goleak.Find, which panics on stacks that it cannot parse (v1.3.0: deeper than 100 frames).
func find(opts []goleak.Option) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("goleak panicked: %.200v", p)
		}
	}()
	return goleak.Find(opts...)
}

// goleakFilter asks goleak which goroutines it would report with a caller's options.
type goleakFilter struct {
	opts  []goleak.Option
	mu    sync.Mutex
	keeps map[uint64]bool // asked for: whether goleak would report it
}

// newGoleakFilter must be made when the watch begins: what is there then is none of goleak's business.
func newGoleakFilter(opts []goleak.Option) *goleakFilter {
	if len(opts) == 0 {
		return nil
	}
	all := append(opts[:len(opts):len(opts)], goleak.IgnoreCurrent())
	return &goleakFilter{opts: all, keeps: make(map[uint64]bool)}
}

var goleakID = regexp.MustCompile(`Goroutine (\d+) in state `)

// ignores says whether goleak would ignore the goroutine. goleak looks for up to 0.4 s before it reports one.
func (f *goleakFilter) ignores(id uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if keep, asked := f.keeps[id]; asked {
		return !keep
	}
	err := find(f.opts)
	f.keeps[id] = false
	if err == nil {
		return true
	}
	if !strings.HasPrefix(err.Error(), "found unexpected") {
		f.keeps[id] = true // goleak could not tell: report it
		return false
	}
	for _, m := range goleakID.FindAllStringSubmatch(err.Error(), -1) {
		if n, err := strconv.ParseUint(m[1], 10, 64); err == nil {
			f.keeps[n] = true
		}
	}
	return !f.keeps[id]
}

// goleakIgnores says whether goleak's options set the leak aside. They speak of goroutines, and only of those that are a
// leak of their own: an option that hides net/http's loops does not hide an unclosed body.
func (w *watch) goleakIgnores(l *report.Leak) bool {
	if w.goleak == nil || l.Kind != string(Goroutine) {
		return false
	}
	for _, k := range l.Keys {
		if k.List == "goroutine" && !w.goleak.ignores(k.ID&^uint64(fold.LeasedBit)) {
			return false
		}
	}
	return true
}
