package callstack

import (
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// names lists the frames of a stack: "function line".
func names(pcs []uintptr) (out []string) {
	it := runtime.CallersFrames(pcs)
	for {
		f, more := it.Next()
		out = append(out, fmt.Sprintf("%s %d", f.Function[strings.LastIndexByte(f.Function, '.')+1:], f.Line))
		if !more {
			return out
		}
	}
}

// both captures the same stack in both ways, without both itself.
//
//go:noinline
func both() (fast *Stack, slow []uintptr) {
	var pcs [MaxDepth]uintptr
	return Capture(1), slices.Clone(pcs[:runtime.Callers(2, pcs[:])])
}

type recursion interface{ down(n int, f func()) }

type (
	byValue  struct{ _ int }
	promoted struct{ *byValue }
)

//go:noinline
func (v byValue) down(n int, f func()) {
	if n == 0 {
		f()
		return
	}
	recursion(promoted{&v}).down(n-1, f) // through a wrapper that the compiler writes
}

func inlined(f func()) { f() }

// TestSame: a captured stack is what runtime.Callers says, wherever it is taken and however often.
func TestSame(t *testing.T) {
	for _, c := range []struct {
		name string
		at   func(f func())
	}{
		{"here", func(f func()) { f() }},
		{"inlined", inlined},
		{"deep", func(f func()) { byValue{}.down(10, f) }},
		{"as deep as is kept", func(f func()) { byValue{}.down(MaxDepth/2, f) }},
		{"deeper than is kept", func(f func()) { byValue{}.down(1000, f) }},
		{"by reflection", func(f func()) { reflect.ValueOf(f).Call(nil) }},
		{"in a deferred call", func(f func()) { defer f() }},
		{"while it panics", func(f func()) {
			defer func() { _ = recover() }()
			defer f()
			panic("on purpose")
		}},
		{"after a fault", func(f func()) {
			defer func() { _ = recover() }()
			defer f()
			var p *int
			*p = 1
		}},
		{"in a sort", func(f func()) {
			slices.SortFunc([]int{2, 1}, func(a, b int) int { f(); return a - b })
		}},
		{"on a goroutine", func(f func()) {
			var wg sync.WaitGroup
			wg.Go(f)
			wg.Wait()
		}},
		{"once", func(f func()) { new(sync.Once).Do(f) }},
		{"as a finalizer would", func(f func()) { runtime.Gosched(); f() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var first *Stack
			for i := range 3 {
				c.at(func() {
					fast, slow := both()
					// The two calls in both have the same line of it, which is left out.
					assert.Equal(t, names(slow), names(fast.PCs()))
					if i == 0 {
						first = fast
					} else {
						assert.Same(t, first, fast, "it is known")
					}
				})
			}
		})
	}
}

// TestLines: two lines of one function are two stacks.
func TestLines(t *testing.T) {
	a := Capture(0)
	b := Capture(0)
	assert.NotEqual(t, names(a.PCs())[0], names(b.PCs())[0])
	assert.Contains(t, names(a.PCs())[0], "TestLines")
	assert.Equal(t, names(a.PCs())[1:], names(b.PCs())[1:])
}

// TestSkips: what is left out is a part of what is looked for.
func TestSkips(t *testing.T) {
	var got []*Stack
	for i := range 4 {
		got = append(got, Capture(i%2))
	}
	assert.Contains(t, names(got[0].PCs())[0], "TestSkips")
	assert.Equal(t, names(got[0].PCs())[1:], names(got[1].PCs()))
	assert.Equal(t, got[0].PCs(), got[2].PCs())
	assert.Equal(t, got[1].PCs(), got[3].PCs())
}

// TestSets: a stack whose set others fill is not mistaken for one of them, and stays known beside as many as there is room for.
func TestSets(t *testing.T) {
	capture := func() *Stack { return Capture(0) }
	another := func(of *Stack, n uintptr) {
		o := &Stack{pcs: []uintptr{n}, skip: of.skip, raw: slices.Clone(of.raw)}
		o.raw[len(o.raw)-1] += n
		keep(o, hashOf(of.raw))
	}
	var got []*Stack
	for i := range uintptr(6 * ways) {
		s := capture()
		got = append(got, s)
		another(s, i+1)
		assert.Equal(t, names(got[0].PCs())[1:], names(s.PCs())[1:])
		assert.Contains(t, names(s.PCs())[0], "func")
		var again []*Stack
		for range 2 {
			again = append(again, capture())
		}
		assert.Same(t, again[0], again[1])
	}
}

// TestTakeTurns: as many stacks of one set as there is room for are known at once.
func TestTakeTurns(t *testing.T) {
	const hash = 12345
	var all []*Stack
	for i := range ways {
		all = append(all, keep(&Stack{raw: []uintptr{uintptr(i)}}, hash))
	}
	for i, s := range all {
		assert.Same(t, s, find([]uintptr{uintptr(i)}, hash, 0))
	}
	more := keep(&Stack{raw: []uintptr{ways}}, hash)
	assert.Same(t, more, find([]uintptr{ways}, hash, 0))
}

var givenRuns uintptr

// TestWithoutFramePointers: what runtime.Callers gave is recognised too.
func TestWithoutFramePointers(t *testing.T) {
	givenRuns++ // with -count the stacks of the run before are known
	pcs := []uintptr{3, 2, givenRuns}
	assert.Nil(t, find(pcs, hashOf(pcs), asGiven))
	s := keep(&Stack{pcs: pcs, skip: asGiven, raw: pcs}, hashOf(pcs))
	assert.Same(t, s, find([]uintptr{3, 2, givenRuns}, hashOf(pcs), asGiven))
	assert.Nil(t, find(pcs, hashOf(pcs), 0))
}

// TestThrough: the answer is the same the second time, and costs nothing then.
func TestThrough(t *testing.T) {
	const here = "github.com/leakgate/leakgate/internal/callstack.TestThrough"
	s := Capture(0)
	for range 2 {
		assert.True(t, s.Through(here))
		assert.True(t, s.Through("testing.tRunner"))
		assert.False(t, s.Through("database/sql.(*DB).Close"))
	}
	assert.False(t, Capture(1).Through(here))
	assert.False(t, new(Stack).Through(here))
	assert.Zero(t, testing.AllocsPerRun(100, func() { s.Through("testing.tRunner"); s.Through("database/sql.(*DB).Close") }))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if !s.Through(here) || s.Through("none") {
					t.Error("another answer")
				}
			}
		})
	}
	wg.Wait()
}

