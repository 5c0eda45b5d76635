package agent

import (
	"fmt"
	"math/bits"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/deep/hook"
	"github.com/leakgate/leakgate/internal/globals"
	"github.com/leakgate/leakgate/internal/lease"
)

// What the walk says of an address, and how it ended: see internal/deep/inruntime.
const (
	isReached  = 1 << 0
	isHeap     = 1 << 1
	isSegment  = 1 << 2
	isNoPtrs   = 1 << 3
	isTimer    = 1 << 4
	isChan     = 1 << 5
	isSwitches = 1 << 6

	walkWords = 5

	walkComplete = 0
	walkFull     = 1
	walkLate     = 2
)

// The most that is looked at: above that it is not known what package-level variables hold.
const (
	maxObjects = 2 << 20
	maxWalk    = time.Second // that the world stands still at a time
	maxTries   = 3           // a busy machine may be the reason that it took so long
	maxFound   = 1 << 15     // words, for what goroutines refer to
)

// tooLate is why nothing is known where the walk took too long.
var tooLate = fmt.Sprintf("looking at the heap takes more than %s", maxWalk)

// running are the tests that run, by their addresses. What a test holds, by its cleanups for one, is not held for the life of the
// process, also where a package-level variable leads to the test.
var running struct {
	sync.Mutex
	by map[uintptr]bool
}

func testBegins(t unsafe.Pointer) (end func()) {
	running.Lock()
	defer running.Unlock()
	if running.by == nil {
		running.by = make(map[uintptr]bool)
	}
	running.by[uintptr(t)] = true
	return func() {
		running.Lock()
		defer running.Unlock()
		delete(running.by, uintptr(t))
	}
}

// heap answers what package-level variables hold by a walk through the heap.
type heap struct {
	mu   sync.Mutex // one walk at a time, each of which needs memory
	late int        // with so many objects it took too long; 0 when it never did. The world is not stopped for that again
}

// Ask walks.
func (h *heap) Ask(q globals.Question) globals.Answer {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := globals.Answer{Leases: make([]globals.Descriptor, len(q.Leases)), Goroutines: make([]globals.Goroutine, len(q.Goroutines)), Processes: make([]globals.Descriptor, len(q.Processes))}
	objects := heapObjects()
	if objects > maxObjects {
		a.Unknown = fmt.Sprintf("the heap is too large to look at: it has %d objects, and %d are the most", objects, maxObjects)
		return a
	}
	if h.late != 0 && objects >= h.late {
		a.Unknown = tooLate
		return a
	}
	queue := make([]uintptr, objects+objects/4+1<<14)
	table := make([]uintptr, 1<<bits.Len(uint(2*len(queue))))
	found := make([]uintptr, maxFound)

	asks := make([]uintptr, len(q.Leases))
	nums := make([]int, len(q.Leases))
	fds := make(map[uintptr]uint64)
	open.mu.Lock()
	for addr, d := range open.by {
		fds[addr] = 0
		if d.Pool() == nil {
			continue
		}
		fds[addr] = d.ID()
		if i := slices.Index(q.Leases, d.ID()); i >= 0 {
			asks[i], nums[i] = addr, d.num
		}
	}
	for _, pid := range q.Processes {
		asks = append(asks, open.pids[pid].process)
	}
	open.mu.Unlock()
	answers := make([]uint8, len(asks))

	var barriers []uintptr
	running.Lock()
	for t := range running.by {
		barriers = append(barriers, t)
	}
	running.Unlock()
	places := hook.PoolPlaces()
	for _, p := range places {
		barriers = append(barriers, uintptr(p))
	}
	known := slices.Clone(asks)
	roots, own := make([]uintptr, len(table)), ownVariables()
	n, state := 0, walkLate
	for range maxTries {
		if _, n, state = reach(own, barriers, table, roots, queue, asks, answers, q.Goroutines, found, int64(maxWalk)); state != walkLate {
			break
		}
		clear(table)
		clear(roots)
		clear(queue)
	}
	runtime.KeepAlive(places)
	switch state {
	case walkFull:
		a.Unknown = "the heap is too large to look at"
	case walkLate:
		a.Unknown, h.late = tooLate, max(objects, 1)
	}
	if state != walkComplete {
		return a
	}
	for i, addr := range known {
		switch {
		case addr == 0:
		case i >= len(a.Leases):
			a.Processes[i-len(a.Leases)] = globals.Descriptor{Held: answers[i]&isReached != 0, Variable: asks[i]}
		default:
			a.Leases[i] = globals.Descriptor{Held: answers[i]&isReached != 0, Variable: asks[i], Used: used(nums[i])}
		}
	}
	by := make([][]reference, len(q.Goroutines))
	for f := range slices.Chunk(found[:n], walkWords) {
		by[f[0]] = append(by[f[0]], reference{is: f[1], addr: f[2], pc: f[3], variable: f[4]})
	}
	for i, refs := range by {
		a.Goroutines[i] = judge(refs, fds)
	}
	return a
}

