package dbuse

import (
	"sync"
	"time"

	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/label"
)

// Every calls look from time to time, never twice at once, until stop is called; stop waits for one that runs. Its
// goroutines are known to package goroutine as no test's.
func Every(d time.Duration, look func()) (stop func()) {
	return Until(d, func() bool { look(); return false })
}

// Until is Every that also ends when look says that it is over.
func Until(d time.Duration, look func() (enough bool)) (stop func()) {
	var (
		mu    sync.Mutex
		over  bool
		timer *time.Timer
	)
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(d, func() {
		mu.Lock()
		defer mu.Unlock()
		if over {
			return
		}
		if over = look(); !over {
			timer.Reset(d)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		over = true
		timer.Stop()
	}
}

// Goroutines lists all goroutines with their labels.
func Goroutines(d *goroutine.Dumper) (gs []*goroutine.Goroutine) {
	profile := ""
	if !goroutine.LabelsInDump() { // Go 1.25
		profile = goroutine.LabelProfile()
	}
	goroutine.Scan(d.DumpLabels(), func(h goroutine.Head) bool {
		g, _ := goroutine.Parse(h.Block)
		gs = append(gs, &g)
		return true
	})
	if profile != "" {
		goroutine.AttachLabels(gs, profile, make(map[uint64][]goroutine.Label))
	}
	return gs
}

// Belongs says whether the goroutine is the test's: it has its label, that of a check inside, or no label at all.
func Belongs(g *goroutine.Goroutine, test label.ID) bool {
	v, ok := g.Label(label.Key)
	if !ok {
		return true
	}
	id, _, ok := label.Parse(v)
	return !ok || label.Within(id, test)
}

// Round gives a duration with as many digits as a reader wants.
func Round(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Microsecond).String()
}
