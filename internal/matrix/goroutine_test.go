package matrix

import (
	"context"
	"errors"
	"iter"
	"os"
	"os/signal"
	"runtime/pprof"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/leakgate/leakgate/leakcheck"
)

func forever(mark string, has ...string) want {
	return want{code: "LK102", kind: "goroutine", mark: mark, has: has}
}

var goroutineScenarios = []scenario{
	{name: "go-chan-receive", leak: chanReceive, clean: chanReceiveEnds, want: forever("chan-receive", "blocked: chan receive")},
	{name: "go-chan-send", leak: chanSend, clean: chanSendEnds, want: forever("chan-send", "blocked: chan send")},
	{name: "go-nil-chan", leak: nilChan, clean: nilChanEnds, want: forever("nil-chan", "nil chan")},
	{name: "go-mutex", leak: mutex, clean: mutexEnds, want: forever("mutex", "sync.Mutex.Lock")},
	{name: "go-rwmutex", leak: rwMutex, clean: rwMutexEnds, want: forever("rwmutex", "sync.RWMutex.RLock")},
	{name: "go-waitgroup", leak: waitGroup, clean: waitGroupEnds, want: forever("waitgroup", "sync.WaitGroup.Wait")},
	{name: "go-cond", leak: cond, clean: condEnds, want: forever("cond", "sync.Cond.Wait")},
	{name: "go-select", leak: selects, clean: selectEnds, want: forever("select", "blocked: select")},
	{name: "go-select-nothing", leak: selectNothing, clean: selectNothingNot, want: forever("select-nothing", "select (no cases)")},
	{name: "go-sleep-loop", leak: sleepLoop, clean: sleepLoopEnds, want: forever("sleep-loop", "sleep")},
	{name: "go-ticker-loop", leak: tickerLoop, clean: tickerLoopEnds, want: forever("ticker-loop")},
	{name: "go-context", leak: contextNever, clean: contextEnds, want: forever("context", "cancel the context")},
	{
		name: "go-afterfunc", leak: afterFunc, clean: afterFuncEnds,
		want: want{code: "LK102", kind: "goroutine", mark: "afterfunc", nobody: true},
	},
	{name: "go-grandchild", leak: grandchild, clean: grandchildEnds, want: forever("grandchild", "chan receive")},
	{name: "go-deep", leak: deep, clean: deepEnds, want: forever("deep", "chan receive")},
	{name: "go-group", leak: group, clean: groupEnds, want: forever("group", "chan receive")},
	{name: "go-generic", leak: generic, clean: genericEnds, want: forever("generic", "chan receive")},
	{name: "go-method-value", leak: methodValue, clean: methodValueEnds, want: forever("method-value", "chan receive")},
	{name: "go-waitgroup-go", leak: waitGroupGo, clean: waitGroupGoEnds, want: forever("waitgroup-go", "chan receive")},
	{name: "go-context-afterfunc", leak: contextAfterFuncStuck, clean: contextAfterFunc, want: forever("context-afterfunc", "chan receive")},
	{name: "go-iter-pull", leak: iterPull, clean: iterPullStopped, want: forever("iter-pull")},
	{
		name: "go-notify-context", leak: notifyContext, clean: signalContext,
		want: want{code: "LK102", kind: "goroutine", has: []string{"os/signal.NotifyContext"}},
	},
	{
		name: "go-three", leak: three, clean: threeEnds,
		want: want{code: "LK102", kind: "goroutine", count: 3, mark: "three"},
	},
	{
		name: "go-other-labels", leak: otherLabels, clean: otherLabelsEnds,
		want: want{code: "LK102", kind: "goroutine", mark: "other-labels"},
	},
	{
		name: "go-parallel-subtests", leak: parallelSubtests, clean: parallelSubtestsEnd,
		want: want{code: "LK102", kind: "goroutine", mark: "parallel", test: "TestScenario/group/leaks", onlyVerify: true},
	},
}

func chanReceive(_ *testing.T, _ *peer) {
	c := make(chan int)
	keep(c)
	go func() { // LEAK chan-receive
		<-c
	}()
}

func chanReceiveEnds(_ *testing.T, _ *peer) {
	c := make(chan int)
	defer close(c)
	go func() { <-c }()
}

// chanSend is the classic: the first answer is taken and the second sender waits for ever.
func chanSend(_ *testing.T, _ *peer) {
	c := make(chan int)
	for i := range 2 {
		go func() { c <- i }() // LEAK chan-send
	}
	<-c
}

func chanSendEnds(_ *testing.T, _ *peer) {
	c := make(chan int, 2)
	for i := range 2 {
		go func() { c <- i }()
	}
	<-c
}

func nilChan(_ *testing.T, _ *peer) {
	var c chan int
	go func() { // LEAK nil-chan
		<-c
	}()
}

