package leakcheck

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/dbuse"
	"github.com/leakgate/leakgate/internal/lease"
)

// Load is what a load of Concurrently came to.
type Load struct {
	Clients  int
	Calls    int           // calls of fn that have ended
	Failed   int           // of those, calls with an error, or that panicked or ended their goroutine
	TimedOut int           // of those, calls whose error is a time-out: context.DeadlineExceeded, or a net.Error that says so
	Took     time.Duration // from the first call to the end of the last
	Rate     float64       // calls a second
	Errors   []CallError   // those of the most calls first, at most 16
	Pools    []PoolLoad    // in the order of their first use
}

// CallError is an error that calls have returned.
type CallError struct {
	Err      error // the first with that text
	Text     string
	Count    int
	TimedOut bool
}

// PoolLoad is what a load did to one pool of connections.
//
// The leases are those that the load took; Peak, Waits of database/sql and AtExhaustion count whoever else uses the pool too.
type PoolLoad struct {
	Kind   Kind          // SQLConn, PgxConn or HTTPConn
	Pool   string        // what a reader calls the pool; with the host, for HTTP
	Size   int           // most connections that may be out at once; 0 when there is no limit
	Leases int           // connections taken, or requests sent, by the load
	Peak   int           // most connections out at one moment
	Waits  int           // how often somebody had to wait because all were out
	Waited time.Duration // in all

	// FullFor is for how long all connections were out, whether or not somebody waited.
	FullFor time.Duration

	LongestHold time.Duration // of one connection; what was not given back counts up to the end of the load
	LongestSite Frame         // that took it
	MeanHold    time.Duration

	// Need is how many connections the load had out on average: the integral of their number over time, divided by the
	// time. By Little's law it is the rate of leases times the mean hold.
	Need float64

	// AtExhaustion says who held the connections at the first moment at which all were out and somebody waited, by call
	// site, those of the most connections first; nil when that was not seen. Waiting is how many waited then.
	AtExhaustion []Holder
	Waiting      int

	exhausted bool
}

// Holder is a line that took connections which were out at one moment.
type Holder struct {
	Site  Frame
	Count int
	Held  time.Duration // for how long the first of them was out then

	stack []callsite.Frame
}

// Exhausted says whether all connections were out while somebody waited for one.
func (p PoolLoad) Exhausted() bool { return p.exhausted }

// Err joins the errors that calls have returned, each text once, with the number of calls; nil when every call returned
// nil. errors.Is and errors.As find what the first error of each text wraps.
func (l *Load) Err() error {
	if l.Failed == 0 {
		return nil
	}
	errs := make([]error, 0, len(l.Errors)+1)
	known := 0
	for _, e := range l.Errors {
		errs = append(errs, &countedError{e, l.Calls})
		known += e.Count
	}
	if rest := l.Failed - known; rest > 0 {
		errs = append(errs, fmt.Errorf("%d of %s failed in other ways", rest, many(l.Calls, "call")))
	}
	return errors.Join(errs...)
}

type countedError struct {
	CallError
	calls int
}

func (e *countedError) Error() string {
	return fmt.Sprintf("%d of %s: %s", e.Count, many(e.calls, "call"), e.Text)
}

func (e *countedError) Unwrap() error { return e.Err }

// count takes over what the clients did.
func (l *Load) count(c *crowd) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.Calls, l.Failed, l.TimedOut, l.Took = int(c.calls.Load()), c.failed, c.timedOut, c.lasted
	l.Errors = slices.Clone(c.errs)
	slices.SortStableFunc(l.Errors, func(a, b CallError) int { return b.Count - a.Count })
	l.Rate = perSecond(l.Calls, l.Took)
}

func perSecond(n int, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}

