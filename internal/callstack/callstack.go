// Package callstack captures the stack of the calling goroutine and keeps one copy of each stack.
//
// What a program leases, it leases at a few places, over and over. runtime.Callers asks the tables of the binary about each
// frame, which takes half a microsecond for the stack of a test and two for that of an ORM. Here the chain of frame pointers
// is followed first, which is a few loads for each frame, and only a stack that is not known yet is captured with
// runtime.Callers. What a lease has to keep is then one pointer.
//
// It uses the standard library alone.
package callstack

import (
	"runtime"
	"slices"
	"sync/atomic"
)

// MaxDepth is the number of frames that are kept. ORMs have some forty above the line that calls them.
const MaxDepth = 64

// maxChain is how long a chain of frame pointers can be to be followed. A stack is recognised by all of it.
const maxChain = 96

// Stack is the stack of one moment. It does not change.
type Stack struct {
	pcs  []uintptr // as runtime.Callers gives them
	skip int
	raw  []uintptr // what it is recognised by

	answers atomic.Pointer[answer] // that Through has given
}

// answer is one answer of Through, and the ones before it.
type answer struct {
	function string
	yes      bool
	next     *answer
}

// PCs are the program counters, innermost first, as runtime.Callers gives them; nil for a nil Stack. They belong to everybody
// who captured that stack, and must not be changed.
func (s *Stack) PCs() []uintptr {
	if s == nil {
		return nil
	}
	return s.pcs
}

// Of gives the stack that has these program counters, which must not be changed.
func Of(pcs []uintptr) *Stack { return &Stack{pcs: pcs} }

// Through says whether a function is on the stack: "database/sql.(*DB).QueryRow". The answer is kept, so that asking the same of the
// same place again and again costs no look into the tables of the binary.
func (s *Stack) Through(function string) bool {
	first := s.answers.Load()
	for a := first; a != nil; a = a.next {
		if a.function == function {
			return a.yes
		}
	}
	a := &answer{function: function, next: first}
	if len(s.pcs) > 0 {
		it := runtime.CallersFrames(s.pcs)
		for more := true; more && !a.yes; {
			var f runtime.Frame
			f, more = it.Next()
			a.yes = f.Function == function
		}
	}
	s.answers.CompareAndSwap(first, a) // who loses asks again
	return a.yes
}

// The stacks that are known, in sets. Which set a stack belongs to its hash says; where the set is full, a new stack takes the
// place of one that was there. One place for each hash would not do: two stacks that a loop needs in turn would push each
// other out for ever.
const (
	sets = 1 << 9
	ways = 4
)

var (
	known  [sets][ways]atomic.Pointer[Stack]
	evicts atomic.Uint32
)

// Capture gives the stack of the calling goroutine without its first skip frames; 0 begins with Capture's caller.
func Capture(skip int) *Stack {
	var raw [maxChain]uintptr
	n, hash := unwind(&raw)
	if n == 0 { // only the runtime can tell
		n = runtime.Callers(skip+2, raw[:MaxDepth])
		hash = hashOf(raw[:n])
		if s := find(raw[:n], hash, asGiven); s != nil {
			return s
		}
		pcs := slices.Clone(raw[:n])
		return keep(&Stack{pcs: pcs, skip: asGiven, raw: pcs}, hash)
	}
	if s := find(raw[:n], hash, skip); s != nil {
		return s
	}
	return keep(&Stack{pcs: callers(skip + 2), skip: skip, raw: slices.Clone(raw[:n])}, hash)
}

// asGiven is the skip of a stack that is recognised by what runtime.Callers gave, where it is left out already.
const asGiven = -1

func find(raw []uintptr, hash uintptr, skip int) *Stack {
	set := &known[setOf(hash)]
	for i := range set {
		s := set[i].Load()
		if s == nil {
			return nil
		}
		if s.skip == skip && slices.Equal(s.raw, raw) {
			return s
		}
	}
	return nil
}

func keep(s *Stack, hash uintptr) *Stack {
	set := &known[setOf(hash)]
	for i := range set {
		if set[i].CompareAndSwap(nil, s) {
			return s
		}
	}
	set[evicts.Add(1)%ways].Store(s)
	return s
}

// setOf spreads the hashes, whose low bits are much alike.
func setOf(hash uintptr) uintptr {
	hash ^= hash >> 15
	hash *= 0x2c1b3c6d
	return (hash ^ hash>>12) % sets
}

// callers is runtime.Callers. It has a frame of its own, so that the buffer does not burden Capture's.
//
//go:noinline
func callers(skip int) []uintptr {
	var pcs [MaxDepth]uintptr
	return slices.Clone(pcs[:runtime.Callers(skip+1, pcs[:])])
}

// hashOf is what unwind gives for what it found.
func hashOf(pcs []uintptr) (h uintptr) {
	for _, pc := range pcs {
		h = (h ^ pc) * 0x01000193
	}
	return h
}