func nilChanEnds(_ *testing.T, _ *peer) {
	var c chan int
	go func() {
		select {
		case <-c:
		default:
		}
	}()
}

func mutex(_ *testing.T, _ *peer) {
	var mu sync.Mutex
	mu.Lock()
	go func() { // LEAK mutex
		mu.Lock()
		defer mu.Unlock()
	}()
}

func mutexEnds(_ *testing.T, _ *peer) {
	var mu sync.Mutex
	mu.Lock()
	defer mu.Unlock()
	go func() {
		mu.Lock()
		defer mu.Unlock()
	}()
}

func rwMutex(_ *testing.T, _ *peer) {
	var mu sync.RWMutex
	mu.Lock()
	go func() { // LEAK rwmutex
		mu.RLock()
		defer mu.RUnlock()
	}()
}

func rwMutexEnds(_ *testing.T, _ *peer) {
	var mu sync.RWMutex
	mu.Lock()
	defer mu.Unlock()
	go func() {
		mu.RLock()
		defer mu.RUnlock()
	}()
}

func waitGroup(_ *testing.T, _ *peer) {
	var wg sync.WaitGroup
	wg.Add(1)
	go func() { // LEAK waitgroup
		wg.Wait()
	}()
}

func waitGroupEnds(_ *testing.T, _ *peer) {
	var wg sync.WaitGroup
	wg.Add(1)
	defer wg.Done()
	go wg.Wait()
}

func cond(_ *testing.T, _ *peer) {
	c := sync.NewCond(new(sync.Mutex))
	go func() { // LEAK cond
		c.L.Lock()
		defer c.L.Unlock()
		c.Wait()
	}()
}

func condEnds(_ *testing.T, _ *peer) {
	c := sync.NewCond(new(sync.Mutex))
	ready := false
	go func() {
		c.L.Lock()
		defer c.L.Unlock()
		for !ready {
			c.Wait()
		}
	}()
	c.L.Lock()
	defer c.L.Unlock()
	ready = true
	c.Broadcast()
}

func selects(_ *testing.T, _ *peer) {
	a, b := make(chan int), make(chan int)
	go func() { // LEAK select
		select {
		case <-a:
		case b <- 1:
		}
	}()
}

func selectEnds(_ *testing.T, _ *peer) {
	a, b := make(chan int), make(chan int)
	defer close(a)
	go func() {
		select {
		case <-a:
		case b <- 1:
		}
	}()
}

func selectNothing(_ *testing.T, _ *peer) {
	go func() { select {} }() // LEAK select-nothing
}

func selectNothingNot(_ *testing.T, _ *peer) {
	go func() {}()
}

func sleepLoop(_ *testing.T, _ *peer) {
	go func() { // LEAK sleep-loop
		for {
			time.Sleep(5 * time.Millisecond)
		}
	}()
}

func sleepLoopEnds(t *testing.T, _ *peer) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			time.Sleep(5 * time.Millisecond)
		}
	}()
}

func tickerLoop(_ *testing.T, _ *peer) {
	tick := time.NewTicker(5 * time.Millisecond)
	go func() { // LEAK ticker-loop
		for range tick.C {
			continue
		}
	}()
}

func tickerLoopEnds(t *testing.T, _ *peer) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	go func() {
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
}

func contextNever(_ *testing.T, _ *peer) {
	ctx, cancel := context.WithCancel(context.Background())
	keep(cancel)
	go func() { // LEAK context
		<-ctx.Done()
	}()
}

func contextEnds(_ *testing.T, _ *peer) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	go func() { <-ctx.Done() }()
}

// afterFunc has no go statement of the program's: the line where the callback waits is all there is.
func afterFunc(_ *testing.T, _ *peer) {
	started := make(chan struct{})
	time.AfterFunc(time.Millisecond, func() {
		close(started)
		<-never // LEAK afterfunc
	})
	<-started
}

func afterFuncEnds(_ *testing.T, _ *peer) {
	started, end := make(chan struct{}), make(chan struct{})
	defer close(end)
	time.AfterFunc(time.Millisecond, func() {
		close(started)
		<-end
	})
	<-started
}

func grandchild(_ *testing.T, _ *peer) {
	c := make(chan int)
	var parent sync.WaitGroup
	parent.Add(1)
	go func() {
		defer parent.Done()
		go func() { // LEAK grandchild
			<-c
		}()
	}()
	parent.Wait()
}

func grandchildEnds(_ *testing.T, _ *peer) {
	c := make(chan int)
	var parent sync.WaitGroup
	parent.Add(1)
	go func() {
		defer parent.Done()
		go func() { <-c }()
	}()
	parent.Wait()
	close(c)
}

func descend(n int, c chan int) int {
	if n == 0 {
		return <-c
	}
	return descend(n-1, c) + 1
}

