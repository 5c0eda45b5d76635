package roundtrip

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/outbound"
)

// Kind is the kind of resource that a tracker's leases are.
const Kind = "http-response"

// Codes of the leaks that a tracker reports.
const (
	CodeUnclosed = "LK001" // a body that holds its connection
	CodeDrained  = "LK002" // a body that was read to its end and never closed
)

// How a response came to hold nothing before it was closed.
const (
	open      uint32 = iota
	sawEOF           // the reader saw the end of the body
	sawError         // the reader saw an error
	putIdle          // net/http saw the end of the body, which the reader need not have
	ctxEnded         // the request's context ended
	connEnded        // the connection is closed
)

// response is one tracked response: the lease, the hooks of its request, and what a report says of it. It does not
// refer to the body, so that a body nobody refers to can be collected.
type response struct {
	tracker *Tracker
	owner   label.ID
	ctx     context.Context // the caller's
	mark    mark
	ask     *lease.Ask // nil when nobody measures
	trace   httptrace.ClientTrace

	method   string
	path     string
	rawPath  string
	query    string
	address  string // host and port; "" when nobody wants to know
	status   int
	proto    string
	server   string
	length   int64
	buffered bool // the connection had gone back before RoundTrip returned

	read    atomic.Int64
	end     atomic.Uint32
	closing atomic.Bool
	closed  atomic.Bool

	mu     sync.Mutex
	reused bool
	gots   int  // connections that it was sent on, one after the other
	begun  bool // the answer to the last of them has begun
	conn   connOf
	err    error // with sawError

	lease.Lease
}

// Now says what the lease is at this moment.
func (r *response) Now() lease.State {
	switch {
	case r.closed.Load():
		return lease.Released
	case r.end.Load() != open:
		return lease.Unclosed
	case r.status == http.StatusSwitchingProtocols: // only Close ends it
		return lease.Held
	case r.ctx.Err() != nil: // net/http gave the connection up, or the stream, without an event that we could see
		r.ended(ctxEnded)
		return lease.Unclosed
	case r.connection().gone():
		r.ended(connEnded)
		return lease.Unclosed
	}
	return lease.Held
}

// Twin is the ID of the lease that the agent of deep mode has of the same response.
func (r *response) Twin() uint64 { return r.mark.deep.Load() }

// ended notes why nothing is held any more. The first reason stays.
func (r *response) ended(why uint32) {
	if r.end.CompareAndSwap(open, why) {
		r.Return()
	}
}

// readError is what a reader of the body got.
func (r *response) readError(err error) {
	if r.status == http.StatusSwitchingProtocols || r.closing.Load() || !final(err) {
		return
	}
	r.mu.Lock()
	if r.err == nil {
		r.err = err
	}
	r.mu.Unlock()
	r.ended(sawError)
}

// final says whether net/http gives the connection up at a read error. It does at those of the connection and of the
// framing; an error of the decompression above them is its reader's alone, and the connection stays leased.
func final(err error) bool {
	var corrupt flate.CorruptInputError
	var internal flate.InternalError
	switch {
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &corrupt), errors.As(err, &internal):
		return false
	}
	return err.Error() != "http: concurrent read on response body" // the other reader goes on
}

// isClosed ends the lease: Close has returned, or panicked.
func (r *response) isClosed(early bool) {
	r.closed.Store(true)
	r.Release(early)
}

// early says whether a Close now comes before the end of the body. A body whose request is cancelled is no use to read on.
func (r *response) early() bool {
	return r.end.Load() == open && r.status != http.StatusSwitchingProtocols && r.ctx.Err() == nil
}

// gotConn runs on the goroutine that sends the request, before it is sent; more than once when net/http tries again.
func (r *response) gotConn(info httptrace.GotConnInfo) {
	if !info.Reused {
		r.tracker.pool.Dialed(r.owner)
	}
	c := conns.got(info.Conn, info.Reused, r.tracker.pool.ID())
	if r.address != "" && c.remote.IsValid() {
		outbound.Conns.Tell(outbound.Conn{Address: r.address, Remote: c.remote})
	}
	if r.ask != nil {
		r.ask.Got(lineOf(info.Conn, c))
	}
	r.mu.Lock()
	r.conn, r.reused = c, info.Reused
	r.gots++
	r.begun = false
	if r.Pool() == nil { // the connection of an earlier try, by a RoundTripper between, may have gone back
		r.end.Store(open)
	}
	r.mu.Unlock()
}

