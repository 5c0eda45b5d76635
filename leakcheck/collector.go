package leakcheck

import (
	"runtime/debug"
	"sync"
)

// holdCollector keeps the garbage collector from running by itself until the check is over, so that what it sees does not
// depend on when that is: the collector closes descriptors that nobody refers to. It is done only while no other test
// runs, for at most the time of the wait; the memory limit goes on working.
func (w *watch) holdCollector() {
	if w.release != nil || !w.exclusive() {
		return
	}
	collector.Lock()
	defer collector.Unlock()
	if collector.holders == 0 {
		collector.percent = debug.SetGCPercent(-1)
	}
	collector.holders++
	w.release = func() {
		collector.Lock()
		defer collector.Unlock()
		if collector.holders--; collector.holders == 0 {
			if now := debug.SetGCPercent(collector.percent); now != -1 {
				debug.SetGCPercent(now) // somebody else has set it since
			}
		}
	}
}

// releaseCollector lets it run again.
func (w *watch) releaseCollector() {
	if w.release != nil {
		w.release()
		w.release = nil
	}
}

var collector struct {
	sync.Mutex
	holders int
	percent int
}