// deep has more frames than a dump shows.
func deep(_ *testing.T, _ *peer) {
	c := make(chan int)
	go func() { // LEAK deep
		descend(300, c)
	}()
}

func deepEnds(_ *testing.T, _ *peer) {
	c := make(chan int)
	defer close(c)
	go func() { descend(300, c) }()
}

// workers is what golang.org/x/sync/errgroup is: the go statement is in Go, whoever calls it.
type workers struct {
	wg   sync.WaitGroup
	once sync.Once
	err  error
}

func (w *workers) Go(f func() error) {
	w.wg.Add(1)
	go func() { // LEAK group
		defer w.wg.Done()
		if err := f(); err != nil {
			w.once.Do(func() { w.err = err })
		}
	}()
}

func (w *workers) Wait() error {
	w.wg.Wait()
	return w.err
}

func group(_ *testing.T, _ *peer) {
	c := make(chan int)
	var w workers
	w.Go(func() error {
		<-c
		return nil
	})
}

func groupEnds(t *testing.T, _ *peer) {
	c := make(chan int)
	var w workers
	w.Go(func() error {
		<-c
		return errors.New("over")
	})
	close(c)
	assert.EqualError(t, w.Wait(), "over")
}

func forward[T any](in <-chan T, f func(T)) {
	for v := range in {
		f(v)
	}
}

func generic(_ *testing.T, _ *peer) {
	in := make(chan map[string]int)
	go forward(in, func(map[string]int) {}) // LEAK generic
}

func genericEnds(_ *testing.T, _ *peer) {
	in := make(chan map[string]int)
	defer close(in)
	go forward(in, func(map[string]int) {})
}

type queue struct{ in chan int }

func (q *queue) run() {
	for range q.in {
		continue
	}
}

func methodValue(_ *testing.T, _ *peer) {
	q := &queue{make(chan int)}
	run := q.run
	go run() // LEAK method-value
}

func methodValueEnds(_ *testing.T, _ *peer) {
	q := &queue{make(chan int)}
	defer close(q.in)
	run := q.run
	go run()
}

func waitGroupGo(_ *testing.T, _ *peer) {
	var wg sync.WaitGroup
	wg.Go(func() {
		<-never // LEAK waitgroup-go
	})
}

func waitGroupGoEnds(_ *testing.T, _ *peer) {
	var wg sync.WaitGroup
	c := make(chan int)
	wg.Go(func() { <-c })
	close(c)
	wg.Wait()
}

func contextAfterFuncStuck(t *testing.T, _ *peer) {
	ctx, cancel := context.WithCancel(t.Context())
	started := make(chan struct{})
	context.AfterFunc(ctx, func() {
		close(started)
		<-never // LEAK context-afterfunc
	})
	cancel()
	<-started
}

func count(yield func(int) bool) {
	for i := 0; yield(i); i++ { // LEAK iter-pull
		continue
	}
}

func iterPull(_ *testing.T, _ *peer) {
	next, stop := iter.Pull(count)
	next()
	keep(stop)
}

func iterPullStopped(_ *testing.T, _ *peer) {
	next, stop := iter.Pull(count)
	defer stop()
	next()
}

func notifyContext(_ *testing.T, _ *peer) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	keep(stop)
	keep(ctx)
}

func three(_ *testing.T, _ *peer) {
	for range 3 {
		go func() { // LEAK three
			<-never
		}()
	}
}

func threeEnds(_ *testing.T, _ *peer) {
	end := make(chan struct{})
	defer close(end)
	for range 3 {
		go func() { <-end }()
	}
}

// otherLabels runs under labels of the program's own, which replace those of the test.
func otherLabels(_ *testing.T, _ *peer) {
	pprof.Do(context.Background(), pprof.Labels("job", "import"), func(context.Context) {
		go func() { // LEAK other-labels
			<-never
		}()
	})
}

func otherLabelsEnds(_ *testing.T, _ *peer) {
	end := make(chan struct{})
	defer close(end)
	pprof.Do(context.Background(), pprof.Labels("job", "import"), func(context.Context) {
		go func() { <-end }()
	})
}

// parallelSubtests has one subtest that leaks among others that run at the same time.
func parallelSubtests(t *testing.T, _ *peer) { subtests(t, true) }

func parallelSubtestsEnd(t *testing.T, _ *peer) { subtests(t, false) }

func subtests(t *testing.T, leaks bool) {
	var all sync.WaitGroup // until all of them run
	names := []string{"one", "leaks", "two"}
	all.Add(len(names))
	t.Run("group", func(t *testing.T) {
		for _, name := range names {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				t.Cleanup(leakcheck.Verify(t))
				all.Done()
				all.Wait()
				end := make(chan struct{})
				if name != "leaks" || !leaks {
					defer close(end)
				}
				go func() { // LEAK parallel
					<-end
				}()
			})
		}
	})
}
