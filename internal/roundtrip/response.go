package roundtrip

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
)

// Kind is the kind of resource that a tracker's leases are.
const Kind = "http-response"

// Codes of the leaks that a tracker reports.
const (
	CodeUnclosed = "LK001" // a body that holds its connection
	CodeDrained  = "LK002" // a body that was read to its end and never closed
)

// response is one tracked response: the lease, the hooks of its request, and what a report says of it. It does not
// refer to the body, so that a body nobody refers to can be collected.
type response struct {
	lease.Lease
	tracker *Tracker
	owner   label.ID
	ctx     context.Context
	mark    mark
	trace   httptrace.ClientTrace

	method     string
	url        url.URL
	status     int
	statusText string
	proto      string
	server     string
	length     int64

	read     atomic.Int64
	returned atomic.Bool           // net/http has the connection back
	end      atomic.Pointer[error] // the first error a reader saw; io.EOF at the end

	mu   sync.Mutex
	conn connOf
}

type connOf struct {
	local, remote netip.AddrPort
	loop          uint64
}

// Now says what the lease is at this moment.
func (r *response) Now() lease.State {
	if r.returned.Load() {
		return lease.Unclosed
	}
	if r.status != http.StatusSwitchingProtocols && r.ctx.Err() != nil {
		// net/http closed the connection when the request's context ended, without an event that we could see. After
		// 101 the context has no say: only Close ends the connection.
		r.returned.Store(true)
		r.Return()
		return lease.Unclosed
	}
	return lease.Held
}

// Info describes the lease.
func (r *response) Info() lease.Info {
	r.mu.Lock()
	conn := r.conn
	r.mu.Unlock()
	info := lease.Info{
		Kind: Kind, Local: conn.local, Remote: conn.remote, LoopID: conn.loop, Protocol: r.proto,
		Code: CodeUnclosed, Hint: "defer resp.Body.Close()",
	}
	what := fmt.Sprintf("response body of %s %s (%s)", r.method, MaskURL(&r.url), r.answer())
	if r.status == http.StatusSwitchingProtocols {
		what = fmt.Sprintf("connection after %s %s (%s)", r.method, MaskURL(&r.url), r.answer())
	}
	if r.Now() == lease.Held {
		info.Summary = what + " was never closed"
		info.State = r.progress()
		return info
	}
	info.Code = CodeDrained
	end := r.end.Load()
	switch {
	case end != nil && *end == io.EOF, end == nil && r.ctx.Err() == nil:
		info.Summary = what + " was read to EOF but never closed: leaks when it is not read to the end"
		info.Note = "net/http has the connection back, because the reader saw the end of the body; an early return or a longer body would keep it"
	case end != nil:
		info.Summary = what + " failed while it was read and was never closed: leaks when the read does not fail"
		info.Note = "net/http gave the connection up at the read error: " + (*end).Error()
	default:
		info.Summary = what + " was never closed: only the end of the request's context freed its connection"
		info.Note = "the connection was held until the request's context ended (" + r.ctx.Err().Error() + ")"
	}
	info.State = r.progress()
	return info
}

func (r *response) answer() string {
	s := fmt.Sprint(r.status)
	if r.server != "" {
		s += ", " + clip(r.server, 40)
	}
	return s
}

func (r *response) progress() string {
	n := r.read.Load()
	switch {
	case r.status == http.StatusSwitchingProtocols:
		return fmt.Sprintf("%d bytes read", n)
	case r.length > 0:
		return fmt.Sprintf("%d of %d bytes read", n, r.length)
	}
	return fmt.Sprintf("%d bytes read, length not announced", n)
}

// MaskURL gives the path and the names of the query's parameters. Values, user names and passwords may be secrets and
// are left out.
func MaskURL(u *url.URL) string {
	p := u.EscapedPath()
	if p == "" {
		p = "/"
	}
	p = clip(p, 120)
	if u.RawQuery == "" {
		return p
	}
	q := u.Query()
	names := make([]string, 0, len(q))
	for name := range q {
		names = append(names, clip(url.QueryEscape(name), 40)+"=…")
	}
	sort.Strings(names)
	if len(names) > 6 {
		names = append(names[:6], "…")
	}
	return p + "?" + strings.Join(names, "&")
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}
