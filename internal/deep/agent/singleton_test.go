package agent

import (
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/globals"
)

// inRead gives an address in the code of internal/poll, where a goroutine waits for a pipe.
func inRead(t *testing.T) uintptr {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = r.Read(make([]byte, 1)) })
	defer func() { w.Close(); wg.Wait(); r.Close() }()
	for {
		records := make([]runtime.StackRecord, 1000)
		n, _ := runtime.GoroutineProfile(records)
		for _, rec := range records[:n] {
			for _, pc := range rec.Stack() {
				if strings.HasPrefix(funcOf(pc).Func, "internal/poll.(*FD).Read") {
					return pc
				}
			}
		}
		runtime.Gosched()
	}
}

// TestJudge: what a goroutine waits for decides, and what it was started with where it waits for time alone.
func TestJudge(t *testing.T) {
	pc := func(f any) uintptr { return reflect.ValueOf(f).Pointer() + 1 }
	poll, wait, own, caller := inRead(t), pc((*sync.Cond).Wait), pc(TestJudge), pc(inRead)
	const (
		reached = isHeap | isReached
		local   = isHeap
	)
	for _, c := range []struct {
		name string
		refs []reference
		want globals.Goroutine
	}{
		{"nothing", nil, globals.Goroutine{}},
		{"channel", []reference{{is: reached | isChan, addr: 1, variable: 9}, {is: local, addr: 2, pc: own}}, globals.Goroutine{Held: true, Variable: 9}},
		{"channels", []reference{{is: reached | isChan, variable: 9}, {is: reached | isChan, variable: 8}}, globals.Goroutine{Held: true, Variable: 8}},
		{"one of its own", []reference{{is: reached | isChan}, {is: local | isChan}, {is: reached, pc: own}}, globals.Goroutine{}},
		{"a timer's", []reference{{is: reached | isChan, variable: 9}, {is: local | isChan | isTimer}}, globals.Goroutine{Held: true, Variable: 9}},
		{"descriptor", []reference{{is: reached, addr: 7, pc: poll}, {is: reached, pc: own}}, globals.Goroutine{Waits: true, WaitsIn: 70}},
		{"descriptor that is not known", []reference{{is: reached, addr: 6, pc: poll}, {is: reached, pc: own}}, globals.Goroutine{Waits: true}},
		{"condition", []reference{{is: isSegment, variable: 9, pc: wait}, {is: local, pc: own}}, globals.Goroutine{Held: true, Variable: 9}},
		{"condition of its own", []reference{{is: local, pc: wait}, {is: reached, pc: own}}, globals.Goroutine{}},
		{"time", []reference{{is: local | isChan | isTimer}, {is: local, pc: caller}, {is: reached, pc: own, variable: 9}, {is: local | isTimer, pc: own}, {is: local | isNoPtrs, pc: own}},
			globals.Goroutine{Held: true, Variable: 9}},
		{"time, with something of its own", []reference{{is: reached, pc: own}, {is: local, pc: own}}, globals.Goroutine{}},
		{"time alone", []reference{{is: local | isChan | isTimer}, {is: local | isTimer, pc: own}}, globals.Goroutine{}},
		{"use", []reference{{is: isSwitches, addr: 5}}, globals.Goroutine{Used: 5}},
	} {
		got := judge(c.refs, map[uintptr]uint64{7: 70})
		if !c.want.Held {
			got.Variable = 0
		}
		assert.Equal(t, c.want, got, c.name)
	}
}

// TestCannotWalk: without the walk nothing is known, and that is said.
func TestCannotWalk(t *testing.T) {
	h := new(heap)
	for range 2 { // the second time, it is known
		a := h.Ask(globals.Question{Leases: []uint64{1}, Goroutines: []uint64{1}})
		assert.Equal(t, "looking at the heap takes more than 1s", a.Unknown)
		assert.Positive(t, h.late)
	}
	assert.False(t, canWalk)
}

// TestUsed: the position in a file, and the bytes of a connection.
func TestUsed(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH == "386" || runtime.GOARCH == "s390x" {
		t.Skip("is not known here")
	}
	f, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	defer f.Close()
	before := used(int(f.Fd()))
	assert.NotZero(t, before)
	assert.Equal(t, before, used(int(f.Fd())))
	_, err = f.WriteString("x")
	require.NoError(t, err)
	assert.NotEqual(t, before, used(int(f.Fd())))
	assert.Zero(t, used(-1))
}