// TestUnwind: the assembly gives the hash that Go gives, and nothing when the chain does not fit: what is beyond may differ.
func TestUnwind(t *testing.T) {
	var raw [maxChain]uintptr
	n, hash := unwind(&raw)
	if runtime.GOARCH != "amd64" {
		assert.Zero(t, n)
		return
	}
	require.Positive(t, n)
	assert.Equal(t, hashOf(raw[:n]), hash)
	before := n
	byValue{}.down(0, func() { n, _ = unwind(&raw) })
	assert.Equal(t, before+2, n)
	byValue{}.down(1000, func() { n, _ = unwind(&raw) })
	assert.Zero(t, n)
}

// TestConcurrently: the stacks move while others are captured.
func TestConcurrently(t *testing.T) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 300 {
				byValue{}.down((i*37+j)%200, func() {
					fast, slow := both()
					if !slices.Equal(names(slow), names(fast.PCs())) {
						t.Errorf("%d frames, want %d", len(fast.PCs()), len(slow))
					}
				})
			}
		})
	}
	wg.Wait()
}

// TestAllocates: a known stack costs no memory.
func TestAllocates(t *testing.T) {
	assert.Zero(t, testing.AllocsPerRun(100, func() { Capture(0) }))
}

func BenchmarkCapture(b *testing.B) {
	for _, depth := range []int{0, 10, 30} {
		b.Run(fmt.Sprintf("depth=%d/tool=capture", depth), func(b *testing.B) {
			byValue{}.down(depth, func() {
				for b.Loop() {
					Capture(0)
				}
			})
		})
		b.Run(fmt.Sprintf("depth=%d/tool=callers", depth), func(b *testing.B) {
			byValue{}.down(depth, func() {
				var pcs [MaxDepth]uintptr
				for b.Loop() {
					runtime.Callers(0, pcs[:])
				}
			})
		})
	}
}
