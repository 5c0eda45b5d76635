package leakcheck

import (
	"runtime"
	"runtime/metrics"
	"sync/atomic"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/lease"
)

// ticking counts the goroutines of timers of this package that run at this moment: nobody wants to see those in a series.
var ticking atomic.Int64

// fewSockets is up to how many sockets the recorder, which nobody asked to, finds out their states: it takes three times as long as
// to list them.
const fewSockets = 256

// measure is what the process holds now, without the time. The states of sockets are in it when there are not more than most.
func measure(most int) fragment.Sample {
	s := fragment.Sample{
		Goroutines: runtime.NumGoroutine() - int(ticking.Load()), FDs: countDescriptors(), HeapInUse: heapInUse(),
	}
	s.States, s.Sockets = sockets.states(most)
	for p, n := range lease.Live.Out() {
		if lendsConns(p) {
			if s.Leased == nil {
				s.Leased = make(map[string]int)
			}
			s.Leased[p.Name()] += n
		}
	}
	return s
}

// heapInUse is what runtime.MemStats calls HeapInuse, without stopping the world; 0 when it is not known.
func heapInUse() int64 {
	s := [2]metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}}
	metrics.Read(s[:])
	var sum uint64
	for _, m := range s {
		if m.Value.Kind() != metrics.KindUint64 {
			return 0
		}
		sum += m.Value.Uint64()
	}
	return int64(sum)
}

// lendsConns says whether a pool lends connections, and not statements or rows of one.
func lendsConns(p *lease.Pool) bool {
	switch p.Kind() {
	case string(SQLStmt), string(PgxRows):
		return false
	}
	return true
}
