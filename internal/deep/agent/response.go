package agent

import (
	"fmt"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/leakgate/leakgate/internal/deep/hook"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
)

// Codes of what responses leave. docs/codes.md explains each.
const (
	codeUnclosed = "LK001"
	codeDrained  = "LK002"
)

// switching is the status of a response whose body is the connection itself.
const switching = 101

// responses is the pool that responses are counted in.
var responses = lease.Live.NewPool("http-conn", "net/http", nil)

// How a response came to hold nothing before it was closed.
const (
	holding  uint32 = iota
	allRead         // net/http saw the end of the body
	readFail        // reading failed
	ctxEnded        // the request's context ended
)

// response is one response whose body must be closed.
type response struct {
	r      hook.Response
	read   atomic.Int64
	end    atomic.Uint32
	closed atomic.Bool
	gone   atomic.Bool // nothing refers to the body any more

	mu  sync.Mutex
	err error // with readFail

	lease.Lease
}

// responded runs where net/http gives a response to the code.
func responded(r hook.Response) hook.Lease {
	defer contain()
	x := &response{r: r}
	responses.TakeFor(label.Owner(), &x.Lease, x, 3)
	tell(r.Slot, x.ID())
	return x
}

// Read counts what was read.
func (x *response) Read(n int) { x.read.Add(int64(n)) }

// Returned notes that net/http has the connection back.
func (x *response) Returned(err error) {
	defer contain()
	if x.r.Status == switching {
		return // only Close ends it
	}
	why := allRead
	if err != nil && err != io.EOF {
		why = readFail
		x.mu.Lock()
		x.err = err
		x.mu.Unlock()
	}
	x.ended(why)
}

func (x *response) ended(why uint32) {
	if !x.closed.Load() && x.end.CompareAndSwap(holding, why) {
		x.Return()
	}
}

// Released notes that the body was closed.
func (x *response) Released() {
	defer contain()
	if !x.closed.Swap(true) {
		x.Release(x.end.Load() == holding)
	}
}

// Dropped notes that nothing refers to the body any more.
func (x *response) Dropped(string) { x.gone.Store(true) }

// Now says what the lease is at this moment.
func (x *response) Now() lease.State {
	switch {
	case x.closed.Load():
		return lease.Released
	case x.end.Load() != holding:
		return lease.Unclosed
	case x.r.Status == switching:
		return lease.Held
	case x.r.Context != nil && x.r.Context() != nil: // net/http gave the connection up without an event
		x.ended(ctxEnded)
		return lease.Unclosed
	}
	return lease.Held
}

// Info describes the lease.
func (x *response) Info() lease.Info {
	r := x.r
	info := lease.Info{
		Kind: "http-response", Local: addrPort(r.Local), Remote: addrPort(r.Remote), LoopID: r.Loop, Protocol: r.Proto,
		Code: codeUnclosed, Hint: "defer resp.Body.Close()", State: x.progress(), Provable: true,
	}
	if x.gone.Load() {
		info.State += "; " + proved
		if r.Cancels {
			info.State += ", but by ending the request's context"
		}
	}
	what := fmt.Sprintf("response body of %s (%s)", x.asked(), x.answer())
	if r.Status == switching {
		what = fmt.Sprintf("connection after %s (%s)", x.asked(), x.answer())
	}
	if x.Now() == lease.Held {
		info.Summary = what + " was never closed"
		return info
	}
	info.Code = codeDrained
	switch x.end.Load() {
	case readFail:
		x.mu.Lock()
		err := x.err
		x.mu.Unlock()
		info.Summary = what + " failed while it was read and was never closed: leaks when the read does not fail"
		info.Note = "net/http gave the connection up at the read error: " + err.Error()
	case ctxEnded:
		info.Code, info.Late = codeUnclosed, true
		info.Summary = what + " was never closed: only the end of the request's context freed its connection"
		info.Note = "the connection was held until the request's context ended (" + r.Context().Error() + "), which may be late or never in production"
	default:
		info.Summary = what + " was read to EOF but never closed: leaks when it is not read to the end"
		info.Note = "net/http has the connection back, because the body was read to its end; an early return or a longer body would keep it"
	}
	return info
}

func (x *response) asked() string {
	method := x.r.Method
	if method == "" {
		method = "GET"
	}
	return method + " " + maskTarget(x.r.Path, x.r.RawPath, x.r.Query)
}

func (x *response) answer() string {
	s := fmt.Sprint(x.r.Status)
	if x.r.Server != "" {
		s += ", " + clip(x.r.Server, 40)
	}
	return s
}

func (x *response) progress() string {
	n := x.read.Load()
	switch {
	case x.r.Status == switching:
		return fmt.Sprintf("%d bytes read", n)
	case x.r.Length > 0:
		return fmt.Sprintf("%d of %d bytes read", n, x.r.Length)
	}
	return fmt.Sprintf("%d bytes read, length not announced", n)
}

func addrPort(text string) netip.AddrPort {
	a, err := netip.ParseAddrPort(text)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
