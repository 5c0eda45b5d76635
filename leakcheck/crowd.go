package leakcheck

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/goroutine"
)

// How long clients that do not return are waited for. Tests of this package have less time.
var (
	maxSilence = time.Minute    // in which no call has ended
	bubbleTime = 24 * time.Hour // the same in a synctest bubble, where waiting costs nothing and a call may sleep for long
	grace      = time.Second    // after their context was cancelled
)

// maxReserve is what is left before the deadline of t at most.
const maxReserve = 10 * time.Second

// maxTexts bounds how many different errors are kept.
const maxTexts = 16

// crowd is the clients of one load.
type crowd struct {
	ctx     context.Context
	cancel  context.CancelFunc
	fn      func(context.Context) error
	clients int
	plan    plan

	left   atomic.Int64 // calls that were not begun; of a plan by count
	stop   atomic.Bool  // no more calls are begun
	calls  atomic.Int64 // that have ended
	gone   atomic.Int64 // clients that have ended
	ended  chan struct{}
	began  time.Time
	lasted time.Duration

	mu       sync.Mutex
	ids      map[uint64]bool // goroutines of clients that run
	failed   int
	timedOut int
	errs     []CallError
	panics   []panicked
	exited   int // calls that ended their goroutine
}

// panicked is a panic of a call.
type panicked struct {
	value any
	stack string
	count int
}

func newCrowd(ctx context.Context, cancel context.CancelFunc, clients int, fn func(context.Context) error, p plan) *crowd {
	c := &crowd{ctx: ctx, cancel: cancel, fn: fn, clients: clients, plan: p, ended: make(chan struct{}), ids: make(map[uint64]bool)}
	c.left.Store(int64(p.times))
	return c
}

// run lets the clients go, waits for them, and says what is wrong with them. It looks at the pools meanwhile.
func (c *crowd) run(t TB, pools *poolWatch) (problems []string) {
	c.began = time.Now()
	for range c.clients {
		go c.client()
	}
	var over <-chan time.Time
	if c.plan.during > 0 {
		timer := time.NewTimer(c.plan.during)
		defer timer.Stop()
		over = timer.C
	}
	hung := newHang(t, c.began)
	patience := time.NewTimer(hung.next(c.began))
	defer patience.Stop()
	look := time.NewTimer(time.Hour)
	defer look.Stop()
	for returned := false; !returned; {
		select {
		case <-c.ended:
			returned = true
		case <-over:
			c.stop.Store(true)
			over = nil
		case <-pools.woken():
			look.Reset(pools.look())
		case <-look.C:
			look.Reset(pools.look())
		case now := <-patience.C:
			if why := hung.since(c.calls.Load(), now); why != "" {
				c.lasted = time.Since(c.began)
				problems = append(problems, c.hang(why, hung.grace()))
				returned = true
				break
			}
			patience.Reset(hung.next(now))
		}
	}
	if c.lasted == 0 {
		c.lasted = time.Since(c.began)
	}
	return append(problems, c.broken(t)...)
}

// client is one client.
func (c *crowd) client() {
	id := goroutine.CurrentID(nil)
	c.mu.Lock()
	c.ids[id] = true
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.ids, id)
		c.mu.Unlock()
		if c.gone.Add(1) == int64(c.clients) {
			close(c.ended)
		}
	}()
	for c.another() && c.call() {
	}
}

// another says whether one more call is to be made.
func (c *crowd) another() bool {
	if c.stop.Load() {
		return false
	}
	return c.plan.times == 0 || c.left.Add(-1) >= 0
}

// call makes one call, and says whether the client may go on.
func (c *crowd) call() (goOn bool) {
	returned := false
	defer func() {
		c.calls.Add(1)
		if returned {
			return
		}
		if p := recover(); p != nil {
			c.stop.Store(true)
			c.note(p)
			return
		}
		c.mu.Lock()
		c.failed++
		c.exited++
		c.mu.Unlock()
	}()
	err := c.fn(c.ctx)
	returned = true
	if err != nil {
		c.erred(err)
	}
	return true
}

// erred counts an error.
func (c *crowd) erred(err error) {
	late, text := isTimeout(err), textOf(err)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed++
	if late {
		c.timedOut++
	}
	for i := range c.errs {
		if c.errs[i].Text == text && c.errs[i].TimedOut == late {
			c.errs[i].Count++
			return
		}
	}
	if len(c.errs) < maxTexts {
		c.errs = append(c.errs, CallError{Err: err, Text: text, Count: 1, TimedOut: late})
	}
}

// isTimeout says whether a call failed because of a time that was over. An error that panics when it is asked is none.
func isTimeout(err error) (yes bool) {
	defer func() {
		if recover() != nil {
			yes = false
		}
	}()
	var n interface{ Timeout() bool } // as a net.Error has it
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}

// textOf is the text of an error, its type where it has none to give.
func textOf(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("an error of type %T, which panics when it is asked for its text", err)
		}
	}()
	return err.Error()
}

// note keeps a panic with the stack of the goroutine that it is on.
func (c *crowd) note(value any) {
	stack := string(debug.Stack())
	text := fmt.Sprint(value)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed++
	for i := range c.panics {
		if fmt.Sprint(c.panics[i].value) == text {
			c.panics[i].count++
			return
		}
	}
	if len(c.panics) < maxTexts {
		c.panics = append(c.panics, panicked{value, stack, 1})
	}
}