// poolLoad makes of what was measured what a reader wants to know.
func poolLoad(m lease.Measured, took time.Duration) PoolLoad {
	p := PoolLoad{
		Kind: Kind(m.Pool.Kind()), Pool: m.Pool.Name(), Size: m.Size, Leases: m.Leases, Peak: m.Peak, Waits: m.Waits, Waited: m.Waited,
		FullFor: min(m.FullFor, took), LongestHold: m.Longest,
	}
	if m.Host != "" {
		p.Pool += " to " + m.Host
	}
	if m.Leases > 0 {
		p.MeanHold = m.Held / time.Duration(m.Leases)
	}
	if took > 0 {
		p.Need = float64(m.Area) / float64(took)
	}
	p.LongestSite = frame(callsite.Pick(takenBy(p.Kind, m.LongestBy)))
	if m.Moment != nil {
		p.exhausted, p.Waiting = true, m.Moment.Waiting
		p.AtExhaustion = byLine(p.Kind, m.Moment.Holders)
	}
	return p
}

// byLine groups what was out by the line that took it.
func byLine(k Kind, held []lease.Holding) (out []Holder) {
	for _, h := range held {
		stack := takenBy(k, h.PCs)
		site := frame(callsite.Pick(stack))
		i := slices.IndexFunc(out, func(o Holder) bool { return o.Site == site })
		if i < 0 {
			i = len(out)
			out = append(out, Holder{Site: site, stack: stack})
		}
		out[i].Count++
		out[i].Held = max(out[i].Held, h.Held)
	}
	slices.SortStableFunc(out, func(a, b Holder) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Site.String(), b.Site.String())
	})
	return out
}

// takenBy gives the program's frames of a stack that took a connection.
func takenBy(k Kind, pcs []uintptr) []callsite.Frame {
	stack := callsite.Expand(pcs)
	if k == HTTPConn {
		return callsite.User(stack)
	}
	stack = callsite.User(callsite.From(stack, "database/sql."))
	if k == PgxConn {
		stack = callsite.Without(stack, dbuse.Library)
	}
	return stack
}

// String is a table of the load and its pools, for people.
func (l *Load) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "leakcheck: %s by %s in %s: %s a second", many(l.Calls, "call"), many(l.Clients, "client"), brief(l.Took), number(l.Rate))
	if l.Failed > 0 {
		fmt.Fprintf(&b, "; %d failed", l.Failed)
		if l.TimedOut > 0 {
			fmt.Fprintf(&b, ", of which %d timed out", l.TimedOut)
		}
	}
	b.WriteByte('\n')
	for i, e := range l.Errors {
		if i == 3 {
			fmt.Fprintf(&b, "  … and %s more\n", many(len(l.Errors)-i, "error"))
			break
		}
		fmt.Fprintf(&b, "  %d × %s\n", e.Count, firstLine(e.Text))
	}
	if len(l.Pools) == 0 {
		b.WriteString("  no tracked pool was used: see packages httpcheck and dbcheck\n")
		return strings.TrimRight(b.String(), "\n")
	}
	b.WriteByte('\n')
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  pool\tsize\tpeak\tneed\tleases\tmean hold\tlongest\twaits\twaited")
	for _, p := range l.Pools {
		size := "no limit"
		if p.Size > 0 {
			size = fmt.Sprint(p.Size)
		}
		fmt.Fprintf(w, "  %s\t%s\t%d\t%s\t%d\t%s\t%s\t%d\t%s\n",
			p.Pool, size, p.Peak, number(p.Need), p.Leases, brief(p.MeanHold), brief(p.LongestHold), p.Waits, brief(p.Waited))
	}
	w.Flush()
	for _, p := range l.Pools {
		fmt.Fprintf(&b, "\n  %s\n", p.Pool)
		for _, s := range append(p.atExhaustion(), p.numbers(l)...) {
			fmt.Fprintf(&b, "    %s\n", s)
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

// firstLine cuts a text to what fits on a line.
func firstLine(s string) string {
	s, _, more := strings.Cut(s, "\n")
	if r := []rune(s); len(r) > 160 {
		s, more = string(r[:160]), true
	}
	if more {
		s += " …"
	}
	return s
}

// brief writes a duration with three digits: 58.2ms, 1.24s.
func brief(d time.Duration) string {
	for unit := time.Duration(1); unit <= 10*time.Second; unit *= 10 {
		if d.Abs() < 1000*unit {
			return d.Round(unit).String()
		}
	}
	return d.Round(time.Second).String()
}

// number writes a count that is measured: 2, 9.6, 187.
func number(x float64) string {
	if x >= 100 {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%g", math.Round(x*10)/10)
}