// ownVariables are variables that lead to what tests hold, and are not the program's: of the agent, and of package sync, which knows all
// pools.
func ownVariables() []uintptr {
	at := uintptr(unsafe.Pointer(&lease.Live))
	return append(append(hook.OwnVariables(), globals.OwnVariables()...), at, at+unsafe.Sizeof(lease.Live))
}

func heapObjects() int {
	s := []metrics.Sample{{Name: "/gc/heap/objects:objects"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindUint64 {
		return maxObjects + 1
	}
	return int(min(s[0].Value.Uint64(), maxObjects+1))
}

// reference is one thing that a goroutine waits for, or refers to in a frame.
type reference struct{ is, addr, pc, variable uintptr }

func (r reference) held() bool { return r.is&(isReached|isSegment) != 0 }

// judge says whether a goroutine works for what package-level variables hold, by what it waits for:
//
//   - for descriptors: the one that it waits in decides;
//   - for channels: all must be held, those of timers left out;
//   - for what package sync makes one wait for: all that the frames of sync refer to must be held;
//   - for time alone: what it was started with must be held, and there must be nothing else that it was started with.
func judge(refs []reference, fds map[uintptr]uint64) globals.Goroutine {
	var g globals.Goroutine
	var chans, inSync, entry []reference
	var outer uintptr // the outermost frame that is not a wrapper
	for _, r := range refs {
		switch {
		case r.is&isSwitches != 0:
			g.Used = globals.Mark(r.addr)
		case r.is&isChan != 0:
			if r.is&isTimer == 0 {
				chans = append(chans, r)
			}
		default:
			switch fn := funcOf(r.pc); {
			case strings.HasPrefix(fn.Func, "internal/poll."):
				g.Waits = true
				if l := fds[r.addr]; l != 0 {
					g.WaitsIn = l
				}
			case strings.HasPrefix(fn.Func, "sync."):
				inSync = append(inSync, r)
			case fn.Func != "" && !callsite.IsStd(fn):
				if r.pc != outer {
					outer, entry = r.pc, nil
				}
				if r.held() || r.is&(isTimer|isNoPtrs) == 0 { // a buffer, or the timer itself, is nobody's
					entry = append(entry, r)
				}
			}
		}
	}
	for _, refs := range [][]reference{chans, inSync, entry} {
		if g.Waits || len(refs) == 0 {
			continue
		}
		g.Held, g.Variable = true, refs[0].variable
		for _, r := range refs {
			g.Held = g.Held && r.held()
			g.Variable = min(g.Variable, r.variable)
		}
		break
	}
	return g
}

// funcOf names the function of a frame: where others were inlined into it, that which they are in.
func funcOf(pc uintptr) callsite.Frame {
	if frames := callsite.Expand([]uintptr{pc}); len(frames) > 0 {
		return frames[len(frames)-1]
	}
	return callsite.Frame{}
}