// lineOf names a connection of HTTP/1. One of HTTP/2 is shared, and is no line. Without TLS, where HTTP/2 has to be asked for, it
// cannot be told.
func lineOf(nc net.Conn, c connOf) lease.Line {
	if s, ok := nc.(interface{ ConnectionState() tls.ConnectionState }); ok && s.ConnectionState().NegotiatedProtocol == "h2" {
		return lease.Line{}
	}
	if !c.local.IsValid() || !c.remote.IsValid() {
		return lease.Line{}
	}
	return lease.Line{c.local, c.remote}
}

// gotReused says whether the request was answered, or failed, on a connection that had served another before.
func (r *response) gotReused() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reused
}

// gotFirstByte runs on the goroutine that reads the connection: the one chance to learn its ID.
func (r *response) gotFirstByte() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun = true
	if r.conn.loop == 0 {
		var buf [64]byte
		r.conn.loop = goroutine.CurrentID(buf[:])
		conns.learn(r.conn)
	}
}

// putIdleConn runs on the goroutine that reads the connection, when net/http has it back: at EOF as net/http sees it,
// which a decoder above may never see. When there was more than one try, it may be the connection of an earlier one: another,
// or the same, which net/http hands out before it tells. It tells then before it reads the next answer.
//
// All in one step with gotConn, which forgets what came of the try before: a lease that is taken for the last try must not be
// returned for an earlier one.
func (r *response) putIdleConn(error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gots > 1 {
		var buf [64]byte
		if !r.begun || goroutine.CurrentID(buf[:]) != r.conn.loop {
			return
		}
	}
	r.ended(putIdle)
}

func (r *response) connection() connOf {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.conn
}

// Info describes the lease.
func (r *response) Info() lease.Info {
	conn := r.connection()
	info := lease.Info{
		Kind: Kind, Local: conn.local, Remote: conn.remote, LoopID: conn.loop, Protocol: r.proto,
		Code: CodeUnclosed, Hint: "defer resp.Body.Close()", State: r.progress(),
	}
	what := fmt.Sprintf("response body of %s (%s)", r.asked(), r.answer())
	if r.status == http.StatusSwitchingProtocols {
		what = fmt.Sprintf("connection after %s (%s)", r.asked(), r.answer())
	}
	if r.Now() == lease.Held {
		info.Summary = what + " was never closed"
		return info
	}
	info.Code = CodeDrained
	switch r.end.Load() {
	case sawError:
		r.mu.Lock()
		err := r.err
		r.mu.Unlock()
		info.Summary = what + " failed while it was read and was never closed: leaks when the read does not fail"
		info.Note = "net/http gave the connection up at the read error: " + err.Error()
	case ctxEnded:
		info.Code, info.Late = CodeUnclosed, true
		info.Summary = what + " was never closed: only the end of the request's context freed its connection"
		info.Note = "the connection was held until the request's context ended (" + r.ctx.Err().Error() + "), which may be late or never in production"
	case connEnded:
		info.Summary = what + " was never closed: its connection was closed by other means"
		info.Note = "the connection is closed on this side, by the transport or by who dialled it; it would be held otherwise"
	default:
		if r.buffered {
			info.Summary = what + " was never closed: a transport had read it before it was returned"
			info.Note = "a RoundTripper above net/http's reads bodies by itself; without it the connection would be held"
			break
		}
		info.Summary = what + " was read to EOF but never closed: leaks when it is not read to the end"
		info.Note = "net/http has the connection back, because the body was read to its end; an early return or a longer body would keep it"
	}
	return info
}

// asked is the method and the target of the request.
func (r *response) asked() string {
	method := r.method
	if method == "" {
		method = http.MethodGet
	}
	return method + " " + r.target()
}

func (r *response) target() string {
	return MaskURL(&url.URL{Path: r.path, RawPath: r.rawPath, RawQuery: r.query})
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

// clip cuts a text to at most n bytes, between characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