// broken says which clients ended in another way than by a return.
func (c *crowd) broken(t TB) (out []string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.panics {
		times := ""
		if p.count > 1 {
			times = fmt.Sprintf(" (×%d)", p.count)
		}
		out = append(out, fmt.Sprintf("leakcheck.Concurrently: a client panicked%s, which ended the load: %v\n%s", times, p.value, p.stack))
	}
	if c.exited > 0 && !t.Failed() {
		skipped := ""
		if s, ok := t.(interface{ Skipped() bool }); ok && s.Skipped() {
			skipped = ", or t.SkipNow"
		}
		out = append(out, fmt.Sprintf("leakcheck.Concurrently: %s ended by runtime.Goexit%s: let the function return an error", many(c.exited, "client"), skipped))
	}
	return out
}

// hang says where the clients are that have not returned, cancels their context, and waits for those who heed it.
func (c *crowd) hang(why string, wait time.Duration) string {
	c.stop.Store(true)
	where, n := c.places()
	c.cancel()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	var b strings.Builder
	fmt.Fprintf(&b, "leakcheck.Concurrently: %d of %s have not returned: %s\n", n, many(c.clients, "client"), why)
	b.WriteString(where)
	select {
	case <-c.ended:
		b.WriteString("  all of them have ended when their context was cancelled: give it a deadline")
	case <-timer.C:
		fmt.Fprintf(&b, "  their context was cancelled, and %d have not ended since: they are left behind", int64(c.clients)-c.gone.Load())
	}
	return b.String()
}

// places lists the lines at which the clients are, those of the most clients first.
func (c *crowd) places() (text string, n int) {
	c.mu.Lock()
	ids := make(map[uint64]bool, len(c.ids))
	for id := range c.ids {
		ids[id] = true
	}
	c.mu.Unlock()
	type place struct {
		site  callsite.Frame
		state string
		n     int
	}
	var all []*place
	var d goroutine.Dumper
	goroutine.Scan(d.Dump(), func(h goroutine.Head) bool {
		if !ids[h.ID] {
			return true
		}
		n++
		g, _ := goroutine.Parse(h.Block)
		p := &place{site: callsite.Pick(callsite.User(g.Frames)), state: g.State}
		if i := slices.IndexFunc(all, func(o *place) bool { return o.site == p.site && o.state == p.state }); i >= 0 {
			p = all[i]
		} else {
			all = append(all, p)
		}
		p.n++
		return true
	})
	slices.SortStableFunc(all, func(a, b *place) int { return b.n - a.n })
	var b strings.Builder
	for i, p := range all {
		if i == maxTexts {
			fmt.Fprintf(&b, "  … and %s more\n", many(len(all)-i, "place"))
			break
		}
		at := "a line that is not known"
		if p.site.Func != "" {
			at = whereIs(p.site)
		}
		fmt.Fprintf(&b, "  %d × %s  [%s]\n", p.n, at, p.state)
		if src := callsite.Source(p.site); src != "" {
			fmt.Fprintf(&b, "          %s\n", src)
		}
	}
	return b.String(), n
}

// whereIs is "file:line  function" as in a report.
func whereIs(f callsite.Frame) string {
	return fmt.Sprintf("%s:%d  %s", callsite.Short(f.File), f.Line, f.Func[strings.LastIndexByte(f.Func, '/')+1:])
}

// hang knows when clients have to be given up.
type hang struct {
	silence  time.Duration // in which no call has ended, after which to give up
	deadline time.Time     // when to give up, zero for never
	reserve  time.Duration // from then to the deadline of t
	calls    int64         // that had ended at the last look
	at       time.Time     // when that number was new
}

func newHang(t TB, now time.Time) *hang {
	h := &hang{at: now, silence: maxSilence}
	if goroutines.me().Bubble != 0 {
		h.silence = bubbleTime
		return h // t.Deadline panics in a synctest bubble, whose time is another
	}
	if d, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		if at, ok := d.Deadline(); ok {
			h.reserve = min(at.Sub(now)/4, maxReserve)
			h.deadline = at.Add(-h.reserve)
		}
	}
	return h
}

// next is how long to wait until the next look.
func (h *hang) next(now time.Time) time.Duration {
	d := h.at.Add(h.silence).Sub(now)
	if !h.deadline.IsZero() {
		d = min(d, h.deadline.Sub(now))
	}
	return max(d, time.Millisecond)
}

// since says why the clients are given up; "" when they are not.
func (h *hang) since(calls int64, now time.Time) string {
	if !h.deadline.IsZero() && !now.Before(h.deadline) {
		return "the deadline of the test is near"
	}
	if calls != h.calls {
		h.calls, h.at = calls, now
		return ""
	}
	if now.Sub(h.at) >= h.silence {
		return fmt.Sprintf("no call has ended for %v", h.silence)
	}
	return ""
}

// grace is how long clients may take that heed their context.
func (h *hang) grace() time.Duration {
	if h.deadline.IsZero() {
		return grace
	}
	return min(grace, max(h.reserve/2, 0))
}
