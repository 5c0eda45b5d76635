package census

import (
	"cmp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/redact"
)

// Bounds of a listing of goroutines.
const (
	maxStacks = 4096 // different stacks that are told apart, and that stay described
	maxShown  = 6    // frames of one
)

// Stacks lists goroutines by their stack. It takes the runtime's goroutine profile, for which the world is stopped
// for a moment at the beginning and at the end, and not while stacks are read; a dump (runtime.Stack) stops it
// throughout. Its zero value is ready. Its methods may be called by several goroutines.
type Stacks struct {
	mu      sync.Mutex
	records []runtime.StackRecord
	known   map[uint64]*stack
}

// stack is what is known of one stack, found out once.
type stack struct {
	Goroutine
	idle, skip bool
	whole      []callsite.Frame
}

// Listing is the goroutines at one moment.
type Listing struct {
	At     time.Time
	Took   time.Duration
	Count  int
	Groups []StackGroup // the biggest first
	Other  int          // goroutines of stacks beyond the bound
}

// StackGroup is goroutines with one stack.
type StackGroup struct {
	Goroutine
	Idle bool
}

// List lists the goroutines now, without those that run a function that skip knows.
func (s *Stacks) List(skip func(function string) bool) *Listing {
	s.mu.Lock()
	defer s.mu.Unlock()
	began := time.Now()
	n := s.profile()
	counts := make(map[uint64]int)
	l := &Listing{At: began}
	if s.known == nil || len(s.known) > maxStacks {
		s.known = make(map[uint64]*stack)
	}
	for i := range s.records[:n] {
		r := &s.records[i]
		key := Hash(r.Stack())
		if _, ok := counts[key]; !ok && len(counts) >= maxStacks {
			l.Other++
			continue
		}
		counts[key]++
		if s.known[key] == nil {
			s.known[key] = describe(key, r.Stack(), skip)
		}
	}
	// Stacks that differ in lines that nobody sees, as those of one loop at two of its waits, stay apart: each is what it is.
	for key, count := range counts {
		k := s.known[key]
		if k.skip {
			continue
		}
		g := StackGroup{k.Goroutine, k.idle}
		g.Count = count
		l.Count += count
		l.Groups = append(l.Groups, g)
	}
	l.Count += l.Other
	slices.SortFunc(l.Groups, func(a, b StackGroup) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Function, b.Function), cmp.Compare(a.State, b.State), cmp.Compare(a.Key, b.Key))
	})
	l.Took = time.Since(began)
	return l
}

// profile reads the records of all goroutines.
func (s *Stacks) profile() int {
	for {
		n, ok := runtime.GoroutineProfile(s.records)
		if ok {
			return n
		}
		s.records = make([]runtime.StackRecord, n+n/8+16)
	}
}

// Hash is FNV-1a over words. Two stacks of one hash would be taken for one; with 64 bits that is not to be expected.
func Hash(pcs []uintptr) uint64 {
	h := uint64(14695981039346656037)
	for _, pc := range pcs {
		h = (h ^ uint64(pc)) * 1099511628211
		h ^= h >> 29
	}
	return h
}

// Key writes a hash as the keys of groups are written.
func Key(h uint64) string { return strconv.FormatUint(h, 36) }

func describe(key uint64, pcs []uintptr, skip func(string) bool) *stack {
	whole := callsite.Expand(pcs)
	k := &stack{whole: whole}
	k.Key = Key(key)
	g := goroutine.Goroutine{State: state(whole), Frames: visible(whole)}
	if len(g.Frames) == 0 {
		g.Frames = whole
	}
	start := g.Frames[len(g.Frames)-1]
	for i := len(g.Frames) - 1; i > 0 && strings.HasPrefix(start.Func, "runtime."); i-- {
		start = g.Frames[i-1]
	}
	// A profile does not say who started a goroutine. What runs an unexported function of a library was started by it.
	g.CreatedBy = callsite.Frame{Func: start.Package() + ".start"}
	role := goroutine.Classify(&g)
	k.Role, k.State, k.Function = role.String(), g.State, start.Func
	if len(pcs) == maxRecord {
		k.Function = "" // it is cut at its outer end
	}
	switch role {
	case goroutine.RoleClientIdle, goroutine.RoleClientWrite, goroutine.RoleServerIdle, goroutine.RoleServerRead:
		k.idle = true // or a helper of a connection, whose other goroutine says whether that is idle
	}
	user := callsite.User(whole)
	k.Site = Site(callsite.Pick(user))
	for i, f := range user {
		if i == maxShown {
			break
		}
		k.Stack = append(k.Stack, Site(f))
	}
	for _, f := range whole {
		k.skip = k.skip || skip != nil && skip(f.Func)
	}
	return k
}

// maxRecord is how many frames a record of the profile has at most.
const maxRecord = len(runtime.StackRecord{}.Stack0)

// visible leaves out the frames of the runtime at the inner end, as a dump does.
func visible(frames []callsite.Frame) []callsite.Frame {
	for i, f := range frames {
		if !strings.HasPrefix(f.Func, "runtime.") {
			return frames[i:]
		}
	}
	return nil
}

// states says what a goroutine waits for, in the words of a dump, by the function of the runtime that it waits in.
var states = map[string]string{
	"runtime.selectgo":                      "select",
	"runtime.block":                         "select (no cases)",
	"runtime.chanrecv":                      "chan receive",
	"runtime.chansend":                      "chan send",
	"runtime.netpollblock":                  "IO wait",
	"runtime.timeSleep":                     "sleep",
	"time.Sleep":                            "sleep",
	"sync.runtime_SemacquireMutex":          "sync.Mutex.Lock",
	"internal/sync.runtime_SemacquireMutex": "sync.Mutex.Lock",
	"sync.runtime_SemacquireRWMutexR":       "sync.RWMutex.RLock",
	"sync.runtime_SemacquireRWMutex":        "sync.RWMutex.Lock",
	"sync.runtime_SemacquireWaitGroup":      "sync.WaitGroup.Wait",
	"sync.runtime_Semacquire":               "semacquire",
	"sync.runtime_notifyListWait":           "sync.Cond.Wait",
	"os/signal.signal_recv":                 "signal",
}

// state gives what a goroutine waits for; "" when it does not, or it is not known.
func state(frames []callsite.Frame) string {
	if len(frames) == 0 || frames[0].Func != "runtime.gopark" && frames[0].Func != "runtime.goparkunlock" {
		return ""
	}
	for i, f := range frames {
		if s := states[f.Func]; s != "" {
			return s
		}
		if i > 5 {
			break
		}
	}
	return ""
}

// Site writes a frame, without what may be a secret in its line.
func Site(f callsite.Frame) Frame {
	if f.Func == "" {
		return Frame{}
	}
	return Frame{Func: f.Func, File: f.File, Line: f.Line, Source: redact.Code(callsite.Source(f))}
}
